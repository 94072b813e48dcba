"""7. What HTTP, rendering and recording cost: our server beside its own engine without them."""

import asyncio
from collections.abc import Sequence
from functools import partial
from statistics import median
from typing import Any, Final

from tests.load.bench import Bench, Samples, Scenario, in_turn, say
from tests.load.clients import Client, Endpoint
from tests.load.engine_alone import EngineAlone, engine_alone
from tests.load.report import Result, Row, Target

STREAMS: Final = 8
PROMPT: Final = 32
OUTPUT: Final = 32
SMALL: Final = 4
SINGLES: Final = 8
ROUNDS: Final = 3
ALONE: Final = "engine alone"


def seconds(bench: Bench) -> float:
    output = bench.enough(OUTPUT, bench.pace.decode_s)
    one = bench.pace.seconds(prompt=STREAMS * PROMPT, output=STREAMS * output + SINGLES * (SMALL + 2))
    return 2 * (bench.rounds(ROUNDS) * one + bench.pace.load_s)


def run(bench: Bench) -> Result:
    samples, output = Samples(), bench.enough(OUTPUT, bench.pace.decode_s)
    setup = bench.setup(STREAMS, PROMPT + output)
    with (
        bench.ours.running(setup) as endpoint,
        engine_alone(bench.machine, setup, bench.options.sequences, bench.prompts) as engine,
    ):
        for number in range(bench.rounds(ROUNDS)):
            singles = [bench.body(f"single {number} {which}", SMALL, 2) for which in range(SINGLES)]
            streams = [bench.body(f"stream {number} {which}", PROMPT, output) for which in range(STREAMS)]
            over_http = partial(asyncio.run, _over_http(endpoint, samples, singles, streams))
            in_process = partial(_in_process, engine, samples, singles, streams)
            for measure in in_turn((over_http, in_process), number):
                measure()
            for name in (bench.ours.name, ALONE):
                rates, firsts = samples.of("8 streams", name), samples.of("TTFT", name)
                say(f"  {name}: {rates[-1]:.2f} tok/s, TTFT {firsts[-1] * 1e3:.1f} ms")
    added = median(samples.of("TTFT", "ours")) - median(samples.of("TTFT", ALONE))
    rows = (
        samples.row(bench, "8 streams", "tok/s", Target("ratio", "least", 0.98), ALONE),
        samples.row(bench, "TTFT", "s", peer=ALONE),
        Row("added to the TTFT", "s", (added,), target=Target("ours", "most", 0.015)),
    )
    note = (
        f"{STREAMS} streams of {output} tokens, from the first request to the last token; TTFT is the median of "
        f"{SINGLES} prompts of {SMALL} tokens, one after the other. The client's own work counts as HTTP's"
    )
    return Result(rows, (note,), samples.raw)


async def _over_http(
    endpoint: Endpoint, samples: Samples, singles: Sequence[dict[str, Any]], streams: Sequence[dict[str, Any]]
) -> None:
    async with Client(endpoint) as client:
        samples.add("TTFT", endpoint.name, median([(await client.ask(body)).ttft for body in singles]))
        replies = await client.ask_all(streams)
    tokens = sum(reply.completion_tokens for reply in replies)
    took = max(reply.arrivals[-1] for reply in replies) - min(reply.sent_at for reply in replies)
    samples.add("8 streams", endpoint.name, tokens / took)
    samples.keep("8 streams", endpoint.name, replies)


def _in_process(
    engine: EngineAlone, samples: Samples, singles: Sequence[dict[str, Any]], streams: Sequence[dict[str, Any]]
) -> None:
    engine.ask_all(singles[:1])
    samples.add("TTFT", ALONE, median([engine.ask_all([body])[0].ttft for body in singles]))
    answers = engine.ask_all(streams)
    tokens = sum(len(answer.arrivals) for answer in answers)
    took = max(answer.arrivals[-1] for answer in answers) - min(answer.sent_at for answer in answers)
    samples.add("8 streams", ALONE, tokens / took)


SCENARIO: Final = Scenario("http-cost", "7. what HTTP, rendering and recording cost", seconds, run)
