"""The stream of another server as pieces of text.

Source: OpenAI API reference, streaming chunks; llama.cpp tools/server/README.md: ``/infill``, ``prompt_progress``.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from pydantic import BaseModel, Field, ValidationError

from assistant.engine.types import FinishReason
from assistant.services.calls import tools
from assistant.services.generators.pieces import Piece, Usage
from assistant.services.generators.types import ReadingEvent, TokenLogprob
from assistant.services.generators.upstream_errors import UpstreamError

LINE_MAX: Final = 1 << 20
"""Bytes in one line of a stream; a token takes some hundred."""
DONE: Final = b"[DONE]"
BROKE_OFF: Final = "The upstream server broke off in the middle of the answer."
NOT_A_STREAM: Final = "The upstream server answers something that is not OpenAI's stream of chunks."

NO_CALL: Final = "The upstream server called no function although one had to be called."


class _Logprob(BaseModel):
    token: str
    logprob: float
    utf8: list[int] | None = Field(None, alias="bytes")
    top_logprobs: list["_Logprob"] = []

    def read(self, top: int) -> TokenLogprob:
        best = tuple((each.piece, each.logprob) for each in self.top_logprobs[:top])
        return TokenLogprob(self.piece, self.logprob, best)

    @property
    def piece(self) -> bytes:
        return _bytes(self.token) if self.utf8 is None else bytes(self.utf8)


class _Logprobs(BaseModel):
    """OpenAI's shape for chats, ``content``, and its older one for completions."""

    content: list[_Logprob] | None = None
    tokens: list[str] = []
    token_logprobs: list[float | None] = []
    top_logprobs: list[dict[str, float] | None] | None = None

    def read(self, top: int) -> tuple[TokenLogprob, ...]:
        if self.content is not None:
            return tuple(each.read(top) for each in self.content)
        tops = self.top_logprobs or [None] * len(self.tokens)
        return tuple(
            TokenLogprob(_bytes(token), logprob or 0.0, _best(best or {}, top))
            for token, logprob, best in zip(self.tokens, self.token_logprobs, tops, strict=True)
        )


class _Function(BaseModel):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(BaseModel):
    index: int = 0
    function: _Function = _Function()


class _Delta(BaseModel):
    content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(BaseModel):
    delta: _Delta = _Delta()
    text: str | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Details(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None

    def read(self) -> Usage:
        cached = self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else None
        return Usage(self.prompt_tokens, self.completion_tokens, cached or 0)


class _Progress(BaseModel):
    total: int
    processed: int


class _Chunk(BaseModel):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    prompt_progress: _Progress | None = None
    error: Any = None


class _NativeTimings(BaseModel):
    cache_n: int = 0


class _NativeChunk(BaseModel):
    content: str = ""
    stop: bool = False
    stop_type: str = ""
    tokens_evaluated: int = 0
    tokens_predicted: int = 0
    timings: _NativeTimings = _NativeTimings()
    error: Any = None


async def data_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The ``data`` of server-sent events, one line each, as OpenAI's servers write them. Raises UpstreamError."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_MAX or any(len(line) > LINE_MAX for line in lines):
            raise UpstreamError(NOT_A_STREAM)
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()


class Reader:
    """Reads the events of one answer. ``ended`` once the server has said that the text is complete.

    With ``must_call`` an answer that is complete without a call of a tool is a failure.
    """

    def __init__(self, *, native: bool, top_logprobs: int, must_call: bool) -> None:
        self._native = native
        self._must_call = must_call
        self._top = top_logprobs
        self._tools: dict[int, tuple[str, str]] = {}
        self.ended = False

    def read(self, data: bytes) -> Piece:
        """One event. Raises UpstreamError for what is none, or when it tells of a failure."""
        if data == DONE:
            self.ended = True
            return Piece()
        try:
            return self._read_native(data) if self._native else self._read_chunk(data)
        except (ValidationError, ValueError, RecursionError):
            raise UpstreamError(NOT_A_STREAM) from None

    def _read_chunk(self, data: bytes) -> Piece:
        chunk = _Chunk.model_validate_json(data)
        _fail_if(chunk.error)
        usage = chunk.usage.read() if chunk.usage else None
        if chunk.prompt_progress is not None:
            return Piece(reading=ReadingEvent(chunk.prompt_progress.processed, chunk.prompt_progress.total))
        if not chunk.choices:
            return Piece(usage=usage)
        choice = chunk.choices[0]
        for call in choice.delta.tool_calls or ():
            name, arguments = self._tools.get(call.index, ("", ""))
            self._tools[call.index] = (name + (call.function.name or ""), arguments + (call.function.arguments or ""))
        text = choice.delta.content or choice.text or ""
        logprobs = choice.logprobs.read(self._top) if choice.logprobs else ()
        tokens = len(logprobs) or bool(text or choice.delta.tool_calls)
        reason = self._reason(choice.finish_reason)
        return Piece(text + self._called(reason), tokens, logprobs, reason=reason, usage=usage)

    def _reason(self, finish_reason: str | None) -> FinishReason | None:
        if not finish_reason:
            return None
        self.ended = True
        if finish_reason == "length":
            return FinishReason.LENGTH
        if self._must_call and not self._tools:
            raise UpstreamError(NO_CALL)
        return FinishReason.STOP

    def _called(self, reason: FinishReason | None) -> str:
        """The tool calls as the text that a model here would have written, once they are complete."""
        if not reason or not self._tools:
            return ""
        return tools.called([tools.Call(name, arguments or "{}") for name, arguments in self._tools.values()])

    def _read_native(self, data: bytes) -> Piece:
        chunk = _NativeChunk.model_validate_json(data)
        _fail_if(chunk.error)
        if not chunk.stop:
            return Piece(chunk.content, bool(chunk.content))
        self.ended = True
        reason = FinishReason.LENGTH if chunk.stop_type == "limit" else FinishReason.STOP
        usage = Usage(chunk.tokens_evaluated, chunk.tokens_predicted, chunk.timings.cache_n)
        return Piece(chunk.content, bool(chunk.content), reason=reason, usage=usage)


def _fail_if(error: object) -> None:
    if error:
        raise UpstreamError


def _bytes(text: str) -> bytes:
    return text.encode(errors="replace")


def _best(logprobs: dict[str, float], top: int) -> tuple[tuple[bytes, float], ...]:
    ranked = sorted(logprobs.items(), key=lambda each: -each[1])[:top]
    return tuple((_bytes(token), logprob) for token, logprob in ranked)
