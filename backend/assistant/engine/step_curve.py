"""How long a step of so many rows takes on this machine, and how many rows a step should therefore have.

The curve is not monotone in throughput: on CPUs with wide kernels 8 to 15 rows can be slower per row than 4. It is
measured once at start and corrected by a single running factor for context depth and a busy machine.
"""

import itertools
import math
from collections.abc import Callable, Mapping

POINTS = (1, 2, 4, 8, 16, 32)
ORDER = (1, 2, 4, 16, 32, 8)
"""8 rows come last: they can be slower than 16, and what they would say of more rows is wrong."""
LEAST_STEP_S = 0.1
LONE_FACTOR = 4
"""A prompt that nobody else waits for is read in steps this many times longer: large batches read faster."""
TOGETHER_FACTOR = 2
"""The same for prompts that came together with all who stream: everybody's answer ends sooner."""
WORTHWHILE = 1.1
TILE = 16
"""Rows that kernels work on together."""
FEW_STEPS = 2
"""In how many steps the last rows of a prompt may be read to save part of a tile."""
SLACK = 1.5
"""How much longer than wanted a step may take rather than leave out a tile: behind deep contexts all take longer."""


def measure(run: Callable[[int], float], limit_s: float = 15.0) -> dict[int, float]:
    """Seconds of a step by its rows, the best of up to three; ``run(rows)`` does one and returns its seconds.

    Stops before a point that would pass ``limit_s`` in total. A 7B model takes half of it on two fast cores and most on
    slow ones, a small one some milliseconds. The first, cold run does not count. What looks slower a row than fewer
    rows are is run again: it may have been a stall, and would be believed for good.
    """
    spent = run(1)
    points: dict[int, float] = {}
    for rows in ORDER:
        if points and spent + _expected(points, rows) > limit_s:
            break
        runs = [run(rows)]
        slow = runs[0] / rows > min((took / fewer for fewer, took in points.items() if fewer < rows), default=0.0)
        while len(runs) < 3 and (sum(runs) < 0.1 or ((rows <= 4 or slow) and len(runs) < 2)):
            runs.append(run(rows))
        points[rows] = min(runs)
        spent += sum(runs)
    return points


def _expected(points: Mapping[int, float], rows: int) -> float:
    """Seconds of so many rows if each takes as long as with the most that were fewer."""
    fewer = max(each for each in points if each < rows)
    return points[fewer] * rows / fewer


class StepCurve:
    """Seconds by rows, interpolated between the measured points and extended along their last slope."""

    def __init__(self, points: Mapping[int, float], max_rows: int, step_s: float | None = None) -> None:
        self._points = sorted(points.items())
        self._max_rows = max_rows
        self._scale = 1.0
        longest = min(POINTS[-1], 2 * self._points[-1][0])
        self.step_s = step_s if step_s is not None else max(LEAST_STEP_S, self._measured(longest))
        self._most_mixed = POINTS[-1] if self._measured(POINTS[-1]) >= self.step_s else max_rows

    def copy(self) -> "StepCurve":
        """The same measurements, uncorrected."""
        return StepCurve(dict(self._points), self._max_rows, self.step_s)

    @property
    def totals(self) -> tuple[int, ...]:
        """Numbers of rows that were measured."""
        return tuple([rows for rows, _ in self._points])

    def seconds(self, rows: int) -> float:
        """Predicted duration of a step of ``rows`` rows."""
        return self._measured(rows) * self._scale

    def observe(self, rows: int, seconds: float) -> None:
        """Learn from a step that has been run; a moving average of logarithms, so that one stall counts for little."""
        ratio = max(seconds, 1e-6) / max(self._measured(rows), 1e-6)
        self._scale *= (ratio / self._scale) ** 0.05

    def decode_width(self, sequences: int) -> int:
        """Rows per step with which ``sequences`` streams get their next token soonest."""
        widths = [*(rows for rows, _ in self._points if rows < sequences), sequences]
        return min(widths, key=lambda width: (self._measured(width) * math.ceil(sequences / width), -width))

    def round_s(self, sequences: int) -> float:
        """Seconds in which each of ``sequences`` streams gets one token, nothing else running."""
        width = self.decode_width(max(sequences, 1))
        return self.seconds(width) * math.ceil(max(sequences, 1) / width)

    def prefill_rows(self, decode_rows: int, wanted: int, *, together: bool = False) -> int:
        """How many of ``wanted`` prompt rows ride with ``decode_rows`` in a step; at least one.

        ``together``: those who decode came with the prompts, and have not been streaming before.
        """
        mixed = TOGETHER_FACTOR if together else 1
        limit_s = self.step_s * (mixed if decode_rows else LONE_FACTOR)
        # streams have been faster than measured for a while: that says little of steps with many rows
        allowed = min(mixed * self._most_mixed, self._max_rows) if decode_rows else self._max_rows
        most = min(self._rows_within(limit_s), decode_rows + wanted, allowed)
        if most <= TILE:
            return self._best_total(decode_rows, max(most, decode_rows + 1)) - decode_rows
        if decode_rows:
            most = self._in_tiles(decode_rows, most)
        return max(most, decode_rows + 1) - decode_rows

    @property
    def prefill_s(self) -> float:
        """Seconds per prompt token while others decode."""
        rows = max(1, min(self._rows_within(self.step_s), self._max_rows))
        return self.seconds(rows) / rows

    def _in_tiles(self, decode_rows: int, most: int) -> int:
        """``most`` rows, or the whole tiles in it where the prompt rows are read in few steps so.

        Where those who decode fill the tiles nearly, a prompt's last rows would take a step each.
        """
        whole = most - most % TILE
        beside = whole - decode_rows
        return whole if beside * FEW_STEPS >= most - decode_rows else most

    def _best_total(self, decode_rows: int, most: int) -> int:
        """``most``, or the measured point below it that has clearly more rows per second."""
        best = most
        for rows, _ in self._points:
            if decode_rows < rows < most and self._rate(rows) > self._rate(best) * WORTHWHILE:
                best = rows
        return best

    def _rate(self, rows: int) -> float:
        return rows / max(self._measured(rows), 1e-9)

    def _rows_within(self, limit_s: float) -> int:
        """Rows of a step of about ``limit_s``, in whole tiles: part of one takes as long as all of it.

        At least one tile, and one more that goes beyond the limit by little: fewer rows would crawl.
        """
        rows = TILE
        while self.seconds(rows) <= limit_s and self.seconds(rows + TILE) <= limit_s * SLACK:
            rows += TILE
            if rows >= self._max_rows:
                return self._max_rows
        return min(rows, self._max_rows)

    def _measured(self, rows: int) -> float:
        before, after = self._neighbours(rows)
        if before == after:
            return before[1] * rows / before[0]
        slope = (after[1] - before[1]) / (after[0] - before[0])
        return max(before[1] + slope * (rows - before[0]), before[1] * 0.5)

    def _neighbours(self, rows: int) -> tuple[tuple[int, float], tuple[int, float]]:
        points = self._points
        if len(points) == 1:
            return points[0], points[0]
        for before, after in itertools.pairwise(points):
            if rows <= after[0]:
                return before, after
        return points[-2], points[-1]
