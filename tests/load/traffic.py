"""Random requests such as a team's editors and chats send, and what becomes of each: the same for the same seed."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from codellama_core.prompt import ChatMessage
from tests.load.clients import Reply
from tests.load.judge import Claim, Judge

Fate = Literal["end", "cut", "vanish"]
"""Read to its end, cut after some events, or gone before there could be many."""

SIZES: Final = ((0.7, (20, 300)), (0.2, (300, 1500)), (0.1, (2500, 4000)))
"""Shares of prompts by their length in characters."""
SYSTEMS: Final = (
    "You answer with code and nothing else.",
    "You are a reviewer. Be short, name the line, and say what is wrong with it and how to put it right.",
)
MOST_REMEMBERED: Final = 40


@dataclass(frozen=True, slots=True)
class Plan:
    """A request, when it comes (seconds from the beginning), and what its caller does with the answer.

    ``patience`` of callers that do not wait for the end: events, or milliseconds of those who vanish.
    """

    at: float
    body: dict[str, Any]
    fate: Fate
    patience: int

    @property
    def is_greedy(self) -> bool:
        return bool(self.body["temperature"] == 0)

    @property
    def messages(self) -> list[ChatMessage]:
        return [ChatMessage(turn["role"], turn["content"]) for turn in self.body["messages"]]

    def claim(self, judge: Judge, reply: Reply) -> Claim:
        """What a reply says that the model wrote.

        The count of tokens comes last: a caller who is cut just before it knows how the answer ended, and no count.
        """
        is_counted = reply.finish_reason is not None and (reply.completion_tokens > 0 or not reply.text)
        return Claim(
            self._prompt(judge), reply.text, reply.completion_tokens if is_counted else None,
            ended=reply.finish_reason == "stop", stripped="messages" in self.body,
        )  # fmt: skip

    def _prompt(self, judge: Judge) -> tuple[int, ...]:
        if "messages" in self.body:
            return judge.chat_prompt(self.messages)
        if "suffix" in self.body:
            return judge.infill_prompt(self.body["prompt"], self.body["suffix"])
        return judge.text_prompt(self.body["prompt"])


class Traffic:
    """Plans one request after the other; what has been answered may be gone on from."""

    def __init__(self, seed: int, rate: float) -> None:
        self._rng = random.Random(seed)
        self._rate = rate
        self._corpus = _corpus()
        self._answered: list[tuple[dict[str, Any], str]] = []

    def plans(self, seconds: float) -> Iterator[Plan]:
        """Requests of so many seconds. They come in bursts: the rate changes every ten seconds or so."""
        at, rate, until = 0.0, self._rate, 0.0
        while True:
            if at >= until:
                rate, until = self._rate * self._rng.choice((0.3, 1.0, 2.0)), at + self._rng.uniform(5, 15)
            at += self._rng.expovariate(rate)
            if at >= seconds:
                return
            yield self._plan(at)

    def learn(self, plan: Plan, reply: Reply) -> None:
        """Remember a whole answer, so that a later request can go on from it."""
        if reply.finish_reason is not None and "suffix" not in plan.body:
            self._answered.append((plan.body, reply.text))
            del self._answered[:-MOST_REMEMBERED]

    def _plan(self, at: float) -> Plan:
        fate: Fate = self._rng.choices(("end", "cut", "vanish"), (75, 15, 10))[0]
        greedy = self._rng.random() < 0.6
        sampling = (
            {"temperature": 0} if greedy else {"temperature": 0.9, "top_p": 0.95, "seed": self._rng.getrandbits(32)}
        )
        body = {**self._prompt(), **sampling, "max_tokens": int(self._rng.triangular(1, 200, 20))}
        return Plan(at, body, fate, self._rng.randrange(1, 40))

    def _prompt(self) -> dict[str, Any]:
        if self._answered and self._rng.random() < 0.2:
            return self._next_turn()
        kind = self._rng.choices(("text", "infill", "chat"), (45, 25, 30))[0]
        if kind == "text":
            return {"prompt": self._excerpt(self._length())}
        if kind == "infill":
            text = self._excerpt(self._length())
            cursor = self._rng.randrange(len(text))
            return {"prompt": text[:cursor], "suffix": text[cursor + self._rng.randrange(40) :]}
        system = [{"role": "system", "content": self._rng.choice(SYSTEMS)}] if self._rng.random() < 0.7 else []
        return {"messages": [*system, {"role": "user", "content": self._excerpt(self._length())}]}

    def _next_turn(self) -> dict[str, Any]:
        """Go on where an answer ended, as the next turn of a conversation or of an edit does."""
        body, text = self._rng.choice(self._answered)
        more = self._excerpt(80)
        if "messages" in body:
            turns = [{"role": "assistant", "content": text or "…"}, {"role": "user", "content": more}]
            return {"messages": [*body["messages"], *turns]}
        return {"prompt": body["prompt"] + text + more}

    def _length(self) -> int:
        shares = [share for share, _ in SIZES]
        ((_, (shortest, longest)),) = self._rng.choices(SIZES, shares)
        return self._rng.randint(shortest, longest)

    def _excerpt(self, characters: int) -> str:
        begin = self._rng.randrange(len(self._corpus) - characters)
        return self._corpus[begin : begin + characters].strip() or "pass"


def _corpus() -> str:
    """Code that stays the same while this repository changes: a package of the standard library."""
    return "\n".join(file.read_text() for file in sorted(Path(asyncio.__file__).parent.glob("*.py")))
