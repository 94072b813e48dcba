"""Text at set rates and no model, for work on the front end and for simulating load."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from typing import Final

from assistant.engine.types import FinishReason
from assistant.services.generators.desk import Desk
from assistant.services.generators.pieces import Piece, PieceStream, Tally, Usage
from assistant.services.generators.types import (
    Kind,
    Length,
    ModelIdentity,
    Prompt,
    Prospect,
    ReadingEvent,
    TextRequest,
    choose,
)

ANSWER: Final = (
    "This answer comes from the mock engine: no model is loaded.\n\n"
    '```python\ndef greet(name: str) -> str:\n    return f"Hello, {name}!"\n```\n\n'
)
MODEL: Final = ModelIdentity("mock", None)
ANSWER_TOKENS: Final = 120
CHUNK: Final = 64


@dataclass(frozen=True, slots=True)
class MockOptions:
    """Each of ``slots`` answers at once reads and writes at these rates, in tokens a second."""

    slots: int = 8
    tokens_per_second: float = 40.0
    prefill_per_second: float = 4000.0
    queue_max_wait_s: float = 120.0
    max_seconds: float = 600.0


class MockGenerator:
    """The Generator without a model: repeats one answer, a word a token, until the limit."""

    kind: Kind = "mock"
    model: ModelIdentity | None = MODEL
    models: tuple[ModelIdentity, ...] = (MODEL,)
    context_tokens: int | None = 4096

    def __init__(self, options: MockOptions | None = None) -> None:
        self._options = options or MockOptions()
        self.desk = Desk(self._options.slots, self._options.queue_max_wait_s)
        self.tally = Tally()

    @property
    def predicted_wait_s(self) -> float:
        return self.desk.predicted_wait_s

    async def problem(self) -> str | None:
        return None

    def count_tokens(self, prompt: Prompt) -> int:
        return len(str(prompt)) // 4

    async def length_of(self, prompt: Prompt) -> Length:
        return Length(self.count_tokens(prompt), exact=False)

    async def foresee(self, request: TextRequest) -> Prospect:
        length = await self.length_of(request.prompt)
        reading_s = length.tokens / self._options.prefill_per_second
        return Prospect(length, self.context_tokens, wait_s=self.desk.predicted_wait_s, reading_s=reading_s)

    async def start(self, request: TextRequest) -> PieceStream:
        """Queue a request. Raises BusyError, ModelNotFoundError."""
        model = choose(self.models, request.model)
        limit = ANSWER_TOKENS if request.max_tokens is None else request.max_tokens
        tokens, seconds = self.count_tokens(request.prompt), self._options.max_seconds
        stream = PieceStream(model, request, tokens, strip=False, max_tokens=limit, max_seconds=seconds)
        stream.begin(self.desk, partial(self._pieces, tokens, limit), self.tally)
        return stream

    async def _pieces(self, prompt_tokens: int, limit: int) -> AsyncGenerator[Piece]:
        for done in range(CHUNK, prompt_tokens, CHUNK):
            await asyncio.sleep(CHUNK / self._options.prefill_per_second)
            yield Piece(reading=ReadingEvent(done, prompt_tokens))
        await asyncio.sleep(prompt_tokens % CHUNK / self._options.prefill_per_second)
        yield Piece(reading=ReadingEvent(prompt_tokens, prompt_tokens))
        for word in itertools.islice(itertools.cycle(ANSWER.split(" ")), limit):
            await asyncio.sleep(1 / self._options.tokens_per_second)
            yield Piece(f"{word} ", 1)
        yield Piece(reason=FinishReason.LENGTH, usage=Usage(prompt_tokens, limit))
