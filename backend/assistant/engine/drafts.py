"""Guesses of what a sequence writes next, copied from what it has read or written before: prompt lookup.

Source: Saxena 2023, "Prompt Lookup Decoding". A guess is checked by the model itself: each token is sampled from its
own logits, and guesses are kept as far as they agree with what was sampled. So the distribution of the output is that
of decoding without guesses (Leviathan et al. 2023, with a draft that is certain).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

NGRAM = 3
MOST_PLACES = 8
LONGEST_MATCH = 32
"""Tokens that have to agree, places remembered for each of them, and how far back an agreement is followed."""
MEMORY = 0.98
"""What one more guessed token leaves of the weight of those before it."""
RESUMED = 4
"""Tokens that have to agree before one that was changed, for a copy to count as the same one."""
LEAST_ALIKE = 8
"""Tokens that have to agree for a copy to count as going on although the last ones differ."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Guessed tokens, and the probability that each is right if those before it are."""

    tokens: tuple[int, ...]
    chance: float


class PromptLookup:
    """The n-grams of one sequence, and how well guesses from them have fared."""

    def __init__(self) -> None:
        self._places: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        self._indexed = 0
        self._hits = 0.0
        self._misses = 0.0
        self._offset = 0
        """How far behind the end the last guess was taken from."""

    def draft(self, tokens: Sequence[int], most: int) -> Draft | None:
        """What may come after ``tokens``, at most ``most`` of it; None when nothing like their end was there before."""
        self._index(tokens)
        source, agreed = self._best_source(tokens)
        if source is None:
            source, agreed = self._after_a_change(tokens)
        if source is None or most < 1:
            return None
        self._offset = len(tokens) - source
        guess = tuple(tokens[source : source + most])
        chance = (self._hits + agreed) / (self._hits + agreed + self._misses + 1)
        return Draft(guess, chance) if guess else None

    def learn(self, guessed: int, accepted: int) -> None:
        """A guess of so many tokens has been checked."""
        kept = MEMORY**guessed
        self._hits = self._hits * kept + accepted
        self._misses = self._misses * kept + (accepted < guessed)

    def _index(self, tokens: Sequence[int]) -> None:
        """Remember where each n-gram was followed by something."""
        for end in range(max(self._indexed, NGRAM), len(tokens)):
            places = self._places[tuple(tokens[end - NGRAM : end])]
            places.append(end)
            if len(places) > MOST_PLACES:
                del places[0]
        self._indexed = max(self._indexed, len(tokens))

    def _best_source(self, tokens: Sequence[int]) -> tuple[int | None, int]:
        """The place whose past agrees longest with the end of ``tokens``; of equal ones, the latest."""
        best: tuple[int | None, int] = (None, 0)
        for place in self._places.get(tuple(tokens[-NGRAM:]), ()):
            agreed = _agreement(tokens, place)
            if agreed >= best[1]:
                best = (place, agreed)
        return best

    def _after_a_change(self, tokens: Sequence[int]) -> tuple[int | None, int]:
        """Where a copy goes on that has just been left for a token or two: at the same distance as before."""
        place = len(tokens) - self._offset
        agreed = _agreement(tokens, place) if self._offset else 0
        return (place, agreed) if agreed >= LEAST_ALIKE else (None, 0)


def _agreement(tokens: Sequence[int], place: int) -> int:
    """How many tokens before ``place`` are the same as at the end of ``tokens``, over single ones that were changed."""
    end, most = len(tokens), min(place, LONGEST_MATCH)
    agreed = back = 0
    while back < most:
        back += 1
        if tokens[place - back] == tokens[end - back]:
            agreed += 1
        elif not _alike(tokens, place - back, end - back, RESUMED):
            break
    return agreed


def _alike(tokens: Sequence[int], one: int, other: int, count: int) -> bool:
    """Whether the ``count`` tokens before two places are the same."""
    return one >= count and tokens[one - count : one] == tokens[other - count : other]


def expected(chance: float, guesses: int) -> float:
    """Guesses that will be right on average: each counts only if all before it are right."""
    return guesses if chance >= 1 else chance * (1 - chance**guesses) / (1 - chance)
