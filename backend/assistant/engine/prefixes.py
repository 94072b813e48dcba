"""How much of a prompt is the same as another's, and how much of it may be shared."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from assistant.engine.model import Owner


@dataclass(frozen=True, slots=True)
class Stored:
    """``length`` leading tokens of a prompt are in the saved prefix ``entry``, which has ``size`` tokens."""

    entry: int
    length: int
    size: int


class SavedPrefixes(Protocol):
    """Prefixes that have been evicted from a model's cells and can be brought back."""

    def match(self, owner: Owner, public: int, tokens: Sequence[int]) -> Stored | None:
        """The longest one that a prompt may use."""
        ...

    def fetch(self, entry: int) -> bool | None:
        """Whether it can be restored now; False: soon, ask again; None: it is gone."""
        ...


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many leading tokens two lists, or two tuples, share.

    Slices of doubling length, then bisection, so that the comparing is done in C and ends soon where they differ soon.
    """
    low, high, step = 0, min(len(a), len(b)), 16
    while low < high:
        end = min(low + step, high)
        if a[low:end] != b[low:end]:
            high = end - 1
            break
        low, step = end, step * 2
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def shareable(one: Owner, one_public: int, other: Owner, other_public: int) -> int:
    """How many leading tokens two owners may share: all within a scope, public ones within an adapter."""
    if one == other:
        return sys.maxsize
    return min(one_public, other_public) if one.adapter == other.adapter else 0
