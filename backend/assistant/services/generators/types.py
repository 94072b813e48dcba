"""The one interface between what asks for text (chat, ``/v1``, simple calls) and what makes it."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from assistant.engine.types import FinishReason, Priority, Sampling, Timings
from assistant.errors import AssistantError, InvalidRequestError, ModelNotFoundError, ModelUnavailableError
from codellama_core.prompt import ChatMessage, ContextFile


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """A conversation; the model's chat template renders it. ``begun`` is the beginning of the answer that goes on."""

    messages: tuple[ChatMessage, ...]
    begun: str = ""


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """Text to continue as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class InfillPrompt:
    """What stands before and after the cursor, and code from elsewhere that may help."""

    prefix: str
    suffix: str
    extra: tuple[ContextFile, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenPrompt:
    """Token ids, taken as they are."""

    tokens: tuple[int, ...]


Prompt = ChatPrompt | TextPrompt | InfillPrompt | TokenPrompt


def begun_of(prompt: Prompt) -> str:
    """The beginning of the answer that is to go on, or nothing."""
    return prompt.begun if isinstance(prompt, ChatPrompt) else ""


def text_bytes(prompt: Prompt) -> int:
    """Bytes of text that a prompt brings; 0 for token ids."""
    match prompt:
        case ChatPrompt(messages, begun):
            texts = [*(message.content for message in messages), begun]
        case TextPrompt(text):
            texts = [text]
        case InfillPrompt(prefix, suffix, extra):
            texts = [prefix, suffix, *(file.text for file in extra)]
        case TokenPrompt():
            texts = []
    return sum(len(text.encode(errors="replace")) for text in texts)


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """The answer is JSON: an object, or what ``schema`` (JSON Schema) describes."""

    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class GrammarFormat:
    """The answer follows a grammar in GBNF with a rule ``root``."""

    grammar: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; ``parameters`` is a JSON Schema of an object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolUse:
    """The tools of a request. ``choice``: the model decides (auto), must call one (required), or the one named."""

    tools: tuple[Tool, ...]
    choice: str = "auto"
    named: str | None = None


Format = JsonFormat | GrammarFormat | ToolUse


@dataclass(frozen=True, slots=True)
class TextRequest:
    """``max_tokens`` None means as many as the context and the server's limit leave.

    ``model`` None is whichever version is served. ``max_prompt_s`` bounds the time until the first token, after which
    the answer ends empty; ``max_predict_s`` bounds writing, from the first token, once a line is complete. ``user`` is
    whom the caller asks for; it is recorded.
    """

    id: str
    prompt: Prompt
    max_tokens: int | None
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    priority: Priority = Priority.CHAT
    fairness_key: str = ""
    model: str | None = None
    format: Format | None = None
    logprobs: int | None = None
    max_prompt_s: float | None = None
    max_predict_s: float | None = None
    user: str | None = None


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
class TokenLogprob:
    """A token as bytes with its natural log probability, and the most likely ones at its place."""

    piece: bytes
    logprob: float
    top: tuple[tuple[bytes, float], ...] = ()


@dataclass(frozen=True, slots=True)
class TextEvent:
    """More text; ``tokens`` is how many tokens it stands for (stop strings are held back, never sent)."""

    text: str
    tokens: int
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class EndEvent:
    """The last event of every stream.

    ``stopped_by`` is the stop string that ended it, ``cause`` the error that did, where there is more to it than text.
    """

    reason: FinishReason
    timings: Timings
    error: str | None = None
    stopped_by: str | None = None
    cause: AssistantError | None = None

    @property
    def failure(self) -> AssistantError | None:
        """What the caller is to be told when this is no answer."""
        if self.reason is FinishReason.UNMET:
            return InvalidRequestError(f"The answer could not follow the grammar: {self.error}.", param="grammar")
        if self.reason is FinishReason.ERROR:
            return self.cause or AssistantError(self.error or "The model failed on this request.")
        return None


@dataclass(frozen=True, slots=True)
class Length:
    """Tokens of a prompt. ``at_least``: so many or more, for it is too long to be counted; ``exact`` false: a guess."""

    tokens: int
    at_least: bool = False
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Prospect:
    """What sending a prompt would mean; None what is not known. Times are seconds.

    The model reads ``limit`` tokens at most. ``cached_tokens`` of the prompt need not be read; it would wait ``wait_s``
    for its start, and from there ``reading_s`` for its first token.
    """

    length: Length
    limit: int | None = None
    cached_tokens: int | None = None
    wait_s: float | None = None
    reading_s: float | None = None


Event = QueuedEvent | ReadingEvent | TextEvent | EndEvent


Alias = Literal["champion", "challenger"]


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model answers: the name shown to people, and its row where it is a registered version.

    ``alias`` is the name that requests may use for whichever version has this place, if it is such a place.
    """

    name: str
    version_id: uuid.UUID | None
    alias: Alias | None = "champion"


Kind = Literal["llama.cpp", "upstream", "mock"]


class TextStream(Protocol):
    """A running generation. Iterate it once, to its EndEvent; ``cancel`` may be called at any time."""

    @property
    def model(self) -> ModelIdentity: ...

    @property
    def prompt_tokens(self) -> int: ...

    @property
    def expected_wait_s(self) -> float:
        """Seconds that it was expected to wait for its start when it was taken."""
        ...

    def __aiter__(self) -> AsyncIterator[Event]: ...

    def cancel(self) -> None: ...


class Generator(Protocol):
    """Makes text. ``start`` raises the errors of ``assistant.errors`` (queue full, prompt too long, no such model)."""

    @property
    def kind(self) -> Kind: ...

    @property
    def model(self) -> ModelIdentity | None:
        """The model of a request that names none."""
        ...

    @property
    def models(self) -> tuple[ModelIdentity, ...]:
        """Every model that a request may name, ``model`` first."""
        ...

    @property
    def context_tokens(self) -> int | None: ...

    async def start(self, request: TextRequest) -> TextStream: ...

    def count_tokens(self, prompt: Prompt) -> int: ...

    async def length_of(self, prompt: Prompt) -> Length:
        """As the model that is served would read it; however long the text, this does not take long."""
        ...

    async def foresee(self, request: TextRequest) -> Prospect:
        """What ``start`` would lead to; nothing is changed by asking. A prompt that is too long is no error here."""
        ...

    @property
    def predicted_wait_s(self) -> float:
        """Seconds that a chat request which came now would wait for its start."""
        ...

    async def problem(self) -> str | None:
        """Why it cannot make text now, or None; for readiness."""
        ...


def choose(models: Sequence[ModelIdentity], name: str | None) -> ModelIdentity:
    """The model that a request names by name or alias; none, "" and ``default`` are the first.

    Raises ModelUnavailableError when there is no model at all, ModelNotFoundError when the name is none of theirs.
    """
    if not models:
        raise ModelUnavailableError
    if name in (None, "", "default"):
        return models[0]
    for identity in models:
        if name in (identity.name, identity.alias):
            return identity
    known = " and ".join(f"'{identity.name}'" for identity in models)
    raise ModelNotFoundError(f"The model '{name}' is not served here; {known} may be asked for.", param="model")
