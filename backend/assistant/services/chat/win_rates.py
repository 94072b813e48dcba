"""How often one model's answer was preferred to another's, with what chance alone would allow."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from codellama_core.models import Comparison, Vote

Z_95: Final = 1.959964
"""The normal distribution's 97.5 % quantile."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Votes between two models, seen from ``model``'s side: it has won at least as often as it has lost."""

    model: str
    opponent: str
    wins: int
    losses: int
    ties: int
    both_bad: int

    @property
    def rate(self) -> float | None:
        """Wins among the votes that preferred one; None where there are none."""
        decided = self.wins + self.losses
        return self.wins / decided if decided else None

    @property
    def interval(self) -> tuple[float, float] | None:
        decided = self.wins + self.losses
        return wilson(self.wins, decided) if decided else None


def wilson(wins: int, votes: int, z: float = Z_95) -> tuple[float, float]:
    """The score interval of a share, by default at 95 %; ``votes`` is at least 1.

    Unlike the usual share ± z·s it holds for few votes and near 0 and 1, and never leaves them. Source: E. B. Wilson,
    "Probable inference, the law of succession, and statistical inference", JASA 22 (1927) 209-212. Not covered: votes
    of one person that depend on each other.
    """
    share = wins / votes
    scale = 1 + z * z / votes
    middle = (share + z * z / (2 * votes)) / scale
    half = z * sqrt(share * (1 - share) / votes + z * z / (4 * votes * votes)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


async def standings(session: AsyncSession) -> list[Standing]:
    """Every pair of models that has been voted on, the one with the most votes first."""
    counts = select(Comparison.left_model, Comparison.right_model, Comparison.vote, func.count())
    query = counts.where(Comparison.vote.is_not(None)).group_by(
        Comparison.left_model, Comparison.right_model, Comparison.vote
    )
    return _standings([row._tuple() for row in (await session.execute(query)).all()])


def _standings(rows: Sequence[tuple[str, str, Vote | None, int]]) -> list[Standing]:
    votes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for left, right, vote, count in rows:
        pair = (min(left, right), max(left, right))
        preferred = {Vote.LEFT: left, Vote.RIGHT: right}.get(vote) if vote is not None else None
        votes[pair][str(vote) if preferred is None else _PLACES[pair.index(preferred)]] += count
    found = [_standing(*pair, counted) for pair, counted in votes.items()]
    return sorted(found, key=lambda each: -(each.wins + each.losses + each.ties + each.both_bad))


def _standing(one: str, other: str, counted: Counter[str]) -> Standing:
    wins, losses = (counted[place] for place in _PLACES)
    if wins < losses:
        one, other, wins, losses = other, one, losses, wins
    return Standing(one, other, wins, losses, counted[Vote.TIE], counted[Vote.BAD])


_PLACES: Final = ("first", "second")
