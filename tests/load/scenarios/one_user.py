"""1. One user: decode and prefill beside bare llama.cpp (llama-bench) and the peer, at the same depth."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from typing import Any, Final

from tests.load.bench import Bench, Samples, Scenario, in_turn, say
from tests.load.clients import Client, Endpoint, Reply
from tests.load.report import Result, Target

PROMPT: Final = 256
OUTPUT: Final = 24
PROMPTS: Final = 3
STREAMS: Final = 4
"""Answers of each server after each prompt, in turn with the other's."""
BARE: Final = "llama-bench"


def seconds(bench: Bench) -> float:
    prompts, servers, (prompt, output) = bench.rounds(PROMPTS), len(bench.servers), _sizes(bench)
    served = bench.pace.seconds(starts=1, prompt=prompt, output=STREAMS * output)
    bare = bench.pace.seconds(starts=2, prompt=3 * prompt, output=output) if bench.options.llama_bench else 0.0
    return prompts * (servers * served + bare)


def run(bench: Bench) -> Result:
    samples, (prompt, output) = Samples(), _sizes(bench)
    for number in range(bench.rounds(PROMPTS)):
        with bench.together(bench.setup(1, prompt + output)) as endpoints:
            _measure(samples, "prefill", in_turn(endpoints, number), bench.body(f"one user {number}", prompt, 2))
            for again in range(STREAMS):  # the prompt is in both servers' caches now
                body = bench.body(f"one user {number}", prompt, output)
                _measure(samples, "decode", in_turn(endpoints, again), body)
        _run_bare(bench, samples)
    rows = [
        samples.row(bench, "decode", "tok/s", Target("ratio", "least", 1.0, aim=1.1)),
        samples.row(bench, "prefill", "tok/s", Target("ratio", "least", 0.95)),
    ]
    if bench.options.llama_bench:
        rows += [
            samples.row(bench, figure, "tok/s", Target("ratio", "least", 0.95), peer=BARE)
            for figure in ("decode", "prefill")
        ]
    return Result(tuple(rows), (f"decode of {output} tokens after a prompt of {prompt}",), samples.raw)


def _sizes(bench: Bench) -> tuple[int, int]:
    """Tokens of the prompt and of the answer."""
    return bench.enough(PROMPT, bench.pace.prefill_s), bench.enough(OUTPUT, bench.pace.decode_s)


def _measure(samples: Samples, figure: str, endpoints: Iterator[Endpoint], body: dict[str, Any]) -> None:
    """The rate of one answer of each, at reading or at writing."""
    for endpoint in endpoints:
        reply = asyncio.run(_ask(endpoint, body))
        rate = reply.prefill_rate if figure == "prefill" else reply.decode_rate
        samples.add(figure, endpoint.name, rate)
        samples.keep(figure, endpoint.name, [reply])
        say(f"  {endpoint.name}: {figure} {rate:.2f} tok/s")


async def _ask(endpoint: Endpoint, body: dict[str, Any]) -> Reply:
    async with Client(endpoint) as client:
        return await client.ask(body)


def _run_bare(bench: Bench, samples: Samples) -> None:
    if bench.options.llama_bench is None:
        return
    prompt, output = _sizes(bench)
    samples.add("prefill", BARE, _bare_rate(bench, "-p", str(prompt), "-n", "0"))
    samples.add("decode", BARE, _bare_rate(bench, "-p", "0", "-n", str(output), "-d", str(prompt)))


def _bare_rate(bench: Bench, *test: str) -> float:
    machine = bench.machine
    command = [
        str(bench.options.llama_bench), "-m", str(machine.model), "-t", str(machine.threads), "-fa", "on",
        "-ctk", machine.kv_type, "-ctv", machine.kv_type, "-r", "1", "-o", "json", *test,
    ]  # fmt: skip
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = float(json.loads(output)[0]["avg_ts"])
    say(f"  {BARE} {' '.join(test)}: {rate:.1f} tok/s")
    return rate


SCENARIO: Final = Scenario("one-user", "1. one user: decode and prefill", seconds, run)
