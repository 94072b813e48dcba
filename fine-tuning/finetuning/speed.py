"""Whether one file generates as fast as another, on a machine that does other things too."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from finetuning.llama import LlamaModel

MORE: Final = 3
CONTEXT_TOKENS: Final = 256


def compare(
    champion: Path,
    candidate: Path,
    *,
    threads: int,
    tokens: int,
    rounds: int,
    limit: float,
    before_each: Callable[[], None],
) -> list[tuple[float, float]]:
    """Tokens per second of both files, once a round, in turns; up to three times the rounds while it is a close thing.

    Only one file is in memory at a time: two of 7B would not fit where one was trained.
    """
    measured: list[tuple[float, float]] = []
    while len(measured) < rounds or (len(measured) < MORE * rounds and is_close(ratios(measured), limit)):
        before_each()
        pair = (champion, candidate) if len(measured) % 2 == 0 else (candidate, champion)
        speeds = {file: _tokens_per_second(file, threads, tokens) for file in pair}
        measured.append((speeds[champion], speeds[candidate]))
    return measured


def ratios(measured: Sequence[tuple[float, float]]) -> list[float]:
    """The candidate's speed as a share of the champion's, by round."""
    return [candidate / champion for champion, candidate in measured]


def is_close(shares: Sequence[float], limit: float) -> bool:
    """Whether the limit lies within the middle half of the shares, so that more rounds may turn the median."""
    ordered = sorted(shares)
    outer = len(ordered) // 4
    return ordered[outer] < limit <= ordered[-1 - outer]


def _tokens_per_second(file: Path, threads: int, tokens: int) -> float:
    """Of the median token, so that what interrupts a few of them does not count."""
    with LlamaModel(file, threads=threads, context=CONTEXT_TOKENS) as model:
        return 1 / statistics.median(model.step_seconds(tokens))
