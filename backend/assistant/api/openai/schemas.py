"""OpenAI's request shapes, as far as this server honours them. Everything else is refused by name.

Source: OpenAI API reference, chat completions and completions; ``top_k``, ``min_p``, ``repeat_penalty`` and ``grammar``
as llama.cpp's server spells them.
"""

import uuid
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, StrictInt, ValidationInfo, field_validator

from assistant.api.openai.messages import (
    ResponseFormat,
    ToolChoice,
    ToolDefinition,
    Turn,
    check_choice,
    check_conversation,
    check_tools,
    conversation,
    json_format,
    tool_use,
)
from assistant.api.schemas import PlainText, Strict
from assistant.engine.types import Priority, Sampling
from assistant.errors import InvalidRequestError
from assistant.services.generators.types import (
    ChatPrompt,
    Format,
    GrammarFormat,
    InfillPrompt,
    Prompt,
    TextPrompt,
    TextRequest,
    TokenPrompt,
)
from codellama_core.prompt import RAW_END_OF_INFILL, raw_infill

Number = TypeVar("Number", int, float)
Bias = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
Stop = Annotated[PlainText, Field(min_length=1, max_length=400)]
TokenIds = Annotated[list[Annotated[StrictInt, Field(ge=0, lt=2**31)]], Field(min_length=1)]
DEFAULT_TOKENS = 16


class StreamOptions(Strict):
    include_usage: bool = False


class SamplingParameters(Strict):
    """What the chat and the text completion have in common."""

    model: PlainText | None = Field(None, description="A version being served, or 'default'")
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    top_k: int | None = Field(None, ge=0, le=100_000)
    min_p: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    repeat_penalty: float | None = Field(None, gt=0, le=2, allow_inf_nan=False)
    presence_penalty: float | None = Field(None, ge=-2, le=2, allow_inf_nan=False)
    frequency_penalty: float | None = Field(None, ge=-2, le=2, allow_inf_nan=False)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: Stop | Annotated[list[Stop], Field(max_length=16)] | None = None
    logit_bias: dict[Annotated[str, Field(pattern=r"^[0-9]{1,9}$")], Bias] | None = None
    grammar: PlainText | None = Field(None, min_length=1, description="GBNF with a rule root, which the answer follows")
    n: Literal[1] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: Annotated[PlainText, Field(max_length=512)] | None = Field(None, description="Recorded with the call")

    @field_validator("stream_options")
    @classmethod
    def _options_belong_to_streams(cls, value: StreamOptions | None, info: ValidationInfo) -> StreamOptions | None:
        if value is not None and not info.data.get("stream"):
            raise ValueError("needs stream to be true")
        return value

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


class ChatCompletionRequest(SamplingParameters):
    messages: list[Turn] = Field(min_length=1, max_length=2000)
    max_completion_tokens: int | None = Field(None, ge=1, description="The same as max_tokens; the smaller one counts")
    response_format: ResponseFormat | None = Field(None, description="Answers parse, and validate against the schema")
    tools: Annotated[list[ToolDefinition], Field(max_length=128)] | None = Field(
        None,
        description="Best effort: CodeLlama has not learned to call tools. A call is always well formed, and its "
        "arguments validate; whether it makes sense is up to the model. An answer makes one call at most.",
    )
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: Literal[False] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)

    @field_validator("messages")
    @classmethod
    def _make_a_conversation(cls, value: list[Turn]) -> list[Turn]:
        check_conversation(value)
        return value

    @field_validator("tools")
    @classmethod
    def _have_names_of_their_own(cls, value: list[ToolDefinition] | None) -> list[ToolDefinition] | None:
        check_tools(value or ())
        return value

    @field_validator("tool_choice")
    @classmethod
    def _is_there(cls, value: ToolChoice | None, info: ValidationInfo) -> ToolChoice | None:
        if "tools" in info.data:
            check_choice(value, info.data["tools"])
        return value

    @field_validator("top_logprobs")
    @classmethod
    def _belong_to_logprobs(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and not info.data.get("logprobs"):
            raise ValueError("needs logprobs to be true")
        return value

    @property
    def limit(self) -> int | None:
        return min(filter(None, (self.max_tokens, self.max_completion_tokens)), default=None)

    def format(self) -> Format | None:
        """Raises InvalidRequestError where two parameters ask for different ones."""
        asked: dict[str, Format | None] = {
            "grammar": None if self.grammar is None else GrammarFormat(self.grammar),
            "response_format": json_format(self.response_format),
            "tools": tool_use(self.tools, self.tool_choice),
        }
        given = {name: wanted for name, wanted in asked.items() if wanted is not None}
        if len(given) > 1:
            one, other, *_ = given
            raise InvalidRequestError(f"{one} and {other} cannot be combined: an answer has one format.", param=other)
        return next(iter(given.values()), None)

    def request(self, fairness_key: str) -> TextRequest:
        return TextRequest(
            id=str(uuid.uuid4()), prompt=ChatPrompt(conversation(self.messages)), max_tokens=self.limit,
            sampling=self.sampling(), stop=self.stops(), priority=Priority.CHAT, fairness_key=fairness_key,
            model=self.model, format=self.format(), logprobs=(self.top_logprobs or 0) if self.logprobs else None,
            user=self.user,
        )  # fmt: skip


class CompletionRequest(SamplingParameters):
    prompt: (
        PlainText
        | Annotated[list[PlainText], Field(min_length=1, max_length=1)]
        | TokenIds
        | Annotated[list[TokenIds], Field(min_length=1, max_length=1)]
    ) = Field(description="Text, or token ids, which are taken as they are; a list holds one prompt")
    suffix: PlainText | None = None
    echo: bool | None = Field(None, description="Begin the answer with the prompt")
    best_of: Literal[1] | None = None
    logprobs: int | None = Field(None, ge=0, le=20)

    @field_validator("suffix", "echo")
    @classmethod
    def _fit_the_prompt(cls, value: str | bool | None, info: ValidationInfo) -> str | bool | None:
        if value not in (None, False) and "prompt" in info.data and _text(info.data["prompt"]) is None:
            raise ValueError("needs a prompt of text, not of token ids")
        if value is True and info.data.get("suffix") is not None:
            raise ValueError("cannot be combined with suffix")
        return value

    @field_validator("logprobs")
    @classmethod
    def _are_of_the_answer(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("echo"):
            raise ValueError("cannot be combined with echo: the prompt has none")
        return value

    @property
    def text(self) -> str | None:
        """The prompt, unless it is made of token ids."""
        return _text(self.prompt)

    def meaning(self) -> Prompt:
        """The prompt: an editor that spells the control tokens out wants to fill in."""
        if self.text is None:
            ids = self.prompt if isinstance(self.prompt[0], int) else self.prompt[0]
            return TokenPrompt(tuple(token for token in ids if isinstance(token, int)))
        if self.suffix is not None:
            return InfillPrompt(self.text, self.suffix)
        parts = None if self.echo else raw_infill(self.text)
        return TextPrompt(self.text) if parts is None else InfillPrompt(*parts)

    def request(self, fairness_key: str) -> TextRequest:
        prompt = self.meaning()
        is_raw = isinstance(prompt, InfillPrompt) and self.suffix is None
        return TextRequest(
            id=str(uuid.uuid4()), prompt=prompt, max_tokens=_or(self.max_tokens, DEFAULT_TOKENS),
            sampling=self.sampling(), stop=(*self.stops(), RAW_END_OF_INFILL) if is_raw else self.stops(),
            priority=Priority.AUTOCOMPLETE if isinstance(prompt, InfillPrompt) else Priority.CHAT,
            fairness_key=fairness_key, model=self.model,
            format=None if self.grammar is None else GrammarFormat(self.grammar), logprobs=self.logprobs,
            user=self.user,
        )  # fmt: skip


def _text(prompt: Any) -> str | None:
    """A prompt of text; None where it is made of token ids."""
    first = prompt if isinstance(prompt, str) else prompt[0]
    return first if isinstance(first, str) else None
