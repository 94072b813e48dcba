"""OpenAI's response shapes as this server sends them; the OpenAPI description is made from these.

Source: OpenAI API reference. ``timings`` and ``max_model_len`` are extensions. Fields that are not listed are not sent.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FinishReasonName = Literal["stop", "length", "tool_calls"]


class Shape(BaseModel):
    """A part of an answer. Fields with a default may be missing from it."""

    model_config = ConfigDict(extra="forbid")


class ErrorDetail(Shape):
    message: str = Field(description="What is wrong, the limit, and the way out")
    type: str = Field(description="The family of the error, as OpenAI names them")
    param: str | None = Field(description="The field at fault, with dots between levels")
    code: str | None = Field(description="The cause, for programs")


class ErrorBody(Shape):
    """How errors look on ``/v1``, ``/infill`` and the simple calls."""

    error: ErrorDetail


class PromptTokensDetails(Shape):
    cached_tokens: int = Field(ge=0, description="Prompt tokens that were in the KV cache already")


class Usage(Shape):
    """Counts of tokens."""

    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)
    total_tokens: int = Field(ge=0)
    prompt_tokens_details: PromptTokensDetails


class AnswerTimings(Shape):
    """Where the time went, in llama-server's names; an extension. Rates are 0 where nothing was done."""

    queued_ms: float = Field(ge=0, description="Milliseconds in the queue")
    cache_n: int = Field(ge=0, description="Prompt tokens that were in the KV cache already")
    prompt_n: int = Field(ge=0, description="Prompt tokens that were read")
    prompt_ms: float = Field(ge=0)
    prompt_per_token_ms: float = Field(ge=0)
    prompt_per_second: float = Field(ge=0)
    predicted_n: int = Field(ge=0, description="Tokens written")
    predicted_ms: float = Field(ge=0)
    predicted_per_token_ms: float = Field(ge=0)
    predicted_per_second: float = Field(ge=0)
    draft_n: int = Field(ge=0, description="Tokens guessed by speculation")
    draft_n_accepted: int = Field(ge=0, description="Of these, how many were right; they are part of predicted_n")


class TopLogprob(Shape):
    token: str
    logprob: float = Field(description="Natural logarithm of the probability")
    bytes: list[int] = Field(description="The token's UTF-8 bytes, which may be part of a character only")


class TokenLogprobItem(TopLogprob):
    top_logprobs: list[TopLogprob]


class ChatLogprobs(Shape):
    content: list[TokenLogprobItem] | None
    refusal: None = None


class CompletionLogprobs(Shape):
    """Lists of equal length, one item a token."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int] = Field(description="Where each token begins in the text, in characters")


class CalledFunction(Shape):
    name: str
    arguments: str = Field(description="A JSON object, as text")


class ToolCall(Shape):
    id: str
    type: Literal["function"]
    function: CalledFunction


class AnswerMessage(Shape):
    role: Literal["assistant"]
    content: str | None = Field(description="null where the model calls tools instead")
    refusal: None = None
    tool_calls: list[ToolCall] | None = None


class ChatChoice(Shape):
    index: int
    message: AnswerMessage
    logprobs: ChatLogprobs | None
    finish_reason: FinishReasonName


class ChatCompletion(Shape):
    """A whole answer of ``/v1/chat/completions``."""

    id: str
    object: Literal["chat.completion"]
    created: int = Field(description="Unix seconds")
    model: str = Field(description="The version that answered")
    choices: list[ChatChoice] = Field(min_length=1)
    usage: Usage
    timings: AnswerTimings


class FunctionDelta(Shape):
    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(Shape):
    index: int
    id: str | None = None
    type: Literal["function"] | None = None
    function: FunctionDelta


class Delta(Shape):
    role: Literal["assistant"] | None = None
    content: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class ChatChunkChoice(Shape):
    index: int
    delta: Delta
    logprobs: ChatLogprobs | None
    finish_reason: FinishReasonName | None


class ChatCompletionChunk(Shape):
    """One event of a streamed answer. With ``include_usage`` the last one has no choices, but the usage."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int = Field(description="Unix seconds")
    model: str
    choices: list[ChatChunkChoice]
    usage: Usage | None = None
    timings: AnswerTimings | None = None


class TextChoice(Shape):
    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: FinishReasonName


class Completion(Shape):
    """A whole answer of ``/v1/completions``."""

    id: str
    object: Literal["text_completion"]
    created: int = Field(description="Unix seconds")
    model: str = Field(description="The version that answered")
    choices: list[TextChoice] = Field(min_length=1)
    usage: Usage
    timings: AnswerTimings


class TextChunkChoice(Shape):
    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: FinishReasonName | None


class CompletionChunk(Shape):
    """One event of a streamed completion. With ``include_usage`` the last one has no choices, but the usage."""

    id: str
    object: Literal["text_completion"]
    created: int = Field(description="Unix seconds")
    model: str
    choices: list[TextChunkChoice]
    usage: Usage | None = None
    timings: AnswerTimings | None = None


class ModelCard(Shape):
    id: str
    object: Literal["model"]
    created: int = Field(description="Unix seconds")
    owned_by: str
    max_model_len: int | None = Field(description="Tokens that prompt and answer may have together")


class ModelList(Shape):
    object: Literal["list"]
    data: list[ModelCard]


class SimpleAnswer(Shape):
    model: str = Field(description="The version that answered")
    finish_reason: FinishReasonName
    usage: Usage


class ChatCallAnswer(SimpleAnswer):
    """What ``/chat`` answers."""

    response: str


class GenerateCallAnswer(SimpleAnswer):
    """What ``/generate`` answers."""

    generated_text: str
