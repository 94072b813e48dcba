"""One model with its queue, its running sequences and its cache; the engine thread steps it."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from assistant.engine.forecast import Load, Work, predict_wait, predict_waits
from assistant.engine.model import KvOp, Model, Span, Truncate
from assistant.engine.scheduler import Counters, Plan, Scheduler
from assistant.engine.sequence import Sequence
from assistant.engine.step_curve import StepCurve, measure
from assistant.engine.types import (
    FinishReason,
    GenerateRequest,
    InvalidRequestError,
    Prefill,
    PromptTooLongError,
    Queued,
    QueueFullError,
    Token,
    TokenEvent,
)

logger = logging.getLogger(__name__)
ANNOUNCE_S = 0.5
"""How often waiting requests hear of their position when nothing changes."""

MOST_REFUSALS = 3
"""Steps in a row without a KV slot after which a sequence that runs alone is given up."""


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Limits of the engine. ``max_running`` None is as many as the model has sequences; ``step_s`` None is measured."""

    queue_max: int = 256
    queue_max_wait_s: float = 120.0
    max_running: int | None = None
    step_s: float | None = None


class Lane:
    """Steps one model. ``inbox`` and ``cancelled`` are filled by other threads, everything else is the engine thread's.

    ``on_end`` is called with the id of each request after its last event.
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
    ) -> None:
        self.key = key
        self.model = model
        self.curve = curve
        self.limit = min(model.n_ctx, model.n_ctx_train)
        self.inbox: deque[Sequence] = deque()
        self.cancelled: set[str] = set()
        self.retired: threading.Event | None = None
        self.counters = counters
        self.last_step_rows = 0
        self.last_step_s = 0.0
        self.scheduler = Scheduler(
            n_seq_max=model.n_seq_max,
            cells=model.n_ctx,
            curve=curve,
            max_running=options.max_running,
            counters=counters,
        )
        self.load = Load(slots=self.scheduler.max_running, prefill_s=curve.prefill_s, round_s=curve.round_s(1))
        self._options = options
        self._clock = clock
        self._on_end = on_end
        self._sequences: dict[str, Sequence] = {}
        self._plan: Plan | None = None
        self._completion = 0.5
        self._refusals = 0
        self._announced_at = 0.0
        self._arrivals = False

    @property
    def busy(self) -> bool:
        return bool(self.inbox or self._sequences)

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
        if len(tokens) > self.limit - 1:
            raise PromptTooLongError(len(tokens), self.limit - 1)

    def check_queue(self, request: GenerateRequest) -> None:
        """Raise QueueFullError if the request would wait too long. Any thread."""
        ahead = [self._work(each) for each in tuple(self.inbox)]
        mine = Work(len(request.tokens), request.max_tokens * self._completion, request.priority)
        wait_s = predict_wait(self.load, ahead, mine)
        if self.queue_depth >= self._options.queue_max:
            raise QueueFullError(max(1.0, wait_s / max(self.queue_depth, 1)))
        if wait_s > self._options.queue_max_wait_s:
            raise QueueFullError(max(1.0, wait_s - self._options.queue_max_wait_s))

    def predicted_wait(self) -> float:
        """Seconds that a chat request of average size would wait. Any thread."""
        ahead = [self._work(each) for each in tuple(self.inbox)]
        return predict_wait(self.load, ahead, Work(0, 0.0, priority=1))

    def step(self) -> None:
        """One turn: take what has come, reap what was cancelled, then plan, decode, sample and tell."""
        self._take_inbox()
        self._reap_cancelled()
        plan = self._plan_step()
        if plan.spans and self._decode(plan):
            self._sample(plan)
        self._publish_load()
        self._announce()

    def fail_step(self, error: str) -> None:
        """A step has raised: its requests end with an error, the others go on."""
        affected = self._plan.sequences if self._plan else list(self._sequences.values())
        self._plan = None
        for sequence in affected:
            if sequence.request.id in self._sequences:
                self._finish(sequence, FinishReason.ERROR, error)
        self._publish_load()

    def fail_all(self, error: str) -> None:
        """End every request with an error, also those not taken from the inbox yet."""
        self._take_inbox()
        for sequence in list(self._sequences.values()):
            self._finish(sequence, FinishReason.ERROR, error)

    def close(self) -> None:
        """Free the model. Only when nothing is left to do."""
        self.model.close()

    def _take_inbox(self) -> None:
        while self.inbox:
            self._arrivals = True
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
        self._apply(plan.ops)
        for sequence in plan.sequences:
            if sequence.sampler is None:
                sequence.sampler = self.model.new_sampler(sequence.request.sampling, sequence.request.tokens)
                self.counters.prompt_tokens += len(sequence.request.tokens)
                self.counters.cached_tokens += sequence.cached
        return plan

    def _decode(self, plan: Plan) -> bool:
        began = self._clock()
        if not self.model.decode(plan.spans):
            self._out_of_cells(plan)
            return False
        self.last_step_rows, self.last_step_s = plan.rows, self._clock() - began
        self.curve.observe(self.last_step_rows, self.last_step_s)
        self.counters.steps += 1
        self._refusals = 0
        self.scheduler.advance(plan)
        return True

    def _out_of_cells(self, plan: Plan) -> None:
        logger.warning("no KV slot for %d rows although the ledger had room", plan.rows)
        ops: list[KvOp] = []
        self._refusals += 1
        if self.scheduler.shrink(ops) or self._refusals < MOST_REFUSALS:
            self._apply(ops)
            return
        for sequence in plan.sequences:
            self._finish(sequence, FinishReason.ERROR, "the context has no room for this request")

    def _sample(self, plan: Plan) -> None:
        row = -1
        for sequence, span in zip(plan.sequences, plan.spans, strict=True):
            row += len(span.tokens)
            if sequence.generated == 0:
                self._emit(sequence, Prefill(sequence.computed, len(sequence.request.tokens)))
            if span.logits:
                self._next_token(sequence, row)

    def _next_token(self, sequence: Sequence, row: int) -> None:
        request = sequence.request
        if sequence.sampler is None or sequence.tokens_left <= 0:
            self._finish(sequence, FinishReason.LENGTH)
            return
        token = sequence.sampler.sample(row)
        if token in request.stop_tokens:
            self._finish(sequence, FinishReason.STOP)
            return
        sequence.append(token, self._clock())
        self.counters.generated_tokens += 1
        self._emit(sequence, Token(token))
        if sequence.tokens_left <= 0 or len(sequence.tokens) >= self.limit:
            self._finish(sequence, FinishReason.LENGTH)

    def _finish(self, sequence: Sequence, reason: FinishReason, error: str | None = None) -> None:
        del self._sequences[sequence.request.id]
        ops: list[KvOp] = []
        self.scheduler.remove(sequence, ops, keep_cells=reason is not FinishReason.ERROR)
        self._apply(ops)
        self._count_end(sequence, reason)
        finished = sequence.finish(reason, self._clock(), error)
        self._on_end(sequence.request.id)
        self._emit(sequence, finished)

    def _count_end(self, sequence: Sequence, reason: FinishReason) -> None:
        self.counters.finished += 1
        self.counters.cancelled += reason is FinishReason.CANCELLED
        self.counters.errors += reason is FinishReason.ERROR
        if reason is not FinishReason.ERROR and sequence.request.max_tokens:
            share = sequence.generated / sequence.request.max_tokens
            self._completion += 0.1 * (share - self._completion)

    def _emit(self, sequence: Sequence, event: TokenEvent) -> None:
        try:
            sequence.emit(event)
        except Exception:
            logger.exception("the receiver of request %s failed; cancelling it", sequence.request.id)
            self.cancelled.add(sequence.request.id)

    def _apply(self, ops: list[KvOp]) -> None:
        for op in ops:
            self.model.apply(op)

    def _announce(self) -> None:
        now = self._clock()
        if not self.scheduler.waiting or (now - self._announced_at < ANNOUNCE_S and not self._arrivals):
            return
        self._announced_at, self._arrivals = now, False
        order = self.scheduler.waiting.in_order(now)
        waits = predict_waits(self.load, [self._work(each) for each in order])
        for position, (sequence, wait_s) in enumerate(zip(order, waits, strict=True)):
            self._emit(sequence, Queued(position, wait_s))

    def _publish_load(self) -> None:
        running = self.scheduler.running.values()
        self.load = Load(
            running=tuple([self._work(each) for each in running]),
            waiting=tuple([self._work(each) for each in self.scheduler.waiting.all()]),
            slots=self._slots(),
            prefill_s=self.curve.prefill_s,
            round_s=self.curve.round_s(len(running)),
        )

    def _slots(self) -> int:
        """How many requests run at once: as many as now when some have to wait, else as many as cells suggest."""
        running = self.scheduler.running
        if self.scheduler.waiting or not running:
            return len(running) or self.scheduler.max_running
        cells = sum(len(each.tokens) + self._work(each).decode for each in running.values())
        return max(len(running), min(self.scheduler.max_running, int(self.model.n_ctx * len(running) / cells)))

    def _work(self, sequence: Sequence) -> Work:
        expected = max(sequence.request.max_tokens * self._completion - sequence.generated, 1.0)
        prefill = sequence.outstanding if sequence.outstanding > 1 else 0
        return Work(prefill, min(expected, sequence.tokens_left), sequence.request.priority)


def measure_curve(model: Model, clock: Callable[[], float], step_s: float | None = None) -> StepCurve:
    """The step curve of a model that is not in use yet; also its warm-up."""
    token = model.vocabulary.bos or 0
    most = min(model.n_batch, model.n_ctx)

    def run(rows: int) -> float:
        began = clock()
        model.decode([Span(0, 0, [token] * min(rows, most), True)])
        took = clock() - began
        model.apply(Truncate(0, 0))
        return took

    points = {rows: took for rows, took in measure(run).items() if rows <= most}
    logger.info("step curve: %s", {rows: f"{took * 1e3:.1f} ms" for rows, took in points.items()})
    return StepCurve(points, model.n_batch, step_s)
