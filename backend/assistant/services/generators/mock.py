"""Text at a set rate and no model, for work on the front end and for simulating load."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Final, Literal

from assistant.engine.types import FinishReason, Timings
from assistant.services.generators.types import (
    EndEvent,
    Event,
    ModelIdentity,
    Prompt,
    ReadingEvent,
    TextEvent,
    TextRequest,
)

ANSWER: Final = (
    "This answer comes from the mock engine: no model is loaded.\n\n"
    '```python\ndef greet(name: str) -> str:\n    return f"Hello, {name}!"\n```\n\n'
)
TOKENS_PER_SECOND: Final = 40.0


class MockStream:
    """Repeats the answer, a word a token, until the limit."""

    def __init__(self, model: ModelIdentity, prompt_tokens: int, max_tokens: int) -> None:
        self.model = model
        self.prompt_tokens = prompt_tokens
        self._max_tokens = max_tokens
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True

    async def __aiter__(self) -> AsyncIterator[Event]:
        yield ReadingEvent(self.prompt_tokens, self.prompt_tokens)
        words, count = itertools.cycle(ANSWER.split(" ")), 0
        while count < self._max_tokens and not self._cancelled:
            await asyncio.sleep(1 / TOKENS_PER_SECOND)
            count += 1
            yield TextEvent(next(words) + " ", 1)
        reason = FinishReason.CANCELLED if self._cancelled else FinishReason.LENGTH
        yield EndEvent(reason, Timings(self.prompt_tokens, 0, count, 0.0, 0.0, count / TOKENS_PER_SECOND))


class MockGenerator:
    """The Generator without a model."""

    kind: Literal["llama.cpp", "mock"] = "mock"
    model: ModelIdentity | None = ModelIdentity("mock", None)
    context_tokens: int | None = 4096

    def count_tokens(self, prompt: Prompt) -> int:
        return len(str(prompt)) // 4

    async def start(self, request: TextRequest) -> MockStream:
        return MockStream(ModelIdentity("mock", None), self.count_tokens(request.prompt), request.max_tokens or 120)
