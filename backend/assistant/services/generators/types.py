"""The one interface between what asks for text (chat, ``/v1``, simple calls) and what makes it."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from assistant.engine.types import FinishReason, Priority, Sampling, Timings
from codellama_core.prompt import ChatMessage


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A conversation; the model's chat template renders it."""

    messages: tuple[ChatMessage, ...]


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """Text to continue as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class InfillPrompt:
    """What stands before and after the cursor."""

    prefix: str
    suffix: str


@dataclass(frozen=True, slots=True)
class TokenPrompt:
    """Token ids, taken as they are."""

    tokens: tuple[int, ...]


Prompt = ChatPrompt | TextPrompt | InfillPrompt | TokenPrompt


@dataclass(frozen=True, slots=True)
class TextRequest:
    """``max_tokens`` None means as many as the context and the server's limit leave."""

    id: str
    prompt: Prompt
    max_tokens: int | None
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    priority: Priority = Priority.CHAT
    fairness_key: str = ""


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    position: int
    eta_s: float


@dataclass(frozen=True, slots=True)
class ReadingEvent:
    """``done`` of ``total`` prompt tokens have been read."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class TextEvent:
    """More text; ``tokens`` is how many tokens it stands for (stop strings are held back, never sent)."""

    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class EndEvent:
    """The last event of every stream."""

    reason: FinishReason
    timings: Timings
    error: str | None = None


Event = QueuedEvent | ReadingEvent | TextEvent | EndEvent


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model answers: the name shown to people, and its row where it is a registered version."""

    name: str
    version_id: uuid.UUID | None


class TextStream(Protocol):
    """A running generation. Iterate it once, to its EndEvent; ``cancel`` may be called at any time."""

    @property
    def model(self) -> ModelIdentity: ...

    @property
    def prompt_tokens(self) -> int: ...

    def __aiter__(self) -> AsyncIterator[Event]: ...

    def cancel(self) -> None: ...


class Generator(Protocol):
    """Makes text. ``start`` raises the errors of ``assistant.errors`` (queue full, prompt too long, no model)."""

    @property
    def kind(self) -> Literal["llama.cpp", "mock"]: ...

    @property
    def model(self) -> ModelIdentity | None: ...

    @property
    def context_tokens(self) -> int | None: ...

    async def start(self, request: TextRequest) -> TextStream: ...

    def count_tokens(self, prompt: Prompt) -> int: ...
