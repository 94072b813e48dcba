"""Programmatic calls: run to their end, counted, and recorded for the weekly run."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from assistant.engine.types import FinishReason
from assistant.services.answered import answered
from assistant.services.calls.acceptance import Offers
from assistant.services.calls.tools import as_read
from assistant.services.generators.types import (
    ChatPrompt,
    EndEvent,
    Event,
    Generator,
    InfillPrompt,
    ModelIdentity,
    Prompt,
    TextEvent,
    TextPrompt,
    TextRequest,
    TextStream,
    TokenLogprob,
)
from assistant.services.grammar.formats import parameter_of
from assistant.services.people.accounts import Principal
from assistant.services.people.limits import RateLimits
from assistant.services.spool import Spool
from assistant.telemetry import Metrics
from codellama_core.ids import uuid7

logger = logging.getLogger(__name__)

Through = Callable[[TextStream], TextStream]


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    text: str
    end: EndEvent
    model: ModelIdentity
    logprobs: tuple[TokenLogprob, ...] = ()


class Interaction:
    """One call under way: iterate it for its events; ``close`` cancels it if it has not ended.

    ``id`` is that of its record.
    """

    def __init__(self, who: Principal, endpoint: str, request: TextRequest, stream: TextStream) -> None:
        self.id = uuid7()
        self.who = who
        self.endpoint = endpoint
        self.request = request
        self.text = ""
        self._logprobs: list[TokenLogprob] = []
        self._stream = stream
        self._on_end: Callable[[Interaction, EndEvent], None] = lambda interaction, end: None

    @property
    def model(self) -> ModelIdentity:
        return self._stream.model

    @property
    def prompt_tokens(self) -> int:
        return self._stream.prompt_tokens

    @property
    def expected_wait_s(self) -> float:
        return self._stream.expected_wait_s

    def on_end(self, callback: "Callable[[Interaction, EndEvent], None]") -> None:
        self._on_end = callback

    async def __aiter__(self) -> AsyncIterator[Event]:
        async for event in self._stream:
            if isinstance(event, TextEvent):
                self.text += event.text
            elif isinstance(event, EndEvent):
                self._on_end(self, event)
            yield event

    async def finish(self) -> Answer:
        """The whole answer. Cancelling the caller's task cancels the generation."""
        try:
            async for event in self:
                if isinstance(event, EndEvent):
                    return Answer(self.text, event, self.model, tuple(self._logprobs))
                if isinstance(event, TextEvent):
                    self._logprobs += event.logprobs
        finally:
            self.close()
        raise RuntimeError("a stream ended without an end event")

    def close(self) -> None:
        self._stream.cancel()


class InteractionService:
    """Starts calls, and sees to it that each is counted, charged to its key and recorded when it ends."""

    def __init__(self, generator: Generator, spool: Spool, metrics: Metrics, limits: RateLimits) -> None:
        self._generator = generator
        self._spool = spool
        self._metrics = metrics
        self._limits = limits
        self._offers = Offers()
        self._writes: dict[uuid.UUID, asyncio.Task[None]] = {}

    async def start(
        self, who: Principal, endpoint: str, request: TextRequest, *, through: Through | None = None,
        recorded: bool = True,
    ) -> Interaction:  # fmt: skip
        """Begin a call. ``through`` may change its text on the way to the caller and to the record.

        Raises BusyError, ContextLengthError, UnavailableError.
        """
        stream = await self._generator.start(request)
        interaction = Interaction(who, endpoint, request, through(stream) if through else stream)
        interaction.on_end(self._record if recorded else self._count)
        if isinstance(request.prompt, InfillPrompt):
            self._accept(self._offers.taken(who.id, request.prompt.prefix))
        return interaction

    def _count(self, interaction: Interaction, end: EndEvent) -> None:
        answered(self._metrics, interaction.endpoint, interaction.model, end)
        self._limits.charge(interaction.who.key, end.timings.prompt_tokens + end.timings.completion_tokens)

    def _record(self, interaction: Interaction, end: EndEvent) -> None:
        self._count(interaction, end)
        prompt = interaction.request.prompt
        if isinstance(prompt, InfillPrompt) and end.reason in (FinishReason.STOP, FinishReason.LENGTH):
            self._offers.add(interaction.who.id, interaction.id, prompt.prefix, interaction.text)
        self._write(interaction.id, self._spool.write("interaction", _values(interaction, end)))

    def _accept(self, records: list[uuid.UUID]) -> None:
        for record in records:
            self._write(record, self._store_acceptance(record, self._writes.get(record)))

    async def _store_acceptance(self, record: uuid.UUID, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait((before,))
        await self._spool.write("acceptance", {"id": record, "accepted": True})

    def _write(self, record: uuid.UUID, write: Coroutine[Any, Any, None]) -> None:
        self._writes[record] = task = asyncio.create_task(write)
        task.add_done_callback(partial(self._written, record))

    def _written(self, record: uuid.UUID, task: asyncio.Task[None]) -> None:
        if self._writes.get(record) is task:
            del self._writes[record]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("an interaction could not be recorded", exc_info=error)

    async def drain(self) -> None:
        if self._writes:
            await asyncio.wait(self._writes.values(), timeout=10)


def _values(interaction: Interaction, end: EndEvent) -> dict[str, Any]:
    """The ``api_interactions`` row of a finished call."""
    request, timings = interaction.request, end.timings
    return {
        "id": interaction.id,
        "user_id": interaction.who.id,
        "endpoint": interaction.endpoint,
        "prompt": prompt_record(as_read(request.prompt, request.format)),
        "parameters": _parameters(request),
        "response": interaction.text,
        "finish_reason": str(end.reason),
        "model_version_id": interaction.model.version_id,
        "prompt_tokens": timings.prompt_tokens,
        "completion_tokens": timings.completion_tokens,
        "time_to_first_token_s": timings.queued_s + timings.prefill_s,
        "duration_s": timings.queued_s + timings.prefill_s + timings.decode_s,
        "created_at": datetime.now(UTC),
    }


def _parameters(request: TextRequest) -> dict[str, Any]:
    asked = {**asdict(request.sampling), "max_tokens": request.max_tokens, "stop": list(request.stop)}
    if request.format is not None:
        asked["format"] = parameter_of(request.format)
    return asked if request.user is None else {**asked, "user": request.user}


def prompt_record(prompt: Prompt) -> dict[str, Any]:
    """A prompt as it is stored: the same fields that the fine-tuner reads."""
    if isinstance(prompt, ChatPrompt):
        return {"messages": [{"role": m.role, "content": m.content} for m in prompt.messages]}
    if isinstance(prompt, TextPrompt):
        return {"text": prompt.text}
    if isinstance(prompt, InfillPrompt):
        return {"input_prefix": prompt.prefix, "input_suffix": prompt.suffix}
    return {"tokens": list(prompt.tokens)}
