"""Reuse of KV cells between prompts that start alike: pure policy over token ids.

A sequence whose request has ended keeps its cells and its tokens until they are needed elsewhere. A new prompt goes on
from the sequence, idle or live, that shares its longest prefix: an idle one is taken over and truncated when little of
it would be lost; otherwise its prefix is shared with a fresh sequence, which costs no cells.
Not covered: scoping by tenant; moving cells to RAM or disk.
"""

from collections.abc import Sequence as Tokens
from dataclasses import dataclass

from assistant.engine.cells import CellLedger
from assistant.engine.model import Copy, KvOp, Truncate

LEAST_CUT = 32
LEAST_PREFIX = 16
"""Cells cut off at once, and what is still worth keeping."""


@dataclass(frozen=True, slots=True)
class Match:
    """``length`` leading tokens of a prompt are in the cells of ``seq_id``."""

    seq_id: int
    length: int
    idle: bool


@dataclass(slots=True)
class _Idle:
    tokens: list[int]
    used: int


def common_prefix(a: Tokens[int], b: Tokens[int]) -> int:
    """How many leading tokens two lists share; bisection, so that the comparing is done in C."""
    low, high = 0, min(len(a), len(b))
    if high and a[0] != b[0]:
        return 0
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


class PrefixCache:
    """Hands out sequence ids with whatever prefix is already there, and takes them back."""

    def __init__(self, n_seq_max: int, cells: int) -> None:
        self.cells = CellLedger(cells)
        self._free_ids = list(range(n_seq_max - 1, -1, -1))
        self._live: dict[int, list[int]] = {}
        self._idle: dict[int, _Idle] = {}
        self._clock = 0

    @property
    def idle_count(self) -> int:
        return len(self._idle)

    @property
    def has_id(self) -> bool:
        """A sequence id is free or can be made free by dropping an idle prefix."""
        return bool(self._free_ids or self._idle)

    def match(self, tokens: list[int]) -> Match | None:
        """The longest prefix in any sequence's cells. One token is left over, because its logits are needed."""
        best: Match | None = None
        limit = len(tokens) - 1
        for seq_id, held in self._candidates():
            length = min(common_prefix(held, tokens), limit, self.cells.length(seq_id))
            idle = seq_id in self._idle
            if length and (best is None or (length, idle) > (best.length, best.idle)):
                best = Match(seq_id, length, idle)
        return best

    def acquire(self, tokens: list[int], ops: list[KvOp]) -> tuple[int, int]:
        """A live sequence for ``tokens`` and how many of them its cells hold already.

        ``tokens`` is kept by reference: the caller appends to it. Call only when ``has_id``.
        """
        match = self.match(tokens)
        if match is not None and match.idle and self._better_taken(match):
            seq_id = self._take(match, ops)
        else:
            seq_id = self._fresh(match, ops)
        self._live[seq_id] = tokens
        return seq_id, self.cells.length(seq_id)

    def release(self, seq_id: int, ops: list[KvOp]) -> None:
        """The sequence's request has ended or is preempted; what its cells hold stays as an idle prefix."""
        length = self.cells.length(seq_id)
        tokens = self._live[seq_id][:length]
        if length == 0 or any(held.tokens[:length] == tokens for held in self._idle.values()):
            self.discard(seq_id, ops)
            return
        for other in [each for each, held in self._idle.items() if held.tokens == tokens[: len(held.tokens)]]:
            del self._idle[other]
            self._empty(other, ops)
        del self._live[seq_id]
        self.cells.release(seq_id)
        self._idle[seq_id] = _Idle(tokens, self._tick())

    def discard(self, seq_id: int, ops: list[KvOp]) -> None:
        """Forget a live sequence and its cells."""
        del self._live[seq_id]
        self._empty(seq_id, ops)

    def drop_oldest(self, ops: list[KvOp], keep: int | None = None) -> bool:
        """Drop the idle prefix that was used longest ago. False: there is none but ``keep``."""
        choices = [seq_id for seq_id in self._idle if seq_id != keep]
        if not choices:
            return False
        seq_id = min(choices, key=lambda each: self._idle[each].used)
        del self._idle[seq_id]
        self._empty(seq_id, ops)
        return True

    def shrink_oldest(self, cells: int, ops: list[KvOp]) -> bool:
        """Cut ``cells`` cells or a few more off the idle prefix that was used longest ago. False: there is none.

        The head of a prefix is what others most likely share, so the tail goes first.
        """
        if not self._idle:
            return False
        seq_id = min(self._idle, key=lambda each: self._idle[each].used)
        kept = self.cells.length(seq_id) - max(cells, LEAST_CUT)
        if kept < LEAST_PREFIX:
            return self.drop_oldest(ops)
        self.cells.truncate(seq_id, kept)
        del self._idle[seq_id].tokens[kept:]
        ops.append(Truncate(seq_id, kept))
        return True

    def _candidates(self) -> list[tuple[int, list[int]]]:
        return [*self._live.items(), *((seq_id, held.tokens) for seq_id, held in self._idle.items())]

    def _better_taken(self, match: Match) -> bool:
        """Whether an idle sequence is continued rather than shared: little is lost, or no other id is to be had."""
        held = len(self._idle[match.seq_id].tokens)
        return match.length * 2 >= held or not (self._free_ids or len(self._idle) > 1)

    def _take(self, match: Match, ops: list[KvOp]) -> int:
        del self._idle[match.seq_id]
        if match.length < self.cells.length(match.seq_id):
            self.cells.truncate(match.seq_id, match.length)
            ops.append(Truncate(match.seq_id, match.length))
        self.cells.revive(match.seq_id)
        return match.seq_id

    def _fresh(self, match: Match | None, ops: list[KvOp]) -> int:
        if not self._free_ids:
            self.drop_oldest(ops, keep=match.seq_id if match else None)
        seq_id = self._free_ids.pop()
        self.cells.open(seq_id)
        if match is not None:
            self.cells.share(match.seq_id, seq_id, match.length)
            ops.append(Copy(match.seq_id, seq_id, match.length))
            if match.idle:
                self._idle[match.seq_id].used = self._tick()
        return seq_id

    def _empty(self, seq_id: int, ops: list[KvOp]) -> None:
        self.cells.drop(seq_id)
        self._free_ids.append(seq_id)
        ops.append(Truncate(seq_id, 0))

    def _tick(self) -> int:
        self._clock += 1
        return self._clock
