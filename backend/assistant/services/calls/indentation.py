"""An answer that ends where the block ends: at the first line indented less than the one it continues."""

from collections.abc import AsyncIterator
from dataclasses import replace

from assistant.engine.types import FinishReason
from assistant.services.generators.types import EndEvent, Event, ModelIdentity, TextEvent, TextStream


class IndentCut:
    """Lets text through up to the first line with fewer than ``least`` white space characters before its text.

    The first line goes on what the cursor's line has begun and may be anything; empty lines do not count, and those
    before the cut go with it.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._held = ""
        self._open = True
        self.cut = False

    def push(self, text: str) -> str:
        """Text that is certain to stay; sets ``cut`` at a line that is not."""
        if self.cut or self._least <= 0:
            return "" if self.cut else text
        self._held += text
        released = ""
        while self._held and not self.cut:
            end = self._line_end() if self._open else self._line_begin()
            if end is None:
                break
            released, self._held = released + self._held[:end], self._held[end:]
        return released

    def finish(self) -> str:
        """The rest, when no more text comes."""
        return "" if self.cut else self._held

    def _line_end(self) -> int:
        end = self._held.find("\n")
        self._open = end < 0
        return len(self._held) if end < 0 else end

    def _line_begin(self) -> int | None:
        """Where the text of the next line begins that has any. Before it are only line ends and white space."""
        begin = len(self._held) - len(self._held.lstrip())
        if begin == len(self._held):
            return None
        indent = begin - 1 - self._held.rfind("\n", 0, begin)
        self.cut = indent < self._least
        self._open = True
        return None if self.cut else begin


class IndentedStream:
    """A TextStream that ends where the indentation does, as if a stop string stood there."""

    def __init__(self, stream: TextStream, least: int) -> None:
        self._stream = stream
        self._filter = IndentCut(least)

    @property
    def model(self) -> ModelIdentity:
        return self._stream.model

    @property
    def prompt_tokens(self) -> int:
        return self._stream.prompt_tokens

    @property
    def expected_wait_s(self) -> float:
        return self._stream.expected_wait_s

    def cancel(self) -> None:
        self._stream.cancel()

    async def __aiter__(self) -> AsyncIterator[Event]:
        async for event in self._stream:
            if isinstance(event, TextEvent):
                yield replace(event, text=self._filter.push(event.text))
                if self._filter.cut:
                    self._stream.cancel()
            elif isinstance(event, EndEvent):
                if rest := self._filter.finish():
                    yield TextEvent(rest, 0)
                cut = self._filter.cut and event.reason is not FinishReason.ERROR
                yield replace(event, reason=FinishReason.STOP) if cut else event
            else:
                yield event
