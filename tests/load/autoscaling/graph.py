"""Runs as an SVG picture: the pods over time, and the requests in the system below them."""

import math
from collections.abc import Callable, Sequence
from typing import Final
from xml.sax.saxutils import escape

from tests.load.autoscaling.simulation import MOMENT_S, Metric, Moment, Run

WIDTH: Final = 860
LEFT: Final = 60
RIGHT: Final = 150
PANEL: Final = 110
GAP: Final = 46
TICK_S: Final = 600
SHOWN_S: Final = 5
COLORS: Final[dict[Metric, str]] = {"in flight": "#0969da", "CPU": "#bc4c00"}
DASHES: Final[dict[Metric, str]] = {"in flight": "", "CPU": ' stroke-dasharray="6 3"'}


def draw(groups: Sequence[Sequence[Run]]) -> str:
    """A picture with two panels for each group; the runs of a group have the same load."""
    parts, top = [], 40
    for runs in groups:
        parts.append(_text(LEFT, top - 18, runs[0].load.name, weight="bold"))
        parts.append(_panel(runs, top, "pods", lambda moment: moment.pods, step=1))
        top += PANEL + GAP
        parts.append(_panel(runs, top, "in flight", lambda moment: moment.in_flight, step=None))
        top += PANEL + GAP + 26
    box = f'viewBox="0 0 {WIDTH} {top - 30}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="12">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>"]) + "\n"


def _panel(runs: Sequence[Run], top: int, label: str, value: Callable[[Moment], float], step: int | None) -> str:
    seconds = runs[0].load.seconds
    most = _round(max(value(moment) for run in runs for moment in run.moments))
    across = (WIDTH - LEFT - RIGHT) / seconds

    def height(figure: float) -> float:
        return top + PANEL * (1 - figure / most)

    parts = [
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH - LEFT - RIGHT}" height="{PANEL}" fill="none" stroke="#afb8c1"/>'
    ]
    for figure in range(0, most + 1, step or max(most // 2, 1)):
        parts.append(_text(LEFT - 8, height(figure) + 4, str(figure), anchor="end"))
    for at in range(0, int(seconds) + 1, TICK_S):
        parts.append(_text(LEFT + at * across, top + PANEL + 16, f"{at // 60} min", anchor="middle"))
    for place, run in enumerate(runs):
        shown = run.moments[:: round(SHOWN_S / MOMENT_S)]
        points = [(LEFT + moment.at * across, height(value(moment))) for moment in shown]
        color, dash = COLORS[run.metric], DASHES[run.metric]
        parts.append(f'<path d="{_path(points)}" fill="none" stroke="{color}" stroke-width="2"{dash}/>')
        parts.append(_text(WIDTH - RIGHT + 10, top + 14 + 18 * place, f"{label}, by {run.metric}", color=color))
    return "\n".join(parts)


def _path(points: Sequence[tuple[float, float]]) -> str:
    """A line through the points, without those in the middle of a level stretch."""
    seen = [(f"{x:.1f}", f"{y:.1f}") for x, y in points]
    kept = [
        point
        for before, point, after in zip(seen, seen[1:], seen[2:], strict=False)
        if not before[1] == point[1] == after[1]
    ]
    return "M" + " L".join(f"{x} {y}" for x, y in [seen[0], *kept, seen[-1]])


def _round(figure: float) -> int:
    """The next figure that looks well at the top of an axis."""
    unit = 10 if figure < 1000 else 100
    return math.ceil(figure / unit) * unit if figure > 10 else math.ceil(figure)


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", color: str = "#1f2328", weight: str = "normal"
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{color}" font-weight="{weight}">{escape(text)}</text>'
