"""Time a running server as its clients see it: python tests/load/benchmark.py [light|medium|heavy] --url URL

Streams /v1/completions from several clients at once and prints the time to the first token and the speed. A 429 is
counted apart: the server said when to come back.
"""

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

LEVELS = {"light": (20, 2), "medium": (50, 5), "heavy": (100, 10)}
PROMPT = "# request {number}\nimport os\nimport sys\n\n\ndef main("


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request: HTTP status, seconds to the first token and in all, tokens written."""

    status: int
    first_s: float
    total_s: float
    tokens: int


def call(client: httpx.Client, number: int, max_tokens: int) -> Outcome:
    body = {
        "prompt": PROMPT.format(number=number),
        "max_tokens": max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.8,
    }
    started, first, tokens = time.monotonic(), 0.0, 0
    with client.stream("POST", "/v1/completions", json=body) as response:
        for line in response.iter_lines():
            if not line.startswith("data: {"):
                continue
            chunk = json.loads(line[6:])
            if chunk["choices"] and chunk["choices"][0]["text"]:
                first = first or time.monotonic() - started
            tokens = (chunk.get("usage") or {}).get("completion_tokens", tokens)
    return Outcome(response.status_code, first, time.monotonic() - started, tokens)


def measure(url: str, api_key: str, requests: int, at_once: int, max_tokens: int) -> tuple[list[Outcome], float]:
    """All outcomes, and the seconds they took together."""
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=600) as client, ThreadPoolExecutor(at_once) as pool:
        call(client, -1, 8)
        started = time.monotonic()
        outcomes = list(pool.map(lambda number: call(client, number, max_tokens), range(requests)))
        return outcomes, time.monotonic() - started


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def report(outcomes: list[Outcome], seconds: float, at_once: int) -> str:
    good = [each for each in outcomes if each.status == 200 and each.tokens]
    refused = sum(each.status == 429 for each in outcomes)
    if not good:
        return f"no request succeeded; {refused} were told to come back later"
    firsts = [each.first_s for each in good]
    speeds = [(each.tokens - 1) / (each.total_s - each.first_s) for each in good if each.tokens > 1]
    return (
        f"{at_once} at once: {len(good)}/{len(outcomes)} succeeded, {refused} refused; "
        f"TTFT p50 {statistics.median(firsts) * 1e3:.0f} ms, p95 {percentile(firsts, 0.95) * 1e3:.0f} ms; "
        f"{statistics.median(speeds):.0f} tok/s each, {sum(each.tokens for each in good) / seconds:.0f} tok/s in all"
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
    outcomes, seconds = measure(arguments.url, arguments.api_key, requests, at_once, arguments.max_tokens)
    print(report(outcomes, seconds, at_once))


if __name__ == "__main__":
    main()
