"""Put a running server under load that does not wait for it: python tests/load/test_advanced.py --type TYPE --url URL

spike   2, then 20, then 2 requests a second, 30 s each
stress  3 requests a second more each minute, until fewer than 95 % are answered or the slowest 5 % take over 10 s
soak    5 requests a second for 10 minutes, with an eye on the server's memory

All rates are parameters: a 7B on few cores is tested in multiples of what it can do. A 429 is counted apart.
Writes results to <type>_results.json, which analyze_results.py draws. Nothing in here is a test for pytest.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))  # run as a file, it finds its neighbours

from tests.load.clients import Client
from tests.load.open_loop import OpenLoop, Phase, Sample, Watch, arrivals
from tests.load.outcomes import HEAD, Attempt, Summary, cells
from tests.load.report import aligned, percentile, slope
from tests.load.settings import add_arguments, bodies, endpoint_of, print_cost, save

ANSWERED = 0.95
WARM = 0.2
"""Part of a soak after which memory should have stopped growing."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was sent, in phases, what came of it, and the server meanwhile. ``broke`` says why a stress test ended."""

    phases: Sequence[Phase]
    attempts: Sequence[Attempt]
    samples: Sequence[Sample]
    seconds: float
    broke: str | None = None

    def summaries(self) -> list[tuple[str, Summary]]:
        """Of every phase by the requests that were due in it, and of all."""
        lines, start = [], 0.0
        for phase in self.phases:
            inside = [attempt for attempt in self.attempts if start <= attempt.at < start + phase.seconds]
            lines.append((f"{phase.rps:g} a second", Summary.of(inside, phase.seconds)))
            start += phase.seconds
        return [*lines, ("all", self.total)]

    @property
    def total(self) -> Summary:
        return Summary.of(self.attempts, self.seconds)

    @property
    def memory_growth(self) -> float | None:
        """Change of the server's resident memory, as a part of it and per hour; None where it was not told."""
        warm = WARM * self.seconds
        points = [(s.at, s.memory_bytes) for s in self.samples if s.memory_bytes is not None and s.at >= warm]
        return slope(points) * 3600 / points[0][1] if len(points) > 1 else None


async def run(arguments: argparse.Namespace) -> Run:
    """The load that was asked for."""
    endpoint = endpoint_of(arguments)
    async with Client(endpoint) as client:
        body = bodies(arguments)
        await client.start({**body(0), "max_tokens": 8}).end()
        loop = OpenLoop(client, body, arguments.timeout)
        async with Watch(loop, arguments.metrics_url or f"{endpoint.url}/metrics") as watch:
            phases, broke = await _send(loop, arguments)
            await loop.finish()
        attempts = sorted(loop.attempts, key=lambda attempt: attempt.at)
        return Run(phases, attempts, watch.samples, loop.elapsed, broke)


async def _send(loop: OpenLoop, arguments: argparse.Namespace) -> tuple[list[Phase], str | None]:
    if arguments.type == "stress":
        return await _stress(loop, arguments)
    calm, spike = arguments.spike_base_rps, arguments.spike_rps
    phases = {
        "spike": [Phase(rps, arguments.spike_duration * arguments.scale) for rps in (calm, spike, calm)],
        "soak": [Phase(arguments.soak_rps, arguments.soak_duration * arguments.scale)],
    }[arguments.type]
    await loop.send(arrivals(phases, arguments.seed))
    return phases, None


async def _stress(loop: OpenLoop, arguments: argparse.Namespace) -> tuple[list[Phase], str | None]:
    phases: list[Phase] = []
    seconds = arguments.stress_duration * arguments.scale
    while True:
        phase, start = Phase(arguments.stress_step * (len(phases) + 1), seconds), seconds * len(phases)
        if phase.rps > arguments.stress_max:
            return phases, None
        phases.append(phase)
        await loop.send(arrivals([phase], arguments.seed, start))
        await asyncio.sleep(max(0.0, start + seconds - loop.elapsed))
        if broke := _broken(loop, start, arguments.latency_limit):
            return phases, f"at {phase.rps:g} requests a second {broke}"


def _broken(loop: OpenLoop, start: float, latency_limit: float) -> str | None:
    """Why a step is more than the server can do, by what has become of the step's requests so far."""
    step = Summary.of([attempt for attempt in loop.attempts if attempt.at >= start], 1.0)
    if step.served < ANSWERED:
        return f"{step.served:.0%} are answered, {step.refused} told to come back later, {step.failed} failed"
    times = [attempt.ended for attempt in loop.attempts if attempt.at >= start and attempt.outcome == "answered"]
    slow = percentile([*times, *loop.waiting], 0.95) if times or loop.waiting else 0.0
    return f"the slowest 5 % take {slow:.1f} s" if slow > latency_limit else None


def main() -> int:
    arguments = _parser().parse_args()
    done = asyncio.run(run(arguments))
    print(aligned([HEAD, *(cells(name, summary) for name, summary in done.summaries())]))
    if arguments.type == "stress":
        print(f"broke: {done.broke}" if done.broke else f"did not break up to {arguments.stress_max:g} a second")
    growth = done.memory_growth if arguments.type == "soak" else None  # a shorter one shows buffers that fill up
    if arguments.type == "soak":
        print("memory: the server did not say" if growth is None else f"memory: {growth:+.1%} an hour")
    print_cost(done.total, arguments)
    out = arguments.out or Path(f"{arguments.type}_results.json")
    more = {"broke": done.broke, "memory_growth": growth}
    save(out, arguments.type, arguments, done.attempts, done.total, done.phases, done.samples, **more)
    return 0 if done.total.failed == 0 else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--type", choices=("spike", "stress", "soak"), required=True)
    add_arguments(parser, max_tokens=32)
    parser.add_argument("--metrics-url", help="where its /metrics are (default: below --url; nginx does not show them)")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds after which a request has failed")
    parser.add_argument("--spike-base-rps", type=float, default=2.0)
    parser.add_argument("--spike-rps", type=float, default=20.0)
    parser.add_argument("--spike-duration", type=float, default=30.0, help="seconds of each of its three phases")
    parser.add_argument("--stress-step", type=float, default=3.0, help="requests a second that each step adds")
    parser.add_argument("--stress-max", type=float, default=30.0)
    parser.add_argument("--stress-duration", type=float, default=60.0, help="seconds of a step")
    parser.add_argument("--latency-limit", type=float, default=10.0, help="seconds that 95 %% may take under stress")
    parser.add_argument("--soak-rps", type=float, default=5.0)
    parser.add_argument("--soak-duration", type=float, default=600.0, help="seconds")
    parser.add_argument("--seed", type=int, default=0, help="of the times at which requests arrive")
    return parser


if __name__ == "__main__":
    sys.exit(main())
