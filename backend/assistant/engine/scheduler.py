"""Which tokens go into the next step: pure policy, no model and no clock.

Every decoding sequence gets its row, then prompts are read in chunks, as many rows as the step curve allows. Requests
are admitted for the KV cells they need soon, not for all they might ever need; when cells run out, idle prefixes are
dropped, then the youngest sequence of the lowest priority goes back to the queue and is read again later.
"""

from dataclasses import dataclass, field

from assistant.engine.model import KvOp, Span
from assistant.engine.prefix_cache import PrefixCache, common_prefix
from assistant.engine.sequence import Sequence
from assistant.engine.step_curve import StepCurve
from assistant.engine.waiting import WaitingQueue

MARGIN = 64
"""Cells kept for the answer of each running sequence at admission."""
WORTH_WAITING = 32
"""Tokens of a prefix that another sequence is reading, for which a newcomer waits rather than read them itself."""


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


@dataclass(slots=True)
class Plan:
    """One step: cache operations, then the rows; ``sequences`` belong to ``spans`` one by one."""

    ops: list[KvOp] = field(default_factory=list)
    sequences: list[Sequence] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return sum(len(span.tokens) for span in self.spans)


class Scheduler:
    """Queue, running sequences and cells of one model."""

    def __init__(
        self,
        *,
        n_seq_max: int,
        cells: int,
        curve: StepCurve,
        max_running: int | None = None,
        counters: Counters | None = None,
    ) -> None:
        self.curve = curve
        self.cache = PrefixCache(n_seq_max, cells)
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
        chosen = self._choose(plan.ops)
        self._make_room(sum(rows for _, rows in chosen), plan.ops)
        for sequence, rows in chosen:
            plan.sequences.append(sequence)
            plan.spans.append(self._span(sequence, rows))
        return plan

    def advance(self, plan: Plan) -> None:
        """The plan has been decoded: its tokens are in cells, and charged to their users."""
        for sequence, span in zip(plan.sequences, plan.spans, strict=True):
            sequence.computed += len(span.tokens)
            sequence.last_step = self._step
            self.cache.cells.extend(span.seq_id, len(span.tokens))
            self.waiting.charge(sequence.request.fairness_key, len(span.tokens))

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
        if not self.waiting:
            return
        for sequence in self.waiting.in_order(now):
            if self._reads_same_prefix(sequence):
                continue
            while not self._fits(sequence):
                victim = self._victim() if self.running else None
                if victim is None or victim.urgency <= sequence.urgency:
                    return
                self._preempt(victim, ops)
            self.waiting.take(sequence)
            sequence.admit(*self.cache.acquire(sequence.tokens, ops), now)
            self.running[sequence.request.id] = sequence

    def _reads_same_prefix(self, sequence: Sequence) -> bool:
        """Whether a running sequence is about to have a prefix in cells that this one could share."""
        match = self.cache.match(sequence.tokens)
        have = match.length if match else 0
        for other in self.running.values():
            if other.outstanding > 1 and other.urgency <= sequence.urgency:
                soon = min(common_prefix(other.tokens, sequence.tokens), len(sequence.tokens) - 1)
                if soon >= have + WORTH_WAITING and soon > other.computed:
                    return True
        return False

    def _fits(self, sequence: Sequence) -> bool:
        """Whether there is a place, and cells for the prompt and a margin beside what the running ones need soon."""
        if not self.running:
            return True
        if len(self.running) >= self.max_running or not self.cache.has_id:
            return False
        match = self.cache.match(sequence.tokens)
        shared = match.length if match and not match.idle else 0
        needed = len(sequence.tokens) - shared + min(MARGIN, sequence.tokens_left)
        promised = sum(each.outstanding + min(MARGIN, each.tokens_left) for each in self.running.values())
        return needed + promised <= self._obtainable()

    def _obtainable(self) -> int:
        return self.cache.cells.free + self.cache.cells.idle

    def _choose(self, ops: list[KvOp]) -> list[tuple[Sequence, int]]:
        """Rows of each sequence, within the cells that can be had; preempts while there are too few."""
        while self.running:
            chosen = self._rows_by_curve(self._obtainable())
            if chosen:
                return chosen
            self._preempt(self._victim(), ops)
        return []

    def _rows_by_curve(self, cells: int) -> list[tuple[Sequence, int]]:
        """Decoding sequences, one row each, then prompts in rank order; empty when ``cells`` are too few."""
        decoding = [each for each in self.running.values() if each.outstanding == 1]
        reading = sorted((each for each in self.running.values() if each.outstanding > 1), key=lambda each: each.rank)
        if len(decoding) > cells or (cells < 1 and reading):
            return []
        if not reading:
            decoding.sort(key=lambda each: (each.last_step, each.rank))
            return [(each, 1) for each in decoding[: self.curve.decode_width(len(decoding))]]
        wanted = min(sum(each.outstanding for each in reading), cells - len(decoding))
        chosen = [(each, 1) for each in decoding]
        left = self.curve.prefill_rows(len(decoding), wanted) if wanted else 0
        for sequence in reading:
            rows = min(left, sequence.outstanding)
            if rows:
                chosen.append((sequence, rows))
            left -= rows
        return chosen

    def _make_room(self, rows: int, ops: list[KvOp]) -> None:
        while (lacking := rows - self.cache.cells.free) > 0 and self.cache.shrink_oldest(lacking, ops):
            pass

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
    def _span(sequence: Sequence, rows: int) -> Span:
        if sequence.seq_id is None:
            raise RuntimeError(f"request {sequence.request.id} runs without a sequence")
        start = sequence.computed
        last = start + rows == len(sequence.tokens)
        return Span(sequence.seq_id, start, sequence.tokens[start : start + rows], last)
