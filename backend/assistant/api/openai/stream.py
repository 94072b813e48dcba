"""OpenAI's streams: chunks as server-sent events, then ``[DONE]``; closing the connection cancels the generation."""

from collections.abc import AsyncIterator
from typing import Any

from assistant.api.http.disconnects import sse
from assistant.api.http.rendering import openai_error
from assistant.api.openai.answers import Calls, Envelope, Logprobs, finish_reason, timings_of, usage_of
from assistant.services.calls.interactions import Interaction
from assistant.services.generators.types import EndEvent, TextEvent

DONE = "data: [DONE]\n\n"


class Chunks:
    """The events of one answer as chunks."""

    def __init__(self, envelope: Envelope, calls: Calls, *, usage: bool, echo: str) -> None:
        self._envelope = envelope
        self._calls = calls
        self._usage = usage
        self._echo = echo
        self._logprobs = Logprobs(envelope.kind)

    def begin(self) -> list[str]:
        if self._envelope.is_chat:
            return [self._chunk({"delta": {"role": "assistant", "content": ""}})]
        return [self._chunk({"text": self._echo})] if self._echo else []

    def of(self, event: TextEvent) -> list[str]:
        """Chunks of some text, or of calls. The first one carries the log probabilities."""
        text, deltas = self._calls.push(event.text)
        contents = ([self._text(text)] if text else []) + [{"delta": {"tool_calls": [delta]}} for delta in deltas]
        logprobs = self._logprobs.shape(event.logprobs)
        if logprobs is not None and not contents:
            contents = [self._text("")]
        return [self._chunk(content, None if place else logprobs) for place, content in enumerate(contents)]

    def end(self, end: EndEvent) -> list[str]:
        if (failure := end.failure) is not None:
            return [sse({"error": openai_error(failure)})]
        rest = self._calls.finish()
        lines = [self._chunk(self._text(rest))] if rest else []
        reason = finish_reason(end, called=self._calls.made)
        last: dict[str, Any] = {"delta": {}} if self._envelope.is_chat else {"text": ""}
        lines.append(self._chunk(last, None, reason, timings=timings_of(end)))
        if self._usage:
            lines.append(sse(self._envelope.wrap([], chunk=True, usage=usage_of(end))))
        return [*lines, DONE]

    def _text(self, text: str) -> dict[str, Any]:
        return {"delta": {"content": text}} if self._envelope.is_chat else {"text": text}

    def _chunk(
        self, content: dict[str, Any], logprobs: dict[str, Any] | None = None, reason: str | None = None, **more: Any
    ) -> str:
        choice = {"index": 0, **content, "logprobs": logprobs, "finish_reason": reason}
        # with include_usage every chunk has the field, null but for the last
        empty = {"usage": None} if self._usage else {}
        return sse(self._envelope.wrap([choice], chunk=True, **empty, **more))


async def stream(interaction: Interaction, chunks: Chunks) -> AsyncIterator[str]:
    """The whole stream. Closing the iterator cancels the generation."""
    try:
        for line in chunks.begin():
            yield line
        async for event in interaction:
            lines = chunks.of(event) if isinstance(event, TextEvent) else []
            for line in chunks.end(event) if isinstance(event, EndEvent) else lines:
                yield line
    finally:
        interaction.close()
