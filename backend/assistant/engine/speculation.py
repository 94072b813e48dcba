"""How many guessed tokens a step should check: as many as the step curve rewards, and none when it does not."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from assistant.engine.drafts import Draft, expected
from assistant.engine.step_curve import StepCurve

WORTHWHILE = 1.05
"""How much faster a step with guesses has to be, on average, to be taken."""


@dataclass(frozen=True, slots=True)
class Allotment:
    """Guesses for each sequence, in their order, and the tokens a second they promise."""

    guesses: tuple[int, ...]
    rate: float


def allot(curve: StepCurve, rows: int, drafts: Sequence[Draft], most: int) -> tuple[int, ...]:
    """How many tokens of each draft ride with ``rows`` decoding rows, at most ``most`` in all."""
    best = Allotment((0,) * len(drafts), rows / curve.seconds(rows) * WORTHWHILE)
    for total in curve.totals:
        if total > rows:
            best = max(best, _with(curve, rows, drafts, min(total - rows, most)), key=lambda each: each.rate)
    return best.guesses


def _with(curve: StepCurve, rows: int, drafts: Sequence[Draft], count: int) -> Allotment:
    """The ``count`` guesses that are most likely right."""
    guesses = [0] * len(drafts)
    likely = [(-draft.chance, number) for number, draft in enumerate(drafts)]
    heapq.heapify(likely)
    for _ in range(count):
        if not likely:
            break
        chance, number = heapq.heappop(likely)
        guesses[number] += 1
        if guesses[number] < len(drafts[number].tokens):
            heapq.heappush(likely, (chance * drafts[number].chance, number))
    gain = sum(expected(draft.chance, guessed) for draft, guessed in zip(drafts, guesses, strict=True))
    return Allotment(tuple(guesses), (rows + gain) / curve.seconds(rows + sum(guesses)))
