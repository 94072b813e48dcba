"""OpenAI's request shapes, as far as this server honours them. Everything else is refused by name.

Source: OpenAI API reference, chat completions and completions; ``top_k``, ``min_p`` and ``repeat_penalty`` as
llama.cpp's server spells them.
"""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, model_validator

from assistant.api.schemas import PlainText, Strict
from assistant.engine.types import Sampling
from codellama_core.prompt import ChatMessage

Number = TypeVar("Number", int, float)
Bias = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
Stop = Annotated[PlainText, Field(min_length=1, max_length=400)]


class StreamOptions(Strict):
    include_usage: bool = False


class SamplingParameters(Strict):
    """What the chat and the text completion have in common."""

    model: PlainText | None = None
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    top_k: int | None = Field(None, ge=0, le=100_000)
    min_p: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    repeat_penalty: float | None = Field(None, gt=0, le=2, allow_inf_nan=False)
    presence_penalty: float | None = Field(None, ge=-2, le=2, allow_inf_nan=False)
    frequency_penalty: float | None = Field(None, ge=-2, le=2, allow_inf_nan=False)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Stop | list[Stop] | None = None
    logit_bias: dict[Annotated[str, Field(pattern=r"^\d{1,9}$")], Bias] | None = None
    n: Literal[1] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: Annotated[PlainText, Field(max_length=512)] | None = None

    @model_validator(mode="after")
    def _options_belong_to_streams(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options needs stream to be true")
        return self

    def sampling(self) -> Sampling:
        """OpenAI's defaults: temperature 1 and no filters; a llama.cpp filter only where it is asked for."""
        return Sampling(
            temperature=_or(self.temperature, 1.0),
            top_p=_or(self.top_p, 1.0),
            top_k=_or(self.top_k, 0),
            min_p=_or(self.min_p, 0.0),
            repeat_penalty=_or(self.repeat_penalty, 1.0),
            presence_penalty=_or(self.presence_penalty, 0.0),
            frequency_penalty=_or(self.frequency_penalty, 0.0),
            seed=None if self.seed is None else self.seed & 0xFFFFFFFF,
            logit_bias=tuple((int(token), bias) for token, bias in (self.logit_bias or {}).items()),
        )

    def stops(self) -> tuple[str, ...]:
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


def _or(value: Number | None, default: Number) -> Number:
    return default if value is None else value


class TextPart(Strict):
    type: Literal["text"]
    text: PlainText


class Turn(Strict):
    role: Literal["system", "developer", "user", "assistant"]
    content: PlainText | Annotated[list[TextPart], Field(min_length=1)]
    name: PlainText | None = None

    def message(self) -> ChatMessage:
        text = self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)
        return ChatMessage("system" if self.role == "developer" else self.role, text)


class ChatCompletionRequest(SamplingParameters):
    messages: list[Turn] = Field(min_length=1, max_length=2000)
    max_completion_tokens: int | None = Field(None, ge=1)
    response_format: Annotated[dict[Literal["type"], Literal["text"]], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _turns_make_a_conversation(self) -> Self:
        roles = ["system" if turn.role == "developer" else turn.role for turn in self.messages]
        if "system" in roles[1:]:
            raise ValueError("messages: a system message may only come first")
        if roles[-1] != "user":
            raise ValueError("messages: the last message must be the user's")
        return self

    @property
    def limit(self) -> int | None:
        return self.max_completion_tokens if self.max_tokens is None else self.max_tokens


class CompletionRequest(SamplingParameters):
    prompt: PlainText | Annotated[list[PlainText], Field(min_length=1, max_length=1)]
    suffix: PlainText | None = None
    echo: Literal[False] | None = None
    best_of: Literal[1] | None = None

    @property
    def text(self) -> str:
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]
