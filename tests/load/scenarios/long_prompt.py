"""3. A long prompt arrives while four streams run: their longest silence, and the prompt's own time to first token."""

import asyncio
import itertools
from dataclasses import dataclass
from statistics import median
from typing import Final

from tests.load.bench import Bench, Samples, Scenario, in_turn, say
from tests.load.clients import Client, Endpoint, Reply, RequestFailedError
from tests.load.report import Result, Target

STREAMS: Final = 4
SHORT: Final = 32
CALM: Final = 8
"""Chunks that each stream has got when the prompt arrives."""
STREAM_TOKENS: Final = 1200
OUTPUT: Final = 8
ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Found:
    """Seconds: the median gap before the prompt came, the longest from then on; and the prompt's own reply."""

    calm: float
    longest: float
    prompt: Reply


def seconds(bench: Bench) -> float:
    long = _long(bench)
    one = bench.pace.seconds(prompt=STREAMS * SHORT + long, output=STREAMS * CALM + 5 * OUTPUT)
    slower = 0.3 * long * bench.pace.prefill_s
    return len(bench.servers) * (bench.rounds(ROUNDS) * one + bench.pace.load_s) + bench.rounds(ROUNDS) * slower


def run(bench: Bench) -> Result:
    samples = Samples()
    long = _long(bench)
    setup = bench.setup(STREAMS + 1, max(long + OUTPUT, SHORT + _stream_tokens(bench)))
    with bench.together(setup) as endpoints:
        for number in range(bench.rounds(ROUNDS)):
            for endpoint in in_turn(endpoints, number):
                _add(samples, endpoint.name, asyncio.run(_interrupt(bench, endpoint, number)))
    rows = (
        samples.row(bench, "longest gap of the four", "s", Target("ratio", "most", 1 / 20)),
        samples.row(bench, "TTFT of the long prompt", "s", Target("ratio", "most", 1.3)),
        samples.row(bench, "median gap before it came", "s"),
    )
    return Result(rows, (f"a prompt of {long} tokens arrives while {STREAMS} stream",), samples.raw)


def _add(samples: Samples, server: str, found: Found) -> None:
    samples.add("longest gap of the four", server, found.longest)
    samples.add("TTFT of the long prompt", server, found.prompt.ttft)
    samples.add("median gap before it came", server, found.calm)
    samples.keep("long prompt", server, [found.prompt])
    say(f"  {server}: longest gap {found.longest:.3f} s, TTFT {found.prompt.ttft:.2f} s")


async def _interrupt(bench: Bench, endpoint: Endpoint, number: int) -> Found:
    async with Client(endpoint) as client:
        streams = [
            client.start(bench.body(f"stream {number} {which}", SHORT, _stream_tokens(bench)))
            for which in range(STREAMS)
        ]
        for stream in streams:
            await stream.reaches(CALM)
        prompt = await client.ask(bench.body(f"long prompt {number}", _long(bench), OUTPUT))
        if any(stream.over for stream in streams):
            raise RequestFailedError("a stream was over before the long prompt was; let the streams be longer")
        for stream in streams:
            stream.cut()
        replies = [await stream.end() for stream in streams]
    calm = [gap for reply in replies for gap in _gaps(reply, reply.arrivals[0], prompt.sent_at)]
    longest = [gap for reply in replies for gap in _gaps(reply, prompt.sent_at, reply.ended_at)]
    return Found(median(calm), max(longest), prompt)


def _gaps(reply: Reply, after: float, before: float) -> list[float]:
    """Silences that ended between two moments; the last one ends when the stream was cut."""
    moments = (*reply.arrivals, reply.ended_at)
    return [later - earlier for earlier, later in itertools.pairwise(moments) if after < later <= before]


def _long(bench: Bench) -> int:
    return bench.size(bench.options.long_prompt, room=256)


def _stream_tokens(bench: Bench) -> int:
    return min(STREAM_TOKENS, bench.prompts.context - 2 * SHORT)


SCENARIO: Final = Scenario("long-prompt", "3. a long prompt arrives while four streams run", seconds, run)
