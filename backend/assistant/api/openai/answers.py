"""OpenAI's response shapes: envelopes, choices, log probabilities, usage and timings."""

import codecs
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from assistant.engine.types import FinishReason, Timings
from assistant.services.calls.interactions import Answer
from assistant.services.calls.tools import CallDelta, CallReader
from assistant.services.generators.types import EndEvent, TokenLogprob

Kind = Literal["chat.completion", "text_completion"]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all chunks of one answer share."""

    kind: Kind
    model: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def is_chat(self) -> bool:
        return self.kind == "chat.completion"

    def wrap(self, choices: list[dict[str, Any]], *, chunk: bool = False, **more: Any) -> dict[str, Any]:
        prefix, suffix = ("chatcmpl", ".chunk" if chunk else "") if self.is_chat else ("cmpl", "")
        return {
            "id": f"{prefix}-{self.id}", "object": self.kind + suffix, "created": self.created, "model": self.model,
            "choices": choices, **more,
        }  # fmt: skip


class Logprobs:
    """Log probabilities in the shape of an answer's kind. One object for one answer: it counts characters."""

    def __init__(self, kind: Kind) -> None:
        self._chat = kind == "chat.completion"
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._offset = 0

    def shape(self, tokens: Sequence[TokenLogprob]) -> dict[str, Any] | None:
        if not tokens:
            return None
        if self._chat:
            return {"content": [_chat_logprob(token) for token in tokens], "refusal": None}
        return {
            "tokens": [_text(token.piece) for token in tokens],
            "token_logprobs": [token.logprob for token in tokens],
            "top_logprobs": [{_text(piece): logprob for piece, logprob in token.top} for token in tokens],
            "text_offset": [self._next_offset(token.piece) for token in tokens],
        }

    def _next_offset(self, piece: bytes) -> int:
        offset = self._offset
        self._offset += len(self._decoder.decode(piece))
        return offset


def _chat_logprob(token: TokenLogprob) -> dict[str, Any]:
    top = [_logprob(piece, logprob) for piece, logprob in token.top]
    return {**_logprob(token.piece, token.logprob), "top_logprobs": top}


def _logprob(piece: bytes, logprob: float) -> dict[str, Any]:
    return {"token": _text(piece), "logprob": logprob, "bytes": list(piece)}


def _text(piece: bytes) -> str:
    return piece.decode(errors="replace")


class Calls:
    """The calls of one answer, if it may make any: numbered, with ids."""

    def __init__(self, *, possible: bool) -> None:
        self._reader = CallReader() if possible else None
        self._ids: list[str] = []

    @property
    def made(self) -> bool:
        return bool(self._ids)

    def push(self, text: str) -> tuple[str, list[dict[str, Any]]]:
        """Text of the answer itself, and OpenAI's deltas of its calls."""
        if self._reader is None:
            return text, []
        plain, deltas = self._reader.push(text)
        return plain, [self._delta(delta) for delta in deltas]

    def finish(self) -> str:
        return "" if self._reader is None else self._reader.finish()

    def whole(self, text: str) -> tuple[str, list[dict[str, Any]]]:
        """A whole answer: its text, and its calls."""
        plain, deltas = self.push(text)
        calls: list[dict[str, Any]] = []
        for delta in deltas:
            if "id" in delta:
                calls.append({name: delta[name] for name in ("id", "type", "function")})
            else:
                calls[delta["index"]]["function"]["arguments"] += delta["function"]["arguments"]
        return plain + self.finish(), calls

    def _delta(self, delta: CallDelta) -> dict[str, Any]:
        if delta.name is None:
            return {"index": delta.index, "function": {"arguments": delta.arguments}}
        self._ids.append(f"call_{uuid.uuid4().hex[:24]}")
        function = {"name": delta.name, "arguments": delta.arguments}
        return {"index": delta.index, "id": self._ids[-1], "type": "function", "function": function}


def whole(answer: Answer, envelope: Envelope, calls: Calls, echo: str = "") -> dict[str, Any]:
    """The body of an answer that is not streamed."""
    text, made = calls.whole(answer.text)
    content: dict[str, Any] = {"text": echo + text}
    if envelope.is_chat:
        message: dict[str, Any] = {"role": "assistant", "content": text or None if made else text}
        content = {"message": message | ({"tool_calls": made} if made else {})}
    choice = {
        "index": 0, **content, "logprobs": Logprobs(envelope.kind).shape(answer.logprobs),
        "finish_reason": finish_reason(answer.end, called=calls.made),
    }  # fmt: skip
    return envelope.wrap([choice], usage=usage_of(answer.end), timings=timings_of(answer.end))


def finish_reason(end: EndEvent, *, called: bool = False) -> str:
    if end.reason is FinishReason.LENGTH:
        return "length"
    return "tool_calls" if called else "stop"


def usage_of(end: EndEvent) -> dict[str, Any]:
    timings = end.timings
    return {
        "prompt_tokens": timings.prompt_tokens,
        "completion_tokens": timings.completion_tokens,
        "total_tokens": timings.prompt_tokens + timings.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": timings.cached_tokens},
    }


def timings_of(end: EndEvent) -> dict[str, float]:
    """An extension, in the names of llama-server's: milliseconds and tokens, and the time in the queue beside them."""
    return {"queued_ms": end.timings.queued_s * 1000, **figures(end.timings)}


def figures(timings: Timings) -> dict[str, float]:
    """llama-server's figures; rates are 0 where nothing was done."""
    read, written = timings.prompt_tokens - timings.cached_tokens, timings.completion_tokens
    found: dict[str, float] = {"cache_n": timings.cached_tokens}
    for name, count, seconds in (("prompt", read, timings.prefill_s), ("predicted", written, timings.decode_s)):
        found |= {
            f"{name}_n": count,
            f"{name}_ms": seconds * 1000,
            f"{name}_per_token_ms": seconds * 1000 / count if count else 0.0,
            f"{name}_per_second": count / seconds if seconds > 0 else 0.0,
        }
    return found | {"draft_n": timings.drafted_tokens, "draft_n_accepted": timings.accepted_tokens}


def answer_body(answer: Answer) -> dict[str, Any]:
    """What the simple calls add to their text."""
    return {"model": answer.model.name, "finish_reason": finish_reason(answer.end), "usage": usage_of(answer.end)}
