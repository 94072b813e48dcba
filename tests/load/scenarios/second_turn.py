"""4. A conversation goes on: from the KV cells, from where they were evicted to, and after a restart of the server."""

import asyncio
import math
from typing import Any, Final

from tests.load.bench import BLOCK, Bench, Samples, Scenario, say
from tests.load.clients import Client, Endpoint, Reply
from tests.load.report import Result, Target
from tests.load.servers import Setup

HISTORY: Final = 2000
ANSWER: Final = 16
QUESTION: Final = 32
REMARK: Final = "\n# go on"
TURNS: Final = 5
EVICTIONS: Final = 1
RESTARTS: Final = 2
PAUSE_S: Final = 3.0
"""Time to think before a return, in which a server with nothing to do may copy what it will have to evict."""
READING: Final = "reading it"
AFTER_EVICTION: Final = "after eviction"
AT_ONCE: Final = "after eviction, at once"
"""Then what it has been evicted for has to be copied out first: told, not judged."""
AFTER_RESTART: Final = "after a restart"
TIERS: Final = {"KV_RAM_MIB": "4096", "KV_DISK_MIB": "8192"}


def seconds(bench: Bench) -> float:
    history, turns = _history(bench), TURNS * (ANSWER + QUESTION)
    both = len(bench.servers) * bench.pace.seconds(starts=1, prompt=history + turns)
    ours = bench.pace.seconds(
        starts=bench.rounds(RESTARTS), prompt=2 * bench.rounds(EVICTIONS) * _cells(bench), output=4 * RESTARTS
    )
    return both + ours


def run(bench: Bench) -> Result:
    samples = Samples()
    folder = bench.ours.new_folder("kv")
    setup = Setup(1, _cells(bench), {**TIERS, "KV_DIR": str(folder)})
    for server in bench.servers:
        with server.running(setup) as endpoint:
            asyncio.run(_converse(bench, endpoint, samples))
            if server is bench.ours:
                for number in range(2 * bench.rounds(EVICTIONS)):
                    asyncio.run(_evict_and_return(bench, endpoint, samples, number))
    for number in range(bench.rounds(RESTARTS)):
        with bench.ours.running(setup) as endpoint:
            asyncio.run(_return(bench, endpoint, samples, AFTER_RESTART, 2 * bench.rounds(EVICTIONS) + number))
    rows = (
        samples.row(bench, "second turn: TTFT", "s", Target("ratio", "most", 1.05)),
        samples.row(bench, f"{AFTER_EVICTION}: TTFT", "s", Target("ratio", "most", 1 / 50), READING),
        samples.row(bench, f"{AT_ONCE}: TTFT", "s", None, READING),
        samples.row(bench, f"{AFTER_RESTART}: TTFT", "s", Target("ratio", "most", 1 / 20), READING),
    )
    note = (
        f"a history of {_history(bench)} tokens in {_cells(bench)} cells; a second turn adds {ANSWER} tokens of answer "
        f"and {QUESTION} of question, the same on both; a return adds {len(bench.prompts.tokens(REMARK))} or so "
        f"and comes {PAUSE_S:g} s after what has evicted it, or at once"
    )
    return Result(rows, (note, *_cached_notes(samples)), samples.raw)


async def _converse(bench: Bench, endpoint: Endpoint, samples: Samples) -> None:
    """The first turn, read from nothing, and second turns that all go on from it."""
    history = _history_text(bench)
    async with Client(endpoint) as client:
        reply = await client.ask(_turn(bench, history))
        _add(samples, "first turn", endpoint.name, reply)
        if endpoint.name == bench.ours.name:
            for figure in (AFTER_EVICTION, AT_ONCE, AFTER_RESTART):
                samples.add(f"{figure}: TTFT", READING, reply.ttft)
        for number in range(TURNS):
            more = bench.prompts.text(f"turn {number}", ANSWER + QUESTION)
            _add(samples, "second turn", endpoint.name, await client.ask(_turn(bench, f"{history}\n{more}")))


async def _evict_and_return(bench: Bench, endpoint: Endpoint, samples: Samples, number: int) -> None:
    """Fill every cell with other prompts, then come back: after a pause, and every other time at once."""
    count = math.ceil(_cells(bench) / (bench.prompts.context - BLOCK))
    async with Client(endpoint) as client:
        for which in range(count):
            other = bench.prompts.text(f"other {number} {which}", (_cells(bench) - BLOCK // 4) // count)
            await client.ask(_turn(bench, other))
    if number % 2 == 0:
        await asyncio.sleep(PAUSE_S)
    await _return(bench, endpoint, samples, AT_ONCE if number % 2 else AFTER_EVICTION, number)


async def _return(bench: Bench, endpoint: Endpoint, samples: Samples, when: str, number: int) -> None:
    async with Client(endpoint) as client:
        reply = await client.ask(_turn(bench, f"{_history_text(bench)}{REMARK} {number}"))
        _add(samples, when, endpoint.name, reply)


def _add(samples: Samples, when: str, server: str, reply: Reply) -> None:
    samples.add(f"{when}: TTFT", server, reply.ttft)
    samples.add(f"{when}: cached", server, reply.cached_tokens)
    samples.keep(when, server, [reply])
    say(f"  {server}, {when}: TTFT {reply.ttft:.3f} s, {reply.cached_tokens} of {reply.prompt_tokens} tokens cached")


def _cached_notes(samples: Samples) -> list[str]:
    times = ("second turn", AFTER_EVICTION, AT_ONCE, AFTER_RESTART)
    return [f"{when}: tokens from a cache {[int(n) for n in samples.of(f'{when}: cached', 'ours')]}" for when in times]


def _turn(bench: Bench, prompt: str) -> dict[str, Any]:
    return {"prompt": prompt, "max_tokens": 2, **bench.sampling(prompt)}


def _history_text(bench: Bench) -> str:
    return bench.prompts.text("history", _history(bench))


def _history(bench: Bench) -> int:
    return bench.size(HISTORY, room=BLOCK)


def _cells(bench: Bench) -> int:
    """Little more than the conversation needs, so that it can be evicted in a reasonable time."""
    return math.ceil((_history(bench) + ANSWER + QUESTION + 64) / BLOCK) * BLOCK


SCENARIO: Final = Scenario("second-turn", "4. a second turn; a return after eviction and after a restart", seconds, run)
