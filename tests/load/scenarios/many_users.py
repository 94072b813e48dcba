"""2. Users streaming distinct prompts: tokens a second of all together; latencies at 1, 4, 8 and 16 users."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from tests.load.bench import Bench, Samples, Scenario, in_turn, say
from tests.load.clients import Client, Endpoint, Reply
from tests.load.report import Result, Row, Target

PROMPT: Final = 128
OUTPUT: Final = 64
LEVELS: Final = {1: 2, 4: 2, 8: 2, 16: 1}
"""Users, and rounds: more where something was promised."""
TARGETS: Final = {4: Target("ratio", "least", 1.0), 8: Target("ratio", "least", 1.0, aim=1.15)}


def seconds(bench: Bench) -> float:
    output = bench.enough(OUTPUT, bench.pace.decode_s)
    rounds = sum(
        bench.rounds(rounds) * bench.pace.seconds(prompt=users * PROMPT, output=users * output)
        for users, rounds in LEVELS.items()
    )
    return len(bench.servers) * (rounds + len(LEVELS) * bench.pace.load_s)


def run(bench: Bench) -> Result:
    samples, output = Samples(), bench.enough(OUTPUT, bench.pace.decode_s)
    for users, rounds in LEVELS.items():
        with bench.together(bench.setup(users, PROMPT + output)) as endpoints:
            for number in range(bench.rounds(rounds)):
                bodies = [bench.body(f"{users} users {number} {user}", PROMPT, output) for user in range(users)]
                for endpoint in in_turn(endpoints, number):
                    replies = asyncio.run(_ask_all(endpoint, bodies))
                    _add(samples, _label(users), endpoint.name, replies)
                    say(f"  {users} users, {endpoint.name}: {total_rate(replies):.2f} tok/s in all")
    rows = [row for users in LEVELS for row in _rows(bench, samples, users)]
    note = (
        f"prompts of {PROMPT} tokens, answers of {output}; tok/s from the first request to the last token, prompts "
        "included; 'while all stream' from the last first token to the first end, where that is a second or more"
    )
    return Result(tuple(rows), (note,), samples.raw)


async def _ask_all(endpoint: Endpoint, bodies: Sequence[dict[str, Any]]) -> list[Reply]:
    async with Client(endpoint) as client:
        return await client.ask_all(bodies)


def total_rate(replies: Sequence[Reply]) -> float:
    """Tokens a second of all, from the first request to the last token."""
    began, ended = min(reply.sent_at for reply in replies), max(reply.arrivals[-1] for reply in replies)
    return sum(reply.completion_tokens for reply in replies) / (ended - began)


def streaming_rate(replies: Sequence[Reply]) -> float | None:
    """Tokens a second of all, while all stream; None when that is hardly ever so."""
    began, ended = max(reply.arrivals[0] for reply in replies), min(reply.arrivals[-1] for reply in replies)
    if ended - began < 1:
        return None
    tokens = sum(
        reply.completion_tokens * sum(began < at <= ended for at in reply.arrivals) / len(reply.arrivals)
        for reply in replies
    )
    return tokens / (ended - began)


def _label(users: int) -> str:
    return f"{users} users" if users > 1 else "1 user"


def _add(samples: Samples, label: str, server: str, replies: Sequence[Reply]) -> None:
    samples.add(f"{label}: in all", server, total_rate(replies))
    if (rate := streaming_rate(replies)) is not None:
        samples.add(f"{label}: while all stream", server, rate)
    samples.add_latencies(label, server, replies)
    samples.keep(label, server, replies)


def _rows(bench: Bench, samples: Samples, users: int) -> list[Row]:
    label = _label(users)
    rows = [samples.row(bench, f"{label}: in all", "tok/s", TARGETS.get(users))]
    if samples.of(f"{label}: while all stream", bench.ours.name):
        rows.append(samples.row(bench, f"{label}: while all stream", "tok/s"))
    return [*rows, *samples.latency_rows(bench, label)]


SCENARIO: Final = Scenario("many-users", "2. 4 and 8 users at once, and latencies at 1, 4, 8 and 16", seconds, run)
