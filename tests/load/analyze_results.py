"""Draw results of benchmark.py and test_advanced.py: python tests/load/analyze_results.py FILE... --out FOLDER

latency_comparison.png, throughput_comparison.png, success_rate.png, a timeline of each file that has one, and
report.html with all of them beside the figures.
"""

import argparse
import html
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))  # run as a file, it finds its neighbours

import matplotlib

matplotlib.use("Agg")  # no screen

from matplotlib import pyplot
from matplotlib.axes import Axes

from tests.load.open_loop import Phase, Sample
from tests.load.outcomes import HEAD, Attempt, Outcome, Summary, cells, cost_sentence
from tests.load.report import percentile

COLORS: Final[dict[Outcome, str]] = {"answered": "#1a7f37", "refused": "#bf8700", "failed": "#cf222e"}
BLUE: Final = "#0969da"
BUCKETS: Final = 60
"""Stretches into which a timeline is cut, at most."""


@dataclass(frozen=True, slots=True)
class Results:
    """One file."""

    name: str
    document: dict[str, Any]
    summary: Summary
    attempts: Sequence[Attempt]
    phases: Sequence[Phase]
    samples: Sequence[Sample]

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Raises ValueError when the file does not hold results."""
        try:
            document = json.loads(path.read_text())
            wanted = {field.name for field in fields(Summary)}
            summary = Summary(**{key: value for key, value in document["summary"].items() if key in wanted})
            return cls(
                path.stem.removesuffix("_results"),
                document,
                summary,
                [Attempt.read(values) for values in document["attempts"]],
                [Phase(**values) for values in document["phases"]],
                [Sample(**values) for values in document["samples"]],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} does not hold results of a load test: {error}") from error


def draw(results: Sequence[Results], folder: Path) -> list[str]:
    """Write all pictures; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, Callable[[], None]] = {
        "latency_comparison.png": partial(_latencies, results),
        "throughput_comparison.png": partial(_throughput, results),
        "success_rate.png": partial(_success, results),
        **{f"timeline_{each.name}.png": partial(_timeline, each) for each in results if each.phases},
    }
    for name, picture in pictures.items():
        picture()
        pyplot.savefig(folder / name, dpi=110, bbox_inches="tight")
        pyplot.close()
    return list(pictures)


def report(results: Sequence[Results], pictures: Sequence[str]) -> str:
    """An HTML page of the figures and the pictures beside it."""
    rows = "".join(_row(cells(each.name, each.summary)) for each in results)
    sections = "".join(map(_section, results))
    images = "".join(f'<img src="{html.escape(name)}" alt="{html.escape(name[:-4])}">' for name in pictures)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Load tests</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ border-bottom: 1px solid #d0d7de; padding: .3rem .6rem; text-align: left; white-space: nowrap; }}
div {{ overflow-x: auto; }} img {{ display: block; max-width: 100%; margin: 1.5rem 0; }}
</style>
<h1>Load tests</h1>
<div><table><thead>{_row(HEAD, "th")}</thead><tbody>{rows}</tbody></table></div>
{sections}{images}</html>
"""


def _section(results: Results) -> str:
    document = results.document
    cost = document["arguments"].get("node_cost_per_hour")
    growth = document.get("memory_growth")
    sentences = [
        f"measured {document['measured']}, client on {document['client']}",
        ", ".join(f"{key}={value}" for key, value in document["arguments"].items() if value not in (None, "")),
        f"broke {document['broke']}" if document.get("broke") else "",
        "" if growth is None else f"the server's memory grew by {growth:+.1%} an hour",
        "" if cost is None else cost_sentence(results.summary, cost),
    ]
    items = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences if sentence)
    return f"<h2>{html.escape(results.name)}</h2><ul>{items}</ul>"


def _row(texts: Sequence[str], tag: str = "td") -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(text)}</{tag}>' for text in texts)}</tr>"


def _latencies(results: Sequence[Results]) -> None:
    figure, places = pyplot.subplots(1, 2, figsize=(11, 4), sharey=True)
    kinds: list[tuple[str, Callable[[Summary], tuple[float, float, float] | None]]] = [
        ("time to the first text", lambda summary: summary.first),
        ("time to the end", lambda summary: summary.whole),
    ]
    for axes, (title, times) in zip(places, kinds, strict=True):
        for number, name in enumerate(("p50", "p95", "p99")):
            values = [(times(each.summary) or (0.0, 0.0, 0.0))[number] for each in results]
            across = [place + (number - 1) * 0.27 for place in range(len(results))]
            axes.bar(across, values, width=0.25, label=name, color=BLUE, alpha=1 - 0.3 * number)
        _named(axes, results, title)
    places[0].set_ylabel("seconds")
    places[0].legend()
    figure.tight_layout()


def _throughput(results: Sequence[Results]) -> None:
    figure, places = pyplot.subplots(1, 2, figsize=(11, 4))
    for axes, title, values in (
        (places[0], "answers a second", [each.summary.answered / each.summary.seconds for each in results]),
        (places[1], "tokens a second", [each.summary.tokens / each.summary.seconds for each in results]),
    ):
        axes.bar_label(axes.bar(range(len(results)), values, color=BLUE), fmt="%.3g")
        _named(axes, results, title)
    figure.tight_layout()


def _success(results: Sequence[Results]) -> None:
    _, axes = pyplot.subplots(figsize=(11, 4))
    below = [0.0] * len(results)
    for outcome, color in COLORS.items():
        counts = [sum(attempt.outcome == outcome for attempt in each.attempts) for each in results]
        shares = [100 * n / max(1, each.summary.offered) for n, each in zip(counts, results, strict=True)]
        axes.bar(range(len(results)), shares, bottom=below, color=color, label=outcome)
        below = [low + share for low, share in zip(below, shares, strict=True)]
    _named(axes, results, "what became of requests, %")
    axes.legend(loc="lower right")


def _timeline(results: Results) -> None:
    """Rates, times, and the server, one below the other."""
    told = [name for name in ("in_system", "memory_bytes", "pods") if any(getattr(s, name) for s in results.samples)]
    figure, places = pyplot.subplots(2 + len(told), 1, figsize=(11, 2.4 * (2 + len(told))), sharex=True)
    width = max(1.0, results.summary.seconds / BUCKETS)
    buckets: dict[int, list[Attempt]] = {}
    for attempt in results.attempts:
        buckets.setdefault(int(attempt.at / width), []).append(attempt)
    numbers = sorted(buckets)
    middles = [(number + 0.5) * width for number in numbers]
    below = [0.0] * len(numbers)
    for outcome, color in COLORS.items():
        rates = [sum(attempt.outcome == outcome for attempt in buckets[number]) / width for number in numbers]
        places[0].bar(middles, rates, width=width, bottom=below, color=color, label=outcome)
        below = [low + rate for low, rate in zip(below, rates, strict=True)]
    _offered(places[0], results.phases)
    places[0].set_ylabel("requests a second")
    places[0].legend(loc="upper left")
    times_to: dict[str, Callable[[Attempt], float]] = {
        "the end": lambda attempt: attempt.ended,
        "the first text": lambda attempt: attempt.first or attempt.ended,
    }
    for name, time_to in times_to.items():
        answered = {n: [time_to(a) for a in buckets[n] if a.outcome == "answered"] for n in numbers}
        points = [((n + 0.5) * width, percentile(times, 0.95)) for n, times in answered.items() if times]
        if points:
            places[1].plot(*zip(*points, strict=True), label=f"p95 to {name}")
    places[1].set_ylabel("seconds")
    places[1].legend(loc="upper left")
    for axes, name in zip(places[2:], told, strict=True):
        shown = [(sample.at, getattr(sample, name)) for sample in results.samples if getattr(sample, name) is not None]
        ats, values = zip(*shown, strict=True)
        heights = [value / 2**20 for value in values] if name == "memory_bytes" else values
        axes.plot(ats, heights, color=BLUE)
        axes.set_ylabel({"in_system": "requests in the system", "memory_bytes": "resident MiB", "pods": "pods"}[name])
        axes.set_ylim(0, 1.15 * max(heights))
    places[-1].set_xlabel("seconds")
    places[0].set_title(results.name)
    figure.tight_layout()


def _offered(axes: Axes, phases: Sequence[Phase]) -> None:
    start = 0.0
    for number, phase in enumerate(phases):
        ends, label = (start, start + phase.seconds), "asked for" if number == 0 else None
        axes.plot(ends, (phase.rps, phase.rps), color="black", linestyle="--", label=label)
        start += phase.seconds


def _named(axes: Axes, results: Sequence[Results], title: str) -> None:
    axes.set_xticks(range(len(results)), [each.name for each in results])
    axes.set_title(title)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path())
    arguments = parser.parse_args()
    try:
        results = [Results.read(path) for path in arguments.files]
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    pictures = draw(results, arguments.out)
    (arguments.out / "report.html").write_text(report(results, pictures), encoding="utf-8")
    print(f"written: {arguments.out / 'report.html'}, {', '.join(pictures)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
