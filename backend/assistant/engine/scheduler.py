"""Which tokens go into the next step: pure policy, no model and no clock.

Every decoding sequence gets its row, then prompts are read in chunks, as many rows as the step curve allows. Requests
are admitted for the KV cells they need soon, not for all they might ever need; when cells run out, idle prefixes are
dropped, then the youngest sequence of the lowest priority goes back to the queue and is read again later. A model runs
one adapter at a time: sequences of different adapters take turns of several steps.
"""

from dataclasses import dataclass, field

from assistant.engine.drafts import Draft
from assistant.engine.model import KvCosts, KvOp, Span, Truncate
from assistant.engine.prefix_cache import PrefixCache
from assistant.engine.prefixes import SavedPrefixes
from assistant.engine.sequence import Sequence
from assistant.engine.speculation import allot
from assistant.engine.step_curve import StepCurve
from assistant.engine.waiting import WaitingQueue

MARGIN = 64
"""Cells kept for the answer of each running sequence at admission."""
WORTH_WAITING = 32
"""Tokens of a prefix that another sequence is reading, for which a newcomer waits rather than read them itself."""
TOGETHER_S = 0.5
"""Requests have come together when they arrived within so many seconds, and before the first token of any."""
ADAPTER_STEPS = 8
"""Steps in a row with one adapter while another waits: a change costs a new compute graph."""


@dataclass(slots=True)
class Counters:
    """What an engine has done since its start, over all its models."""

    steps: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    preemptions: int = 0
    cancelled: int = 0
    finished: int = 0
    errors: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    restored_tokens: int = 0


@dataclass(slots=True)
class Plan:
    """One step: cache operations, then the rows; ``sequences`` belong to ``spans`` one by one."""

    adapter: str | None = None
    ops: list[KvOp] = field(default_factory=list)
    sequences: list[Sequence] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(len(span.tokens) for span in self.spans)

    def add(self, sequence: Sequence, span: Span) -> None:
        self.sequences.append(sequence)
        self.spans.append(span)

    def leave_out(self, sequence: Sequence) -> None:
        place = self.sequences.index(sequence)
        del self.sequences[place], self.spans[place]


@dataclass(frozen=True, slots=True)
class _Rows:
    """A sequence's part in a step: so many of its outstanding tokens, and guesses of what comes after them."""

    sequence: Sequence
    count: int
    guesses: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        return self.count + len(self.guesses)


class Scheduler:
    """Queue, running sequences and cells of one model.

    ``drafts`` is the most guessed tokens in a step. ``costs`` of cells decide when idle prefixes leave; by default they
    stay until their cells are needed.
    """

    def __init__(
        self,
        *,
        n_seq_max: int,
        cells: int,
        curve: StepCurve,
        max_running: int | None = None,
        counters: Counters | None = None,
        saved: SavedPrefixes | None = None,
        drafts: int = 0,
        costs: KvCosts | None = None,
        limit: int | None = None,
    ) -> None:
        self.curve = curve
        self.cache = PrefixCache(n_seq_max, cells, saving=saved is not None, costs=costs)
        self.limit = limit or cells
        self._saved = saved
        self._drafts_max = drafts
        self._adapter: str | None = None
        self._adapter_steps = 0
        self.max_running = min(n_seq_max, max_running or n_seq_max)
        self.waiting = WaitingQueue()
        self.running: dict[str, Sequence] = {}
        self.counters = counters or Counters()
        self._step = 0

    def plan(self, now: float) -> Plan:
        """Admit what fits and choose the rows of the next step; empty when nothing runs."""
        plan = Plan()
        self._step += 1
        self._admit(now, plan.ops)
        if self.running:
            self.cache.drop_costly(plan.ops)
        chosen = self._choose(plan.ops)
        plan.adapter = self._adapter
        self.cache.make_room(sum(each.total for each in chosen), plan.ops)
        for each in chosen:
            plan.add(each.sequence, self._span(each))
        return plan

    def advance(self, plan: Plan) -> None:
        """The plan has been decoded: its tokens are in cells, and charged to their users."""
        for sequence, span in zip(plan.sequences, plan.spans, strict=True):
            certain = len(span.tokens) - span.drafted
            sequence.computed += certain
            sequence.last_step = self._step
            sequence.held.pieces += len(plan.spans) > 1
            self.cache.cells.extend(span.seq_id, len(span.tokens))
            self.waiting.charge(sequence.request.fairness_key, certain)

    def settle(self, sequence: Sequence, span: Span, accepted: int, ops: list[KvOp]) -> None:
        """Of the guesses in a span that has been decoded, the first ``accepted`` were right; forget the others."""
        if not span.drafted:
            return
        sequence.computed += accepted
        sequence.drafted += span.drafted
        sequence.accepted += accepted
        sequence.lookup.learn(span.drafted, accepted)
        self.counters.drafted_tokens += span.drafted
        self.counters.accepted_tokens += accepted
        self.waiting.charge(sequence.request.fairness_key, accepted)
        if accepted < span.drafted:
            self.cache.cells.truncate(span.seq_id, sequence.computed)
            ops.append(Truncate(span.seq_id, sequence.computed))

    def restart(self, seq_id: int, plan: Plan) -> None:
        """The model could not restore a sequence: it is empty, and reads its prompt from the next step on."""
        sequence = next(each for each in self.running.values() if each.seq_id == seq_id)
        self.cache.cells.truncate(seq_id, 0)
        sequence.restart()
        if sequence in plan.sequences:
            plan.leave_out(sequence)

    def shrink(self, ops: list[KvOp]) -> bool:
        """The model had no room although the ledger said so: free something. False: there is nothing to free."""
        if self.cache.drop_oldest(ops):
            return True
        if len(self.running) < 2:
            return False
        self._preempt(self._victim(), ops)
        return True

    def remove(self, sequence: Sequence, ops: list[KvOp], *, keep_cells: bool = True) -> None:
        """The request has finished. Its cells stay as an idle prefix unless their content is in doubt."""
        self.running.pop(sequence.request.id, None)
        self.waiting.leave(sequence)
        if sequence.seq_id is None:
            return
        if keep_cells:
            self.cache.release(sequence.seq_id, ops)
        else:
            self.cache.discard(sequence.seq_id, ops)
        sequence.seq_id = None

    def _admit(self, now: float, ops: list[KvOp]) -> None:
        if not self.waiting or self._is_full(now):
            return
        for sequence in self.waiting.in_order(now):
            if self._awaits_saved_prefix(sequence) or self._reads_same_prefix(sequence):
                continue
            while not self._fits(sequence):
                victim = self._victim() if self.running else None
                if victim is None or victim.urgency <= sequence.urgency:
                    return
                self._preempt(victim, ops)
            self.waiting.take(sequence)
            self._start(sequence, now, ops)

    def _is_full(self, now: float) -> bool:
        """Whether all places are taken by sequences that nobody who waits may push out."""
        if len(self.running) < self.max_running:
            return False
        return self._victim().urgency <= min(each.age(now) for each in self.waiting.all())

    def _start(self, sequence: Sequence, now: float, ops: list[KvOp]) -> None:
        stored = sequence.stored
        sequence.admit(*self.cache.acquire(sequence.held, ops, stored), now)
        sequence.stored = None
        if stored is not None:
            self.counters.restored_tokens += stored.length
        self.running[sequence.request.id] = sequence

    def _awaits_saved_prefix(self, sequence: Sequence) -> bool:
        """Whether a saved prefix that this one goes on from is being read from disk. Looks for one at first."""
        if self._saved is None:
            return False
        if not sequence.looked_up:
            sequence.looked_up = True
            sequence.stored = self._saved.match(sequence.held.owner, sequence.held.public, sequence.tokens)
        stored = sequence.stored
        if stored is None:
            return False
        match = self.cache.match(sequence.held)
        ready = None
        if self.cache.is_worth_restoring(stored, match.length if match else 0):
            ready = self._saved.fetch(stored.entry)
        if ready is None:
            sequence.stored = None
        return ready is False

    def _reads_same_prefix(self, sequence: Sequence) -> bool:
        """Whether a running sequence is about to have a prefix in cells that this one could share."""
        match = self.cache.match(sequence.held)
        have = max(match.length if match else 0, sequence.stored.length if sequence.stored else 0)
        for other in self.running.values():
            if other.outstanding > 1 and other.urgency <= sequence.urgency:
                soon = min(other.held.shared_with(sequence.held), len(sequence.tokens) - 1)
                if soon >= have + WORTH_WAITING and soon > other.computed:
                    return True
        return False

    def _fits(self, sequence: Sequence) -> bool:
        """Whether there is a place, and cells for the prompt and a margin beside what the running ones need soon."""
        if not self.running:
            return True
        if len(self.running) >= self.max_running or not self.cache.has_id:
            return False
        match = self.cache.match(sequence.held)
        shared = match.length if match and not match.idle and not sequence.stored else 0
        needed = len(sequence.tokens) - shared + min(MARGIN, sequence.tokens_left)
        if sequence.stored is not None:
            needed = max(needed, sequence.stored.size)
        promised = sum(each.outstanding + min(MARGIN, each.tokens_left) for each in self.running.values())
        return needed + promised <= self._obtainable()

    def _obtainable(self) -> int:
        return self.cache.cells.free + self.cache.cells.idle

    def _choose(self, ops: list[KvOp]) -> list[_Rows]:
        """Rows of each sequence, within the cells that can be had; preempts while there are too few."""
        while self.running:
            chosen = self._rows_by_curve(self._of_one_adapter(), self._obtainable())
            if chosen:
                self._adapter_steps += 1
                return chosen
            self._preempt(self._victim(), ops)
        return []

    def _of_one_adapter(self) -> list[Sequence]:
        """The running sequences whose adapter's turn it is."""
        waiting = {each.request.adapter: None for each in self.running.values()}
        if self._adapter not in waiting or (len(waiting) > 1 and self._adapter_steps >= ADAPTER_STEPS):
            order = list(waiting)
            place = order.index(self._adapter) + 1 if self._adapter in waiting else 0
            self._adapter, self._adapter_steps = order[place % len(order)], 0
        return [each for each in self.running.values() if each.request.adapter == self._adapter]

    def _rows_by_curve(self, sequences: list[Sequence], cells: int) -> list[_Rows]:
        """Decoding sequences, one row each, then prompts in rank order; empty when ``cells`` are too few."""
        decoding = [each for each in sequences if each.outstanding == 1]
        reading = sorted((each for each in sequences if each.outstanding > 1), key=lambda each: each.rank)
        if len(decoding) > cells or (cells < 1 and reading):
            return []
        if not reading:
            return self._decoding_rows(decoding, cells)
        chosen = [_Rows(each, 1) for each in decoding]
        wanted = min(sum(each.outstanding for each in reading), cells - len(decoding))
        together = _came_together(decoding, reading)
        left = self.curve.prefill_rows(len(decoding), wanted, together=together) if wanted else 0
        for sequence in reading:
            rows = min(left, sequence.outstanding)
            if rows:
                chosen.append(_Rows(sequence, rows))
            left -= rows
        return chosen

    def _decoding_rows(self, decoding: list[Sequence], cells: int) -> list[_Rows]:
        """As many streams as a step serves best, with guesses where all of them fit and it pays."""
        width = self.curve.decode_width(len(decoding))
        if width < len(decoding):
            decoding.sort(key=lambda each: (each.last_step, each.rank))
            return [_Rows(each, 1) for each in decoding[:width]]
        most = min(self._drafts_max, cells - len(decoding))
        drafts = [self._draft(each, most) for each in decoding]
        if not any(drafts):
            return [_Rows(each, 1) for each in decoding]
        counts = iter(allot(self.curve, len(decoding), [each for each in drafts if each], most))
        return [
            _Rows(each, 1, draft.tokens[: next(counts)] if draft else ())
            for each, draft in zip(decoding, drafts, strict=True)
        ]

    def _draft(self, sequence: Sequence, most: int) -> Draft | None:
        room = min(most, sequence.tokens_left - 1, self.limit - len(sequence.tokens) - 1)
        return sequence.lookup.draft(sequence.tokens, room) if room > 0 else None

    def _victim(self) -> Sequence:
        return max(self.running.values(), key=lambda each: each.rank)

    def _preempt(self, sequence: Sequence, ops: list[KvOp]) -> None:
        if sequence.seq_id is not None:
            self.cache.release(sequence.seq_id, ops)
        sequence.preempt()
        del self.running[sequence.request.id]
        self.waiting.put(sequence)
        self.counters.preemptions += 1

    @staticmethod
    def _span(rows: _Rows) -> Span:
        sequence = rows.sequence
        if sequence.seq_id is None:
            raise RuntimeError(f"request {sequence.request.id} runs without a sequence")
        start, end = sequence.computed, sequence.computed + rows.count
        last = end == len(sequence.tokens)
        tokens = [*sequence.tokens[start:end], *rows.guesses]
        return Span(sequence.seq_id, start, tokens, 1 + len(rows.guesses) if last else 0, len(rows.guesses))


def _came_together(decoding: list[Sequence], reading: list[Sequence]) -> bool:
    """Whether nobody who streams was here much before the oldest prompt being read, or streamed when that came."""
    oldest = min(each.submitted_at for each in reading)
    return all(
        each.submitted_at > oldest - TOGETHER_S and (each.first_token_at is None or each.first_token_at > oldest)
        for each in decoding
    )
