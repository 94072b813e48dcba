"""One model with its queue, its running sequences and its cache; the engine thread steps it."""

import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from assistant.engine.kv_mover import KvMover
from assistant.engine.kv_store import KvStore, KvStoreOptions, ModelPrefixes
from assistant.engine.model import (
    DecodeError,
    Grammar,
    KvOp,
    Model,
    Owner,
    Span,
    Truncate,
    UnmetGrammarError,
)
from assistant.engine.outlook import Outlook, Wait
from assistant.engine.prefix_cache import Held
from assistant.engine.scheduler import Counters, Plan, Scheduler
from assistant.engine.sequence import Sequence
from assistant.engine.step_curve import StepCurve
from assistant.engine.types import (
    ONE_USERS_SHARE,
    EngineError,
    FinishReason,
    Foresight,
    GenerateRequest,
    InvalidRequestError,
    Prefill,
    PromptTooLongError,
    QueueFullError,
    Token,
    TokenEvent,
)

logger = logging.getLogger(__name__)
MOST_REFUSALS = 3
"""Steps in a row without a KV slot after which a sequence that runs alone is given up."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Limits of the engine. ``max_running`` None is as many as the model has sequences; ``step_s`` None is measured.

    ``on_step`` hears the rows and the seconds of every step, on the engine's thread.
    """

    queue_max: int = 256
    queue_max_wait_s: float = 120.0
    max_running: int | None = None
    step_s: float | None = None
    speculation: bool = True
    on_step: Callable[[int, float], None] = lambda rows, seconds: None
    kv_store: KvStoreOptions = field(default_factory=KvStoreOptions)


class Lane:
    """Steps one model. ``inbox`` and ``cancelled`` are filled by other threads, everything else is the engine thread's.

    ``on_end`` is called with the id of each request after its last event. ``fingerprint`` says whose saved prefixes
    fit this model.
    """

    def __init__(
        self,
        key: str,
        model: Model,
        curve: StepCurve,
        options: EngineOptions,
        counters: Counters,
        clock: Callable[[], float],
        on_end: Callable[[str], None],
        store: KvStore,
        fingerprint: str,
    ) -> None:
        self.key = key
        self.model = model
        self.curve = curve
        self.limit = min(model.n_ctx, model.n_ctx_train)
        self.inbox: deque[Sequence] = deque()
        self.cancelled: set[str] = set()
        self.adapters: set[str] = set()
        self.retired: threading.Event | None = None
        self.counters = counters
        self.last_step_rows = 0
        self.last_step_s = 0.0
        self._saved = ModelPrefixes(store, fingerprint) if store.enabled else None
        self.scheduler = Scheduler(
            n_seq_max=model.n_seq_max,
            cells=model.n_ctx,
            curve=curve,
            max_running=options.max_running,
            counters=counters,
            saved=self._saved,
            costs=model.kv_costs if store.enabled else None,
            drafts=model.n_drafts_max if options.speculation else 0,
            limit=self.limit,
        )
        self._kv = KvMover(model, store, fingerprint)
        self._outlook = Outlook(self.scheduler, curve, model.n_ctx, clock)
        self._options = options
        self._clock = clock
        self._on_end = on_end
        self._sequences: dict[str, Sequence] = {}
        self._plan: Plan | None = None
        self._refusals = 0
        self._changed = False
        self._slowdown = 1.0

    @property
    def busy(self) -> bool:
        return bool(self.inbox or self._sequences)

    @property
    def starting(self) -> bool:
        """All there is has only just come."""
        return not self._sequences

    @property
    def queue_depth(self) -> int:
        return len(self.inbox) + len(self.scheduler.waiting)

    def check(self, request: GenerateRequest) -> None:
        """Raise if the request could never run on this model."""
        tokens = request.tokens
        if not tokens or min(tokens) < 0 or max(tokens) >= self.model.vocabulary.size:
            raise InvalidRequestError(f"token ids must be within 0 and {self.model.vocabulary.size - 1}, at least one")
        if request.max_tokens < 0:
            raise InvalidRequestError("max_tokens must not be negative")
        if request.adapter is not None and request.adapter not in self.adapters:
            raise InvalidRequestError(f"the model has no adapter {request.adapter}")
        if len(tokens) > self.limit - 1:
            raise PromptTooLongError(len(tokens), self.limit - 1)

    def parse_grammar(self, request: GenerateRequest) -> Grammar | None:
        """The grammar of a request, ready for use. Any thread. Raises InvalidGrammarError."""
        return None if request.grammar is None else self.model.vocabulary.parse_grammar(request.grammar)

    def check_queue(self, request: GenerateRequest) -> Wait:
        """How long a request would wait. Raises QueueFullError if that is too long. Any thread."""
        wait = self._outlook.wait(tuple(self.inbox), request)
        most = self._options.queue_max
        if self.queue_depth >= most or wait.own_before >= math.ceil(ONE_USERS_SHARE * most):
            raise QueueFullError(max(1.0, wait.expected_s / max(self.queue_depth, 1)))
        if wait.expected_s > self._options.queue_max_wait_s:
            raise QueueFullError(max(1.0, wait.expected_s - self._options.queue_max_wait_s))
        return wait

    def first_step_s(self) -> float:
        """Seconds of the step that begins to read what has come, when nothing runs yet."""
        matches = [(each, self.scheduler.cache.match(each.held)) for each in self.inbox]
        rows = sum(len(each.tokens) - (match.length if match else 0) for each, match in matches)
        return self.curve.seconds(self.curve.prefill_rows(0, rows)) if rows else 0.0

    def predicted_wait(self) -> float:
        """Seconds that a chat request of average size would wait. Any thread."""
        return self._outlook.wait(tuple(self.inbox)).expected_s

    def foresee(self, request: GenerateRequest) -> Foresight:
        """What a request would meet with if it came now. Any thread; nothing is changed by asking."""
        owner = Owner(request.adapter, request.scope)
        cached = self._outlook.cached(Held(list(request.tokens), owner, request.public_tokens))
        stored = self._saved.match(owner, request.public_tokens, request.tokens) if self._saved else None
        restoring_s = 0.0
        if stored is not None and self.scheduler.cache.is_worth_restoring(stored, cached):
            cached, restoring_s = stored.length, stored.size * self.model.kv_costs.moved
        reading_s = self._outlook.reading_s(len(request.tokens) - cached)
        wait_s = self._outlook.wait(tuple(self.inbox), request).expected_s
        return Foresight(cached, wait_s, restoring_s + reading_s)

    def step(self, others_s: float = 0.0) -> bool:
        """One turn: take what has come, reap what was cancelled, then plan, decode, sample and tell.

        ``others_s``: seconds that a turn of each other busy model takes in between. False: all that is here waits for
        saved prefixes to be read from disk.
        """
        self._slowdown = 1.0 + others_s / max(self.last_step_s, 1e-6)
        came = bool(self.inbox or self.cancelled)
        self._take_inbox()
        self._reap_cancelled()
        plan = self._plan_step()
        if plan.spans:
            now = self._clock()
            # who has been taken from the inbox would be nowhere while the step is computed
            self._outlook.refresh(now, changed=self._changed, slowdown=self._slowdown)
            self._outlook.step_begins(plan.rows, now)
        if plan.spans and self._decode(plan):
            self._sample(plan)
        self._look_out()
        return came or bool(plan.spans)

    def save_idle(self) -> bool:
        """Write an idle prefix down, so that it outlasts the process. False: all are."""
        ops: list[KvOp] = []
        saved = self.scheduler.cache.save_one(ops)
        self._kv.apply(ops)
        return saved

    def fail_step(self, error: str) -> None:
        """A step has raised: its requests end with an error, the others go on."""
        affected = self._plan.sequences if self._plan else list(self._sequences.values())
        self._plan = None
        for sequence in affected:
            if sequence.request.id in self._sequences:
                self._finish(sequence, FinishReason.ERROR, error)
        self._look_out()

    def fail_all(self, error: str) -> None:
        """End every request with an error, also those not taken from the inbox yet."""
        self._take_inbox()
        for sequence in list(self._sequences.values()):
            self._finish(sequence, FinishReason.ERROR, error)

    def drop_adapter(self, name: str) -> None:
        """Let go of an adapter. Raises EngineError while a request uses it."""
        self.adapters.discard(name)
        if any(each.request.adapter == name for each in (*self._sequences.values(), *self.inbox)):
            self.adapters.add(name)
            raise EngineError(f"adapter {name} is in use")
        self.model.remove_adapter(name)

    def close(self) -> None:
        """Free the model. Only when nothing is left to do."""
        self.model.close()

    def _take_inbox(self) -> None:
        while self.inbox:
            self._changed = True
            sequence = self.inbox[0]
            self._sequences[sequence.request.id] = sequence
            self.scheduler.waiting.arrive(sequence)
            self.inbox.popleft()

    def _reap_cancelled(self) -> None:
        while self.cancelled:
            sequence = self._sequences.get(self.cancelled.pop())
            if sequence is not None:
                self._finish(sequence, FinishReason.CANCELLED)

    def _plan_step(self) -> Plan:
        self._plan = None
        plan = self.scheduler.plan(self._clock())
        self._plan = plan
        for seq_id in self._kv.apply(plan.ops):
            self.scheduler.restart(seq_id, plan)
        for sequence in plan.sequences:
            if sequence.sampler is None:
                grammar, sequence.grammar = sequence.grammar, None
                request = sequence.request
                sequence.sampler = self.model.new_sampler(request.sampling, request.tokens, grammar)
                self.counters.prompt_tokens += len(request.tokens)
                self.counters.cached_tokens += sequence.cached
                self._outlook.started(sequence)
        return plan

    def _decode(self, plan: Plan) -> bool:
        began = self._clock()
        try:
            self.model.use_adapter(plan.adapter)
            has_room = self.model.decode(plan.spans)
        except DecodeError as error:
            self._recover(plan, error)
            return False
        if not has_room:
            self._out_of_cells(plan)
            return False
        self.last_step_rows, self.last_step_s = plan.rows, self._clock() - began
        self.curve.observe(self.last_step_rows, self.last_step_s)
        self.counters.steps += 1
        self._options.on_step(self.last_step_rows, self.last_step_s)
        self._refusals = 0
        self.scheduler.advance(plan)
        return True

    def _recover(self, plan: Plan, error: DecodeError) -> None:
        """A step has failed: go back to what was in cells before it, and try its sequences one by one.

        Only those that fail alone end with an error. Raises DecodeError when all do.
        """
        for sequence, span in zip(plan.sequences, plan.spans, strict=True):
            self.model.apply(Truncate(span.seq_id, sequence.computed))
        if len(plan.spans) == 1:
            raise error
        logger.warning("a step of %d sequences failed; trying them one by one: %s", len(plan.spans), error)
        failed = 0
        for sequence, span in zip(plan.sequences, plan.spans, strict=True):
            alone = Plan(plan.adapter)
            alone.add(sequence, span)
            try:
                if self._decode(alone):
                    self._sample(alone)
            except DecodeError as own:
                failed += 1
                self._finish(sequence, FinishReason.ERROR, f"the engine failed on this request: {own}")
        if failed == len(plan.spans):
            raise error

    def _out_of_cells(self, plan: Plan) -> None:
        logger.warning("no KV slot for %d rows although the ledger had room", plan.rows)
        ops: list[KvOp] = []
        self._refusals += 1
        if self.scheduler.shrink(ops) or self._refusals < MOST_REFUSALS:
            self._kv.apply(ops)
            return
        for sequence in plan.sequences:
            self._finish(sequence, FinishReason.ERROR, "the context has no room for this request")

    def _sample(self, plan: Plan) -> None:
        row = -1
        for sequence, span in zip(plan.sequences, plan.spans, strict=True):
            row += len(span.tokens)
            if sequence.generated == 0:
                self._emit(sequence, Prefill(sequence.computed, len(sequence.request.tokens)))
            if span.outputs:
                self._next_tokens(sequence, span, row - span.drafted)

    def _next_tokens(self, sequence: Sequence, span: Span, row: int) -> None:
        """Sample the token after ``row``, and after each guess that was right."""
        guesses = span.tokens[len(span.tokens) - span.drafted :]
        accepted = 0
        reason, error = None, None
        try:
            token, reason = self._next_token(sequence, row)
            while reason is None and accepted < len(guesses) and token == guesses[accepted]:
                accepted += 1
                token, reason = self._next_token(sequence, row + accepted)
        except UnmetGrammarError as unmet:
            reason, error = FinishReason.UNMET, str(unmet)
        ops: list[KvOp] = []
        self.scheduler.settle(sequence, span, accepted, ops)
        self._kv.apply(ops)
        if reason is not None:
            self._finish(sequence, reason, error)

    def _next_token(self, sequence: Sequence, row: int) -> tuple[int | None, FinishReason | None]:
        """A token sampled and told, and why the request ends with it, if it does."""
        request = sequence.request
        if sequence.sampler is None or sequence.tokens_left <= 0:
            return None, FinishReason.LENGTH
        token = sequence.sampler.sample(row)
        if token in request.stop_tokens:
            return token, FinishReason.STOP
        event = Token(token) if request.logprobs is None else self._with_logprobs(token, row, request.logprobs)
        sequence.append(token, self._clock())
        self.counters.generated_tokens += 1
        self._emit(sequence, event)
        full = sequence.tokens_left <= 0 or len(sequence.tokens) >= self.limit
        return token, FinishReason.LENGTH if full else None

    def _with_logprobs(self, token: int, row: int, top: int) -> Token:
        logprob, ranked = self.model.logprobs(row, token, top)
        return Token(token, logprob, ranked)

    def _finish(self, sequence: Sequence, reason: FinishReason, error: str | None = None) -> None:
        del self._sequences[sequence.request.id]
        self._changed = True
        ops: list[KvOp] = []
        self.scheduler.remove(sequence, ops, keep_cells=reason is not FinishReason.ERROR)
        self._kv.apply(ops)
        self._count_end(sequence, reason)
        finished = sequence.finish(reason, self._clock(), error)
        self._on_end(sequence.request.id)
        self._emit(sequence, finished)

    def _count_end(self, sequence: Sequence, reason: FinishReason) -> None:
        self.counters.finished += 1
        self.counters.cancelled += reason is FinishReason.CANCELLED
        self.counters.errors += reason is FinishReason.ERROR
        if reason is not FinishReason.ERROR:
            self._outlook.learn(sequence)

    def _emit(self, sequence: Sequence, event: TokenEvent) -> None:
        try:
            sequence.emit(event)
        except Exception:
            logger.exception("the receiver of request %s failed; cancelling it", sequence.request.id)
            self.cancelled.add(sequence.request.id)

    def _look_out(self) -> None:
        now, changed = self._clock(), self._changed
        self._changed = False
        self._outlook.refresh(now, changed=changed, slowdown=self._slowdown)
        for sequence, queued in self._outlook.announcements(now):
            self._emit(sequence, queued)
