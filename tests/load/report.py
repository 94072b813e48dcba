"""From samples to ratios with their spread, beside what was promised."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on the ratio ours / theirs, or on our own figure. ``aim`` is hoped for, not promised."""

    of: Literal["ratio", "ours"]
    at: Literal["least", "most"]
    bound: float
    aim: float | None = None

    def met(self, value: float) -> bool:
        return value >= self.bound if self.at == "least" else value <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.at == "least" else "≤"
        aim = "" if self.aim is None else f" (aim {self.aim:g})"
        return f"{'' if self.of == 'ratio' else 'ours '}{sign} {self.bound:.4g}{aim}"


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of ours beside the same of a peer's, a sample a round; without ``theirs`` it stands alone.

    ``peer`` is whom or what ours is compared with. A row without a target is told, not judged.
    """

    name: str
    unit: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...] = ()
    peer: str = ""
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios; of medians, where the two ran different rounds."""
        if not self.theirs:
            return None
        return statistics.median(self._ratios)

    @property
    def spread(self) -> tuple[float, float] | None:
        """The lowest and the highest ratio: round by round where both ran the same rounds."""
        return (min(self._ratios), max(self._ratios)) if self.theirs else None

    @property
    def _paired(self) -> bool:
        return len(self.ours) == len(self.theirs)

    @property
    def _ratios(self) -> list[float]:
        others = self.theirs if self._paired else [statistics.median(self.theirs)] * len(self.ours)
        return [one / other for one, other in zip(self.ours, others, strict=True)]

    @property
    def passed(self) -> bool | None:
        """None where nothing was promised, or where there is nobody to compare with."""
        if self.target is None:
            return None
        value = self.ratio if self.target.of == "ratio" else statistics.median(self.ours)
        return None if value is None else self.target.met(value)


@dataclass(frozen=True, slots=True)
class Result:
    """What a scenario found: its rows, what has to be known to read them, and the raw numbers.

    ``failed``: it did not come to its end.
    """

    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    raw: dict[str, Any] = field(default_factory=dict)
    failed: bool = False

    @property
    def missed(self) -> tuple[str, ...]:
        """Names of the figures that do not reach what was promised; all of it, if the scenario failed."""
        return ("everything",) if self.failed else tuple(row.name for row in self.rows if row.passed is False)


def percentile(values: Iterable[float], share: float) -> float:
    """The value that ``share`` of all are at or below, interpolated between neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least-squares change of the second coordinate per unit of the first."""
    xs, ys = zip(*points, strict=True)
    return statistics.linear_regression(xs, ys).slope if len(set(xs)) > 1 else 0.0


def table(rows: Iterable[Row]) -> str:
    """Rows for a terminal."""
    head = ("figure", "ours", "theirs", "peer", "ratio (spread)", "target", "")
    return aligned([head, *(_cells(row) for row in rows)])


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of as many cells each, the first one of them the head, in columns."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def to_json(result: Result) -> dict[str, Any]:
    """A result as it is written to a file."""
    rows = [{**asdict(row), "ratio": row.ratio, "spread": row.spread, "passed": row.passed} for row in result.rows]
    return {"rows": rows, "notes": result.notes, "failed": result.failed, "raw": result.raw}


def _cells(row: Row) -> tuple[str, ...]:
    ratio = (
        "" if row.ratio is None or row.spread is None else f"{row.ratio:.3f} ({row.spread[0]:.3f}–{row.spread[1]:.3f})"
    )
    verdict = {None: "", True: "pass", False: "FAIL"}[row.passed]
    return (
        row.name, _value(row.ours, row.unit), _value(row.theirs, row.unit), row.peer, ratio, str(row.target or ""),
        verdict,
    )  # fmt: skip


def _value(samples: Sequence[float], unit: str) -> str:
    if not samples:
        return ""
    value = statistics.median(samples)
    if unit == "s" and value < 1:
        return f"{value * 1e3:.1f} ms"
    if unit == "%":
        return f"{value * 100:.1f} %"
    return f"{value:.4g} {unit}"
