"""Time a running server as its clients see it: python tests/load/benchmark.py [light|medium|heavy] --url URL

So many clients at once, each asking again as soon as it has its answer. A 429 is counted apart: the server said when to
come back. Writes benchmark_results.json.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))  # run as a file, it finds its neighbours

from tests.load.clients import Client, Endpoint
from tests.load.outcomes import HEAD, Attempt, Summary, cells
from tests.load.report import aligned
from tests.load.settings import add_arguments, bodies, endpoint_of, print_cost, save

LEVELS = {"light": (20, 2), "medium": (50, 5), "heavy": (100, 10)}


async def measure(
    endpoint: Endpoint, body: Callable[[int], dict[str, Any]], requests: int, at_once: int
) -> tuple[list[Attempt], Summary]:
    """Every attempt, and the figures of all."""
    room = asyncio.Semaphore(at_once)

    async def ask(number: int) -> Attempt:
        async with room:
            at = time.monotonic() - began
            return Attempt.of(await client.start(body(number)).end(), began, at)

    async with Client(endpoint) as client:
        await client.start({**body(0), "max_tokens": 8}).end()
        began = time.monotonic()
        attempts = await asyncio.gather(*(ask(number) for number in range(1, requests + 1)))
        return attempts, Summary.of(attempts, time.monotonic() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("level", nargs="?", choices=LEVELS, default="light")
    add_arguments(parser, max_tokens=128)
    parser.add_argument("--requests", type=int, help="how many in all (default: the level's)")
    parser.add_argument("--at-once", type=int, help="how many at once (default: the level's)")
    arguments = parser.parse_args()
    requests, at_once = LEVELS[arguments.level]
    requests = max(1, round((arguments.requests or requests) * arguments.scale))
    at_once = arguments.at_once or at_once
    attempts, summary = asyncio.run(measure(endpoint_of(arguments), bodies(arguments), requests, at_once))
    print(aligned([HEAD, cells(f"{arguments.level}, {at_once} at once", summary)]))
    print_cost(summary, arguments)
    for error in sorted({attempt.error for attempt in attempts if attempt.error}):
        print(f"failed: {error}", file=sys.stderr)
    save(arguments.out or Path("benchmark_results.json"), arguments.level, arguments, attempts, summary)
    return 0 if summary.answered else 1


if __name__ == "__main__":
    sys.exit(main())
