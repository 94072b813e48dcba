"""6. An edit that mostly copies its prompt, with speculation and without; and text that speculation cannot guess."""

import asyncio
import dataclasses
import random
from collections.abc import Sequence
from statistics import median
from typing import Any, Final

from tests.load.bench import Bench, Samples, Scenario, in_turn, say
from tests.load.clients import Client, Endpoint, Reply
from tests.load.prompts import copy_grammar
from tests.load.report import Result, Row, Target
from tests.load.servers import Setup

CODE: Final = 320
COPIED: Final = 160
CHANGE_EVERY: Final = 40
"""Tokens from one edited token to the next."""
LEAD: Final = 3
"""Tokens copied before a text that only looks like a copy goes another way: as many as make the engine guess."""
OTHER: Final = 80
ROUNDS: Final = 3
WITHOUT: Final = "without"
DRAFTS: Final = ("draft_n", "draft_n_accepted")


def seconds(bench: Bench) -> float:
    one = bench.pace.seconds(prompt=CODE + 160, output=COPIED + 3 * OTHER)
    return 2 * (bench.rounds(ROUNDS) * one + bench.pace.load_s)


def run(bench: Bench) -> Result:
    samples = Samples()
    setup = bench.setup(1, 2 * CODE + COPIED)
    with bench.ours.running(_with(setup, "on")) as guessing, bench.ours.running(_with(setup, "off")) as plain:
        for number in range(bench.rounds(ROUNDS)):
            cases = [_cases(bench, f"{number} {again}") for again in range(_repeats(bench))]
            for case in cases[0]:
                for endpoint in in_turn((guessing, plain), number):
                    name = bench.ours.name if endpoint is guessing else WITHOUT
                    _add(samples, case, name, asyncio.run(_ask_each(endpoint, [each[case] for each in cases])))
    faster, no_slower = Target("ratio", "least", 1.5), Target("ratio", "least", 0.97)
    rows = [
        _row(bench, samples, "edit, copy forced by a grammar", faster),
        _row(bench, samples, "edit, as the model writes it", None if bench.prompts.is_noise else faster),
        _row(bench, samples, "other text, sampled", no_slower),
        _row(bench, samples, "false leads, forced by a grammar", no_slower),
    ]
    return Result(tuple(rows), (_note(bench),), samples.raw)


def _with(setup: Setup, speculation: str) -> Setup:
    return dataclasses.replace(setup, environment={"SPECULATION": speculation})


def _add(samples: Samples, case: str, name: str, replies: Sequence[Reply]) -> None:
    samples.add(case, name, median(reply.decode_rate for reply in replies))
    samples.keep(case, name, replies)
    say(f"  {name}, {case}: {samples.of(case, name)[-1]:.1f} tok/s{_drafts(replies)}")


def _row(bench: Bench, samples: Samples, case: str, target: Target | None) -> Row:
    return samples.row(bench, case, "tok/s", target, WITHOUT)


def _note(bench: Bench) -> str:
    return (
        f"{COPIED} tokens of a prompt of {CODE} written again with every {CHANGE_EVERY}th changed; false leads are "
        f"{LEAD} tokens of the prompt at a time, never followed by what follows them there"
        + ("; weights are random, so what the model writes by itself is not judged" if bench.prompts.is_noise else "")
    )


async def _ask_each(endpoint: Endpoint, bodies: Sequence[dict[str, Any]]) -> list[Reply]:
    async with Client(endpoint) as client:
        return [await client.ask(body) for body in bodies]


def _repeats(bench: Bench) -> int:
    """A small model answers in no time: it is asked more often."""
    return max(1, min(10, int(2 / (COPIED * bench.pace.decode_s))))


def _cases(bench: Bench, number: str) -> dict[str, dict[str, Any]]:
    """Requests by what they are for."""
    rng = random.Random(number)
    prompts, code = bench.prompts, bench.prompts.text(f"code {number}", CODE)
    prompt = f"# The file:\n{code}\n# The file again, with one name changed:\n"
    tokens = prompts.tokens(code)
    return {
        "edit, copy forced by a grammar": _forced(prompt, _edited(tokens[:COPIED], rng)),
        "edit, as the model writes it": {
            "prompt": prompt + "".join(code.splitlines(keepends=True)[:2]), "max_tokens": OTHER, "temperature": 0,
            "logit_bias": prompts.endless(),
        },
        "other text, sampled": bench.body(f"other text {number}", 64, OTHER),
        "false leads, forced by a grammar": _forced(prompt, _misleading(tokens, OTHER, rng)),
    }  # fmt: skip


def _forced(prompt: str, tokens: Sequence[int]) -> dict[str, Any]:
    return {"prompt": prompt, "max_tokens": len(tokens), "temperature": 0, "grammar": copy_grammar(tokens)}


def _edited(tokens: Sequence[int], rng: random.Random) -> list[int]:
    """The same tokens with one in ``CHANGE_EVERY`` replaced by another of them."""
    edited = list(tokens)
    for place in range(CHANGE_EVERY // 2, len(edited), CHANGE_EVERY):
        edited[place] = rng.choice([token for token in tokens if token != edited[place]])
    return edited


def _misleading(tokens: Sequence[int], count: int, rng: random.Random) -> list[int]:
    """Pieces of ``LEAD`` tokens from all over, none of which goes on as it did anywhere before."""
    written: list[int] = []
    while len(written) < count:
        place = rng.randrange(len(tokens) - LEAD)
        if not written or tokens[place] not in _followers([*tokens, *written], written[-LEAD:]):
            written += tokens[place : place + LEAD]
    return written[:count]


def _followers(tokens: Sequence[int], piece: Sequence[int]) -> set[int]:
    """What comes after ``piece``, wherever it stands."""
    length = len(piece)
    starts = range(len(tokens) - length)
    return {tokens[start + length] for start in starts if list(tokens[start : start + length]) == list(piece)}


def _drafts(replies: Sequence[Reply]) -> str:
    drafted, accepted = (sum(reply.timings.get(name, 0) for reply in replies) for name in DRAFTS)
    return f"; {accepted:.0f} of {drafted:.0f} guessed tokens were right" if drafted else ""


SCENARIO: Final = Scenario("copying-edit", "6. an edit that copies its prompt, and text that does not", seconds, run)
