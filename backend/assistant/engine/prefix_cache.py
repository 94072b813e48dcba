"""Reuse of KV cells between prompts that start alike: pure policy over token ids.

A sequence whose request has ended keeps its cells and its tokens until they are needed elsewhere. A new prompt goes on
from the sequence, idle or live, that shares its longest prefix: an idle one is taken over and truncated when little of
it would be lost; otherwise its prefix is shared with a fresh sequence, which costs no cells. What has to go is saved
first, where there is somewhere to save it. Prefixes are shared within an owner's scope, public ones with everybody.
"""

from dataclasses import dataclass, field

from assistant.engine.cells import CellLedger
from assistant.engine.model import Copy, KvCosts, KvOp, Owner, Restore, Save, Truncate
from assistant.engine.prefixes import Stored, common_prefix, shareable

PATIENCE = 16
"""Steps for which an idle prefix stays whatever it costs: a keystroke follows the one before it."""
LEAST_CUT = 32
LEAST_PREFIX = 16
LEAST_SAVED = 64
"""Cells cut off at once, what is still worth keeping, and what is worth saving."""


@dataclass(slots=True)
class Held:
    """The tokens of a prompt and its answer, and who may share them. ``tokens`` may grow.

    Its cells lie in so many ``pieces``, or fewer. An idle one has not been used ``since`` this step.
    """

    tokens: list[int]
    owner: Owner = field(default_factory=Owner)
    public: int = 0
    pieces: int = 1
    since: int = 0
    saved: bool = False

    def shared_with(self, other: "Held") -> int:
        """How many leading tokens are the same and may be shared."""
        most = shareable(self.owner, self.public, other.owner, other.public)
        return min(common_prefix(self.tokens, other.tokens), most) if most else 0


@dataclass(frozen=True, slots=True)
class Match:
    """``length`` leading tokens of a prompt are in the cells of ``seq_id``."""

    seq_id: int
    length: int
    idle: bool


class PrefixCache:
    """Hands out sequence ids with whatever prefix is already there, and takes them back."""

    def __init__(self, n_seq_max: int, cells: int, *, saving: bool = False, costs: KvCosts | None = None) -> None:
        self.cells = CellLedger(cells)
        self._saving = saving
        self._costs = costs or KvCosts()
        self._free_ids = list(range(n_seq_max - 1, -1, -1))
        self._live: dict[int, Held] = {}
        self._idle: dict[int, Held] = {}
        """The one used longest ago first."""
        self._steps = 0

    @property
    def idle_count(self) -> int:
        return len(self._idle)

    @property
    def has_id(self) -> bool:
        """A sequence id is free or can be made free by dropping an idle prefix."""
        return bool(self._free_ids or self._idle)

    def match(self, prompt: Held) -> Match | None:
        """The longest prefix in any sequence's cells. One token is left over, because its logits are needed."""
        best: Match | None = None
        limit = len(prompt.tokens) - 1
        for seq_id, held in (*self._live.items(), *self._idle.items()):
            length = min(held.shared_with(prompt), limit, self.cells.length(seq_id))
            idle = seq_id in self._idle
            if length and (best is None or (length, idle) > (best.length, best.idle)):
                best = Match(seq_id, length, idle)
        return best

    def present(self) -> tuple[tuple[Held, int], ...]:
        """What is in cells now and how much of it, to be read by other threads: each may since have lost its end."""
        every = (*self._live.items(), *self._idle.items())
        return tuple([(held, self.cells.length(seq_id)) for seq_id, held in every])

    def is_worth_restoring(self, stored: Stored, have: int) -> bool:
        """Whether a saved prefix fits, and has clearly more of a prompt than the ``have`` tokens that are in cells."""
        return stored.length >= have + LEAST_SAVED and stored.size <= self.cells.total

    def acquire(self, prompt: Held, ops: list[KvOp], stored: Stored | None = None) -> tuple[int, int]:
        """A live sequence for a prompt and how many of its tokens its cells hold already.

        ``prompt.tokens`` is kept by reference: the caller appends to it. ``stored`` is a saved prefix that is longer
        than any in the cells; there is room for it. Call only when ``has_id``.
        """
        match = self.match(prompt)
        prompt.pieces = 1
        if stored is not None:
            seq_id = self._restored(stored, ops)
        elif match is not None and match.idle and self._better_taken(match):
            prompt.pieces = self._idle[match.seq_id].pieces
            seq_id = self._take(match, ops)
        else:
            seq_id = self._fresh(match, ops)
        self._live[seq_id] = prompt
        return seq_id, self.cells.length(seq_id)

    def release(self, seq_id: int, ops: list[KvOp]) -> None:
        """The sequence's request has ended or is preempted; what its cells hold stays as an idle prefix."""
        live, length = self._live[seq_id], self.cells.length(seq_id)
        tokens = live.tokens[:length]
        same = {each: held for each, held in self._idle.items() if held.owner == live.owner}
        if length == 0 or any(held.tokens[:length] == tokens for held in same.values()):
            self.discard(seq_id, ops)
            return
        for other in [each for each, held in same.items() if held.tokens == tokens[: len(held.tokens)]]:
            del self._idle[other]
            self._empty(other, ops)
        del self._live[seq_id]
        self.cells.release(seq_id)
        self._idle[seq_id] = Held(tokens, live.owner, min(live.public, length), live.pieces, self._steps)

    def discard(self, seq_id: int, ops: list[KvOp]) -> None:
        """Forget a live sequence and its cells."""
        del self._live[seq_id]
        self._empty(seq_id, ops)

    def drop_costly(self, ops: list[KvOp]) -> None:
        """A step begins: drop an idle prefix that has slowed steps down for as long as it takes to move it."""
        self._steps += 1
        if self._costs.held > 0:
            due = (seq_id for seq_id, held in self._idle.items() if self._is_worth_moving(seq_id, held))
            self._drop(next(due, None), ops)

    def drop_oldest(self, ops: list[KvOp], keep: int | None = None) -> bool:
        """Drop the idle prefix that was used longest ago. False: there is none but ``keep``."""
        return self._drop(next((each for each in self._idle if each != keep), None), ops)

    def shrink_oldest(self, cells: int, ops: list[KvOp]) -> bool:
        """Cut ``cells`` cells or a few more off the idle prefix that was used longest ago. False: there is none.

        The head of a prefix is what others most likely share, so the tail goes first.
        """
        if not self._idle:
            return False
        seq_id = next(iter(self._idle))
        kept = self.cells.length(seq_id) - max(cells, LEAST_CUT)
        if kept < LEAST_PREFIX:
            return self.drop_oldest(ops)
        self._save(seq_id, ops)
        self.cells.truncate(seq_id, kept)
        held = self._idle[seq_id]
        del held.tokens[kept:]
        held.public = min(held.public, kept)
        ops.append(Truncate(seq_id, kept))
        return True

    def make_room(self, cells: int, ops: list[KvOp]) -> bool:
        """Shrink idle prefixes until so many cells are free. False: there are not so many."""
        while (lacking := cells - self.cells.free) > 0:
            if not self.shrink_oldest(lacking, ops):
                return False
        return True

    def save_one(self, ops: list[KvOp]) -> bool:
        """Save the idle prefix that was used last and is not saved yet. False: there is none."""
        return any(self._save(seq_id, ops) for seq_id in reversed(self._idle))

    def _is_worth_moving(self, seq_id: int, held: Held) -> bool:
        steps, cells = self._steps - held.since, self.cells.length(seq_id)
        if steps <= PATIENCE:
            return False
        moving_s = cells * self._costs.moved + (0 if held.saved else held.pieces * self._costs.pieces)
        return len(held.tokens) < LEAST_SAVED or steps * cells * self._costs.held > moving_s

    def _drop(self, seq_id: int | None, ops: list[KvOp]) -> bool:
        if seq_id is None:
            return False
        self._save(seq_id, ops)
        del self._idle[seq_id]
        self._empty(seq_id, ops)
        return True

    def _save(self, seq_id: int, ops: list[KvOp]) -> bool:
        held = self._idle[seq_id]
        if not self._saving or held.saved or len(held.tokens) < LEAST_SAVED:
            return False
        held.saved = True
        ops.append(Save(seq_id, held.owner, held.public, tuple(held.tokens)))
        return True

    def _better_taken(self, match: Match) -> bool:
        """Whether an idle sequence is continued rather than shared: little is lost, or no other id is to be had."""
        held = len(self._idle[match.seq_id].tokens)
        return match.length * 2 >= held or not (self._free_ids or len(self._idle) > 1)

    def _take(self, match: Match, ops: list[KvOp]) -> int:
        lost = self.cells.length(match.seq_id) - match.length
        if lost >= LEAST_SAVED:
            self._save(match.seq_id, ops)
        if lost:
            self.cells.truncate(match.seq_id, match.length)
            ops.append(Truncate(match.seq_id, match.length))
        del self._idle[match.seq_id]
        self.cells.revive(match.seq_id)
        return match.seq_id

    def _restored(self, stored: Stored, ops: list[KvOp]) -> int:
        seq_id = self._open(None, ops)
        self.make_room(stored.size, ops)
        self.cells.extend(seq_id, stored.size)
        ops.append(Restore(seq_id, stored.entry))
        if stored.length < stored.size:
            self.cells.truncate(seq_id, stored.length)
            ops.append(Truncate(seq_id, stored.length))
        return seq_id

    def _fresh(self, match: Match | None, ops: list[KvOp]) -> int:
        seq_id = self._open(match.seq_id if match else None, ops)
        if match is not None:
            self.cells.share(match.seq_id, seq_id, match.length)
            ops.append(Copy(match.seq_id, seq_id, match.length))
            if match.idle:
                held = self._idle[match.seq_id] = self._idle.pop(match.seq_id)
                held.since = self._steps
        return seq_id

    def _open(self, keep: int | None, ops: list[KvOp]) -> int:
        if not self._free_ids:
            self.drop_oldest(ops, keep=keep)
        seq_id = self._free_ids.pop()
        self.cells.open(seq_id)
        return seq_id

    def _empty(self, seq_id: int, ops: list[KvOp]) -> None:
        self.cells.drop(seq_id)
        self._free_ids.append(seq_id)
        ops.append(Truncate(seq_id, 0))
