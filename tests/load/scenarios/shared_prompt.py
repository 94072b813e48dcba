"""5. Eight users share a long system prompt and file context and arrive together."""

import asyncio
import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, Final

from tests.load.bench import Bench, Samples, Scenario, say
from tests.load.clients import Client, Endpoint, Reply
from tests.load.report import Result, Target

USERS: Final = 8
SHARED: Final = 2000
QUESTION: Final = 16
OUTPUT: Final = 8


def seconds(bench: Bench) -> float:
    shared, rounds = _shared(bench), bench.rounds(1)
    ours = bench.pace.seconds(starts=1, prompt=shared + USERS * QUESTION, output=USERS * OUTPUT)
    theirs = bench.pace.seconds(starts=1, prompt=USERS * (shared + QUESTION), output=USERS * OUTPUT)
    return rounds * (ours + theirs if bench.peer else ours)


def run(bench: Bench) -> Result:
    samples = Samples()
    # every user has an account of its own, so what they share is shared across users
    setup = dataclasses.replace(bench.setup(USERS, _shared(bench) + 8 * QUESTION), accounts=True)
    for number, server in itertools.product(range(bench.rounds(1)), bench.servers):
        bodies = [_body(bench, number, user) for user in range(USERS)]
        with server.running(setup) as endpoint:
            replies = asyncio.run(_ask_all(endpoint, bodies))
        took = max(reply.ended_at for reply in replies) - min(reply.sent_at for reply in replies)
        samples.add("time until all have their answers", server.name, took)
        samples.add("tokens read", server.name, sum(reply.prompt_tokens - reply.cached_tokens for reply in replies))
        samples.keep("shared prompt", server.name, replies)
        say(f"  {server.name}: {took:.2f} s")
    rows = (
        samples.row(bench, "time until all have their answers", "s", Target("ratio", "most", 0.2)),
        samples.row(bench, "tokens read", ""),
    )
    note = f"{USERS} users, {_shared(bench)} tokens in common, about {QUESTION} of their own, {OUTPUT} written by each"
    return Result(rows, (note,), samples.raw)


async def _ask_all(endpoint: Endpoint, bodies: Sequence[dict[str, Any]]) -> list[Reply]:
    async with Client(endpoint) as client:
        return await client.ask_all(bodies)


def _body(bench: Bench, number: int, user: int) -> dict[str, Any]:
    messages = [
        {"role": "system", "content": bench.prompts.text(f"shared {number}", _shared(bench))},
        {"role": "user", "content": bench.prompts.text(f"question {number} {user}", QUESTION)},
    ]
    return {"messages": messages, "max_tokens": OUTPUT, **bench.sampling(f"shared {number} {user}")}


def _shared(bench: Bench) -> int:
    return bench.size(SHARED, room=256)


SCENARIO: Final = Scenario("shared-prompt", "5. eight users share a long prompt and arrive together", seconds, run)
