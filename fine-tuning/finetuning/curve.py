"""The loss curve of a training, in so few points that a row of the database can hold it however long the run."""

from collections.abc import Sequence
from typing import Any, Final

MOST_POINTS: Final = 120


def curve(losses: Sequence[float], dev_losses: Sequence[Sequence[float]], tokens_per_step: int) -> dict[str, Any]:
    """Points ``[step, loss]`` of both lines; the training loss is the mean of the steps since the point before."""
    return {
        "train": _means(losses),
        "dev": [[int(step), loss] for step, loss in _spread(dev_losses)],
        "tokens_per_step": tokens_per_step,
    }


def _means(losses: Sequence[float]) -> list[list[float]]:
    size = max(1, -(-len(losses) // MOST_POINTS))
    stretches = [losses[start : start + size] for start in range(0, len(losses), size)]
    ends = [min((number + 1) * size, len(losses)) for number in range(len(stretches))]
    return [[end, round(sum(part) / len(part), 4)] for end, part in zip(ends, stretches, strict=True)]


def _spread(points: Sequence[Sequence[float]]) -> list[Sequence[float]]:
    """Points evenly spread, the first and the last among them."""
    if len(points) <= MOST_POINTS:
        return list(points)
    return [points[round(place * (len(points) - 1) / (MOST_POINTS - 1))] for place in range(MOST_POINTS)]
