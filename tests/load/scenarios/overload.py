"""8. Three times what the server can do: predictions hold, refusals are quick, goodput stays at its peak."""

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from typing import Final

import httpx

from tests.load.bench import Bench, Samples, Scenario, say
from tests.load.clients import Client, Endpoint, Reply, each_at
from tests.load.report import Result, Row, Target, percentile

PROMPT: Final = 8
OUTPUT: Final = 24
EXCESS: Final = 3.0
PEAK_ROUNDS: Final = 4
"""Answers that each caller gets at least while a peak is measured."""
PEAK_S: Final = 15.0
"""How long that takes at least."""
MAX_WAIT_S: Final = 30.0
PREDICTED: Final = "X-Queue-Predicted-Wait"
RAMP: Final = 0.2
"""Share of the time in which the queue fills up; goodput is counted after it."""


def seconds(bench: Bench) -> float:
    requests = PEAK_ROUNDS * bench.options.sequences
    peak = bench.pace.seconds(prompt=requests * PROMPT, output=requests * _output(bench))
    return bench.pace.load_s + 2 * max(peak, PEAK_S) + _duration(bench) + MAX_WAIT_S + 10


def run(bench: Bench) -> Result:
    samples = Samples()
    setup = bench.setup(bench.options.sequences, PROMPT + _output(bench), QUEUE_MAX_WAIT_S=str(MAX_WAIT_S))
    with bench.ours.running(setup) as endpoint:
        # before and after: a machine's speed drifts within minutes
        before = asyncio.run(_peak(bench, endpoint, "before"))
        replies = asyncio.run(_overload(bench, endpoint, before / _output(bench) * EXCESS))
        peaks = (before, asyncio.run(_peak(bench, endpoint, "after")))
    refused = [reply for reply in replies if reply.status == httpx.codes.TOO_MANY_REQUESTS]
    admitted = [reply for reply in replies if reply.finish_reason is not None and reply.arrivals]
    failed = len(replies) - len(refused) - len(admitted)
    samples.keep("overload", bench.ours.name, replies)
    note = (
        f"{len(replies)} requests in {_duration(bench):.0f} s, {EXCESS:g} times the peak: {len(admitted)} "
        f"admitted, {len(refused)} refused; goodput counted after the first {RAMP:.0%} of the time. A start is the "
        "first token less the time that reading the prompt took; in bounds is an error of 1 s, or of 30 % of the wait; "
        f"the peak is that of {bench.options.sequences} callers who never pause, before and after"
    )
    rows = (
        *_prediction_rows(admitted), *_refusal_rows(refused), _goodput_row(bench, admitted, peaks),
        Row("neither answered nor refused", "requests", (failed,), target=Target("ours", "most", 0)),
    )  # fmt: skip
    return Result(rows, (note,), samples.raw)


def _prediction_rows(admitted: Sequence[Reply]) -> Iterator[Row]:
    told = [reply for reply in admitted if PREDICTED in reply.headers]
    yield Row("share told when to start", "%", (len(told) / len(admitted),), target=Target("ours", "least", 1.0))
    if told:
        yield from _error_rows(told)


def _error_rows(admitted: Sequence[Reply]) -> Iterator[Row]:
    waits = [reply.ttft - reply.timings["prompt_ms"] / 1000 for reply in admitted]
    predicted = [float(reply.headers[PREDICTED]) for reply in admitted]
    errors = [abs(wait - guess) for wait, guess in zip(waits, predicted, strict=True)]
    # an error passes within a second, or within 30 % of the wait
    faults = [min(error, error / max(wait, 1e-9) / 0.3) for error, wait in zip(errors, waits, strict=True)]
    yield Row("wait p50", "s", (percentile(waits, 0.5),))
    yield Row("error of its prediction p50", "s", (percentile(errors, 0.5),))
    yield Row("error of its prediction p95", "s", (percentile(errors, 0.95),))
    yield Row("p95 of the error, in bounds", "", (percentile(faults, 0.95),), target=Target("ours", "most", 1.0))


def _refusal_rows(refused: Sequence[Reply]) -> Iterator[Row]:
    latencies = [reply.headers_at - reply.sent_at for reply in refused]
    if latencies:
        yield Row("429 after, p50", "s", (percentile(latencies, 0.5),))
        yield Row("429 after, p95", "s", (percentile(latencies, 0.95),))
        yield Row("429 after, the slowest", "s", (max(latencies),), target=Target("ours", "most", 0.05))


def _goodput_row(bench: Bench, replies: Sequence[Reply], peaks: tuple[float, ...]) -> Row:
    began = min(reply.sent_at for reply in replies)
    first, last = began + RAMP * _duration(bench), began + _duration(bench)
    goodput = _tokens_between(replies, first, last) / (last - first)
    return Row("goodput", "tok/s", (goodput,), peaks, "peak", Target("ratio", "least", 0.95))


def _tokens_between(replies: Sequence[Reply], first: float, last: float) -> float:
    """Tokens that arrived between two moments; a chunk counts for its share of its answer's tokens."""
    return sum(
        reply.completion_tokens / len(reply.arrivals) * sum(first < at <= last for at in reply.arrivals)
        for reply in replies
        if reply.arrivals
    )


async def _peak(bench: Bench, endpoint: Endpoint, when: str) -> float:
    """Tokens a second for as many callers as there are sequences, who ask again as soon as they have their answers.

    They begin one after another, as it is when requests arrive at random.
    """
    callers, until = bench.options.sequences, time.monotonic() + PEAK_S

    async def call(client: Client, caller: int) -> list[Reply]:
        replies: list[Reply] = []
        while len(replies) < PEAK_ROUNDS or time.monotonic() < until:
            output = _output(bench) if replies else _output(bench) * (caller + 1) // callers
            replies.append(await client.ask(bench.body(f"peak {when} {caller} {len(replies)}", PROMPT, output)))
        return replies

    async with Client(endpoint) as client:
        answers = await asyncio.gather(*(call(client, caller) for caller in range(callers)))
    # from the last caller's second answer on, while every caller is still at it
    first = max(given[1].arrivals[0] for given in answers)
    last = min(given[-1].arrivals[-1] for given in answers)
    rate = _tokens_between([reply for given in answers for reply in given], first, last) / (last - first)
    say(f"  peak {when}: {rate:.2f} tok/s")
    return rate


async def _overload(bench: Bench, endpoint: Endpoint, rate: float) -> list[Reply]:
    """Requests that arrive at random (Poisson), at ``rate`` a second, whatever became of those before."""
    async with Client(endpoint) as client:
        streams = []
        async for number in each_at(_arrivals(rate, _duration(bench))):
            streams.append(client.start(bench.body(f"overload {number}", PROMPT, _output(bench)), number))
        return [await stream.end() for stream in streams]


def _arrivals(rate: float, duration_s: float) -> Iterator[float]:
    rng, at = random.Random(8), 0.0
    while (at := at + rng.expovariate(rate)) < duration_s:
        yield at


def _output(bench: Bench) -> int:
    return bench.enough(OUTPUT, bench.pace.decode_s)


def _duration(bench: Bench) -> float:
    return bench.options.overload_s / 5 if bench.options.quick else bench.options.overload_s


SCENARIO: Final = Scenario("overload", "8. three times capacity", seconds, run)
