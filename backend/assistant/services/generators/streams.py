"""The token stream of one request, seen from the event loop as text."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from assistant.engine.types import Finished, FinishReason, Prefill, Queued, Token, TokenEvent
from assistant.services.generators.types import (
    EndEvent,
    Event,
    ModelIdentity,
    QueuedEvent,
    ReadingEvent,
    TextEvent,
)
from assistant.services.stream import TextAssembler


class EngineStream:
    """Text of one engine request. ``emit`` is for the engine's thread, everything else for the event loop's.

    Tokens that have piled up become one TextEvent, so a slow reader costs no more than the text itself. After
    ``max_seconds`` the answer ends as if it had reached its token limit.
    """

    def __init__(
        self,
        model: ModelIdentity,
        prompt_tokens: int,
        assembler: TextAssembler,
        piece: Callable[[int], bytes],
        cancel: Callable[[], object],
        max_seconds: float,
    ) -> None:
        self.model = model
        self.prompt_tokens = prompt_tokens
        self._assembler = assembler
        self._piece = piece
        self._cancel = cancel
        self._max_seconds = max_seconds
        self._loop = asyncio.get_running_loop()
        self._events: deque[TokenEvent] = deque()
        self._arrived = asyncio.Event()
        self._timed_out = False
        self._over = False

    def emit(self, event: TokenEvent) -> None:
        self._events.append(event)
        try:
            self._loop.call_soon_threadsafe(self._arrived.set)
        except RuntimeError:  # the loop is closed: nobody reads any more
            return

    def cancel(self) -> None:
        if not self._over:
            self._cancel()

    async def __aiter__(self) -> AsyncIterator[Event]:
        timer = self._loop.call_later(self._max_seconds, self._time_out)
        try:
            while not self._over:
                await self._arrived.wait()
                self._arrived.clear()
                for event in self._translate():
                    yield event
        finally:
            timer.cancel()
            self.cancel()

    def _time_out(self) -> None:
        self._timed_out = True
        self._cancel()

    def _translate(self) -> list[Event]:
        """What has piled up, as text events."""
        translated: list[Event] = []
        text, tokens = "", 0
        while self._events:
            event = self._events.popleft()
            if isinstance(event, Token):
                text, tokens = text + self._push(event.id), tokens + 1
            elif isinstance(event, Queued):
                translated.append(QueuedEvent(event.position, event.eta_s))
            elif isinstance(event, Prefill):
                translated.append(ReadingEvent(event.done, event.total))
            elif isinstance(event, Finished):
                text += self._assembler.finish()
                self._over = True
                if text or tokens:
                    translated.append(TextEvent(text, tokens))
                translated.append(EndEvent(self._reason(event), event.timings, event.error))
                return translated
        if text or tokens:
            translated.append(TextEvent(text, tokens))
        return translated

    def _push(self, token: int) -> str:
        text = self._assembler.push(self._piece(token))
        if self._assembler.stopped:
            self._cancel()
        return text

    def _reason(self, event: Finished) -> FinishReason:
        if self._assembler.stopped:
            return FinishReason.STOP
        if self._timed_out and event.reason is FinishReason.CANCELLED:
            return FinishReason.LENGTH
        return event.reason
