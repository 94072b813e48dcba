"""Time a running server as its clients see it: python tests/load/benchmark.py [light|medium|heavy] --url URL

Streams /v1/completions from several clients at once and prints the time to the first token and the speed. A 429 is
counted apart: the server said when to come back.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))  # run as a file, it finds its neighbours

from tests.load.clients import Client, Endpoint, Reply
from tests.load.report import percentile

LEVELS = {"light": (20, 2), "medium": (50, 5), "heavy": (100, 10)}
PROMPT = "# request {number}\nimport os\nimport sys\n\n\ndef main("


def body(number: int, max_tokens: int) -> dict[str, Any]:
    return {"prompt": PROMPT.format(number=number), "max_tokens": max_tokens, "temperature": 0.8}


async def measure(endpoint: Endpoint, requests: int, at_once: int, max_tokens: int) -> tuple[list[Reply], float]:
    """All replies, and the seconds they took together."""
    room = asyncio.Semaphore(at_once)

    async def ask(number: int) -> Reply:
        async with room:
            return await client.start(body(number, max_tokens)).end()

    async with Client(endpoint) as client:
        await client.start(body(-1, 8)).end()
        started = time.monotonic()
        replies = await asyncio.gather(*(ask(number) for number in range(requests)))
        return replies, time.monotonic() - started


def report(replies: Sequence[Reply], seconds: float, at_once: int) -> str:
    good = [reply for reply in replies if reply.status == 200 and reply.arrivals]
    refused = sum(reply.status == 429 for reply in replies)
    if not good:
        return f"no request succeeded; {refused} were told to come back later"
    firsts = [reply.ttft for reply in good]
    speeds = [reply.decode_rate for reply in good if len(reply.arrivals) > 1] or [0.0]
    return (
        f"{at_once} at once: {len(good)}/{len(replies)} succeeded, {refused} refused; "
        f"TTFT p50 {statistics.median(firsts) * 1e3:.0f} ms, p95 {percentile(firsts, 0.95) * 1e3:.0f} ms; "
        f"{statistics.median(speeds):.0f} tok/s each, "
        f"{sum(reply.completion_tokens for reply in good) / seconds:.0f} tok/s in all"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("level", nargs="?", choices=LEVELS, default="light")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--api-key", default="")
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--requests", type=int, help="how many in all (default: the level's)")
    parser.add_argument("--at-once", type=int, help="how many at once (default: the level's)")
    arguments = parser.parse_args()
    requests, at_once = LEVELS[arguments.level]
    requests, at_once = arguments.requests or requests, arguments.at_once or at_once
    endpoint = Endpoint("server", arguments.url, keys=(arguments.api_key,) if arguments.api_key else ())
    replies, seconds = asyncio.run(measure(endpoint, requests, at_once, arguments.max_tokens))
    print(report(replies, seconds, at_once))


if __name__ == "__main__":
    main()
