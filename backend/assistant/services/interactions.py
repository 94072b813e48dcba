"""Programmatic calls: run to their end, counted, and recorded for the weekly run."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from assistant.services.accounts import Principal
from assistant.services.figures import observe
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
)
from assistant.services.spool import Spool
from assistant.telemetry import Metrics
from codellama_core.ids import uuid7

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    text: str
    end: EndEvent
    model: ModelIdentity


class Interaction:
    """One call under way: iterate it for its events; ``close`` cancels it if it has not ended."""

    def __init__(self, who: Principal, endpoint: str, request: TextRequest, stream: TextStream) -> None:
        self.who = who
        self.endpoint = endpoint
        self.request = request
        self.text = ""
        self._stream = stream
        self._on_end: Callable[[Interaction, EndEvent], None] = lambda interaction, end: None

    @property
    def model(self) -> ModelIdentity:
        return self._stream.model

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
                    return Answer(self.text, event, self.model)
        finally:
            self.close()
        raise RuntimeError("a stream ended without an end event")

    def close(self) -> None:
        self._stream.cancel()


class InteractionService:
    def __init__(self, generator: Generator, spool: Spool, metrics: Metrics) -> None:
        self._generator = generator
        self._spool = spool
        self._metrics = metrics
        self._writes: set[asyncio.Task[None]] = set()

    async def start(self, who: Principal, endpoint: str, request: TextRequest) -> Interaction:
        """Begin a call. Raises BusyError, ContextLengthError, UnavailableError."""
        interaction = Interaction(who, endpoint, request, await self._generator.start(request))
        interaction.on_end(self._record)
        return interaction

    def _record(self, interaction: Interaction, end: EndEvent) -> None:
        observe(self._metrics, interaction.endpoint, end.timings)
        task = asyncio.create_task(self._spool.write("interaction", _values(interaction, end)))
        self._writes.add(task)
        task.add_done_callback(self._written)

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writes.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("an interaction could not be recorded", exc_info=error)

    async def drain(self) -> None:
        if self._writes:
            await asyncio.wait(self._writes, timeout=10)


def _values(interaction: Interaction, end: EndEvent) -> dict[str, Any]:
    """The ``api_interactions`` row of a finished call."""
    request, timings = interaction.request, end.timings
    return {
        "id": uuid7(),
        "user_id": interaction.who.id,
        "endpoint": interaction.endpoint,
        "prompt": prompt_record(request.prompt),
        "parameters": {**asdict(request.sampling), "max_tokens": request.max_tokens, "stop": list(request.stop)},
        "response": interaction.text,
        "finish_reason": str(end.reason),
        "model_version_id": interaction.model.version_id,
        "prompt_tokens": timings.prompt_tokens,
        "completion_tokens": timings.completion_tokens,
        "time_to_first_token_s": timings.queued_s + timings.prefill_s,
        "duration_s": timings.queued_s + timings.prefill_s + timings.decode_s,
        "created_at": datetime.now(UTC),
    }


def prompt_record(prompt: Prompt) -> dict[str, Any]:
    """A prompt as it is stored: the same fields that the fine-tuner reads."""
    if isinstance(prompt, ChatPrompt):
        return {"messages": [{"role": m.role, "content": m.content} for m in prompt.messages]}
    if isinstance(prompt, TextPrompt):
        return {"text": prompt.text}
    if isinstance(prompt, InfillPrompt):
        return {"prefix": prompt.prefix, "suffix": prompt.suffix}
    return {"tokens": list(prompt.tokens)}
