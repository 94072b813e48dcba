"""From times and bytes to ratios, shares and what the whole model would take."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from finetuning.base_model import Shape
from finetuning.config import TrainSettings
from finetuning.memory import BITS, need
from finetuning.rate import FLOP, multiplied
from tests.load.training.sides import PLAIN, Task, Trained

PLAIN_FLOP: Final = 6
"""As in our lean mode: the plain script checkpoints gradients."""
WHOLE: Final = 32
HEAD: Final = (
    "side", "tok/s", "ratio", "by CPU time", "share", "peak loading", "peak training", "swap", "32 layers", "losses",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A side's figures. ``ratio``: its speed to the plain script's, ``cpu_ratio`` the same by CPU time.

    ``share``: its FLOP a second of the machine's in matrix products. ``whole``: bytes that all 32 layers would take, by
    the measured peak and what ``finetuning.memory`` says of the layers that were left out; None for the plain script.
    """

    side: str
    tokens_s: float
    ratio: float | None
    cpu_ratio: float | None
    share: float
    result: Trained
    whole: float | None


def figures(shape: Shape, task: Task, trained: Mapping[str, Trained], rate: float) -> list[Line]:
    """A line a side; ``rate`` in FLOP a second."""
    tokens, plain = task.tokens * task.batches, trained.get(PLAIN)
    flop: dict[str, int] = {PLAIN: PLAIN_FLOP, **FLOP}
    return [
        Line(
            side, tokens / each.wall_s,
            plain.wall_s / each.wall_s if plain else None,
            plain.cpu_s / each.cpu_s if plain else None,
            flop[side] * multiplied(shape) * tokens / each.wall_s / rate,
            each, each.training_bytes + _left_out(shape, task, side) if side in BITS else None,
        )
        for side, each in trained.items()
    ]  # fmt: skip


def table(lines: Iterable[Line]) -> str:
    """As Markdown, in GiB."""
    rows = [HEAD, ("---",) * len(HEAD), *map(_row, lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _left_out(shape: Shape, task: Task, side: str) -> int:
    settings = TrainSettings(sequence_length=task.tokens)
    whole, part = (
        need(each, settings, task.compute, mode).total
        for mode in BITS
        if mode == side
        for each in (replace(shape, layers=WHOLE), shape)
    )
    return whole - part


def _row(line: Line) -> tuple[str, ...]:
    each = line.result
    ratios = ("" if ratio is None else f"{ratio:.2f}" for ratio in (line.ratio, line.cpu_ratio))
    peaks = (_gib(each.loading_bytes), _gib(each.training_bytes), _gib(each.swapped_bytes))
    losses = " → ".join(f"{loss:.4f}" for loss in each.losses)
    whole = "" if line.whole is None else _gib(line.whole)
    return (line.side, f"{line.tokens_s:.2f}", *ratios, f"{line.share:.2f}", *peaks, whole, losses)


def _gib(size: float) -> str:
    return f"{size / 2**30:.2f}"
