"""Text from another server that speaks OpenAI's API: vLLM on a GPU, Ollama on a laptop, llama-server, or one of us."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx

from assistant.errors import ModelUnavailableError
from assistant.services.generators.desk import Desk
from assistant.services.generators.pieces import PieceStream, Tally
from assistant.services.generators.types import (
    ChatPrompt,
    InfillPrompt,
    Kind,
    Length,
    ModelIdentity,
    Prompt,
    Prospect,
    TextPrompt,
    TextRequest,
    choose,
)
from assistant.services.generators.upstream_calls import Calls
from assistant.services.generators.upstream_errors import UpstreamUnavailableError
from assistant.services.generators.upstream_probe import Probe

ANSWER_S: Final = 1.5
"""How long ``start`` waits for a refusal, which then becomes the caller's status; a later one ends the answer."""
WATCH_S: Final = 10.0
CHARACTERS_PER_TOKEN: Final = 4


@dataclass(frozen=True, slots=True)
class UpstreamOptions:
    """``url`` is the API's root, with ``/v1``. Times are seconds.

    ``first_token_s`` bounds the wait for the first token and every later silence, ``max_seconds`` the whole answer.
    ``model`` None is the first in the server's list. At most ``slots`` requests are sent at once.
    """

    url: str
    api_key: str | None = None
    model: str | None = None
    connect_s: float = 5.0
    first_token_s: float = 300.0
    slots: int = 32
    queue_max_wait_s: float = 120.0
    max_tokens: int = 2048
    max_seconds: float = 600.0


class UpstreamGenerator:
    """The Generator over another server. Belongs to one event loop; ``close`` it in the end."""

    kind: Kind = "upstream"

    def __init__(self, options: UpstreamOptions) -> None:
        self._options = options
        headers = {"Accept-Encoding": "identity"}
        if options.api_key:
            headers["Authorization"] = f"Bearer {options.api_key}"
        self._client = httpx.AsyncClient(
            base_url=options.url, headers=headers, limits=httpx.Limits(max_connections=None),
            timeout=httpx.Timeout(None, connect=options.connect_s, write=options.first_token_s),
        )  # fmt: skip
        self._probe = Probe(self._client, options.model)
        self._calls = Calls(self._client, options.url, options.first_token_s)
        self.desk = Desk(options.slots, options.queue_max_wait_s)
        self.tally = Tally()

    async def close(self) -> None:
        await self._client.aclose()

    @property
    def model(self) -> ModelIdentity | None:
        return next(iter(self.models), None)

    @property
    def models(self) -> tuple[ModelIdentity, ...]:
        """Under the server's own names, the first as champion."""
        names = [_shown(name) for name in self._probe.names]
        return tuple(ModelIdentity(name, None, None if index else "champion") for index, name in enumerate(names))

    @property
    def context_tokens(self) -> int | None:
        return self._probe.card.context_tokens if self._probe.card else None

    @property
    def predicted_wait_s(self) -> float:
        return self.desk.predicted_wait_s

    async def problem(self) -> str | None:
        """Why the server cannot be used, from a probe of the last two seconds."""
        problem = await self._probe.problem()
        return f"The upstream server at {self._options.url}: {problem}." if problem else None

    async def run(self) -> None:
        """For as long as the process lives: follow which models the server has."""
        while True:
            await self._probe.problem()
            await asyncio.sleep(WATCH_S)

    def count_tokens(self, prompt: Prompt) -> int:
        """An estimate, until the server states its own count at the end: four characters a token."""
        return _characters(prompt) // CHARACTERS_PER_TOKEN + 1

    async def length_of(self, prompt: Prompt) -> Length:
        return Length(self.count_tokens(prompt), exact=False)

    async def foresee(self, request: TextRequest) -> Prospect:
        """How long the server takes to read, and what it has read before, only it knows."""
        limit = None if self.context_tokens is None else self.context_tokens - 1
        return Prospect(await self.length_of(request.prompt), limit, wait_s=self.desk.predicted_wait_s)

    async def start(self, request: TextRequest) -> PieceStream:
        """Queue a request for the server.

        Raises BusyError, InvalidRequestError, ModelNotFoundError, UpstreamUnavailableError and UpstreamError when the
        server refuses at once.
        """
        model = await self._identity(request)
        limit = self._options.max_tokens
        if request.max_tokens is not None:
            limit = min(request.max_tokens, limit)
        name = next((each for each in self._probe.names if _shown(each) == model.name), model.name)
        self._calls.check(request, self._probe.dialect)
        stream = PieceStream(
            model, request, self.count_tokens(request.prompt), strip=isinstance(request.prompt, ChatPrompt),
            max_tokens=limit, max_seconds=self._options.max_seconds,
        )  # fmt: skip
        work = partial(self._calls.pieces, request, name, limit, self._probe.dialect)
        stream.begin(self.desk, work, self.tally)
        if not self.desk.waiting:
            await self._refused(stream)
        return stream

    async def _identity(self, request: TextRequest) -> ModelIdentity:
        if not self.models:
            await self._probe.problem()
        try:
            return choose(self.models, request.model)
        except ModelUnavailableError:
            raise UpstreamUnavailableError from None

    @staticmethod
    async def _refused(stream: PieceStream) -> None:
        """Raise what the server refuses the request with, if it does so at once."""
        try:
            await asyncio.wait_for(stream.settled.wait(), ANSWER_S)
        except TimeoutError:
            return
        except BaseException:
            stream.cancel()
            raise
        if stream.refusal is not None:
            raise stream.refusal


def _shown(name: str) -> str:
    """Of a name that is a path on the server only the end is shown."""
    return name.rsplit("/", 1)[-1] if name.startswith("/") else name


def _characters(prompt: Prompt) -> int:
    match prompt:
        case ChatPrompt(messages, begun):
            return sum(len(turn.content) for turn in messages) + len(begun)
        case InfillPrompt():
            return len(prompt.prefix) + len(prompt.suffix) + sum(len(file.text) for file in prompt.extra)
        case TextPrompt(text):
            return len(text)
    return len(prompt.tokens) * CHARACTERS_PER_TOKEN
