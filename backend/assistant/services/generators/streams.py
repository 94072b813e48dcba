"""The token stream of one request, seen from the event loop as text."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Final

from assistant.engine.types import Finished, FinishReason, Prefill, Queued, Token, TokenEvent
from assistant.services.generators.assembler import TextAssembler
from assistant.services.generators.types import (
    EndEvent,
    Event,
    ModelIdentity,
    QueuedEvent,
    ReadingEvent,
    TextEvent,
    TokenLogprob,
)

MOST_UNREAD: Final = 4096
"""Events that wait for a reader before the request is cancelled; about 0.5 MiB, 12 MiB with 20 log probabilities."""
TOO_SLOW: Final = "The answer was not read as fast as it was written, so it was ended."


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds after which an answer ends as if it had reached its token limit.

    ``total`` from submission on. ``prompt``: without a first token by then, the answer stays empty. ``predict`` from
    the first token on, once there is a line.
    """

    total: float
    prompt: float | None = None
    predict: float | None = None


class EngineStream:
    """Text of one engine request. ``emit`` is for the engine's thread, everything else for the event loop's.

    Tokens that have piled up become one TextEvent, and of reports about the queue or the prompt only the newest is
    kept, so that a slow reader costs little. One who leaves MOST_UNREAD tokens unread is cut off.
    """

    def __init__(
        self,
        model: ModelIdentity,
        prompt_tokens: int,
        assembler: TextAssembler,
        piece: Callable[[int], bytes],
        cancel: Callable[[], object],
        limits: TimeLimits,
    ) -> None:
        self.model = model
        self.prompt_tokens = prompt_tokens
        self.expected_wait_s = 0.0
        self._assembler = assembler
        self._piece = piece
        self._cancel = cancel
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._events: deque[TokenEvent] = deque()
        self._arrived = asyncio.Event()
        self._first_token: float | None = None
        self._in_line = True
        self._logprobs: deque[tuple[int, TokenLogprob]] = deque()
        self._closing: FinishReason | None = None
        self._unread = False
        self._too_slow = False
        self._timed_out = False
        self._over = False

    def emit(self, event: TokenEvent) -> None:
        if isinstance(event, Token):
            self._first_token = self._first_token or time.monotonic()
            if len(self._events) >= MOST_UNREAD:
                self._too_slow = True
                self._wake(self.cancel)
                return
        elif not isinstance(event, Finished):
            self._drop_older(event)
        self._events.append(event)
        self._wake(self._arrived.set)

    def cancel(self) -> None:
        if not self._over:
            self._cancel()

    async def __aiter__(self) -> AsyncIterator[Event]:
        timers = [self._loop.call_at(self._began + self._limits.total, self._time_out)]
        if self._limits.prompt is not None:
            timers.append(self._loop.call_at(self._began + self._limits.prompt, self._give_up_reading))
        try:
            while not self._over:
                await self._arrived.wait()
                self._arrived.clear()
                for event in self._translate():
                    yield event
        finally:
            for timer in timers:
                timer.cancel()
            self.cancel()

    def _wake(self, callback: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # the loop is closed: nobody reads any more
            return

    def _drop_older(self, event: TokenEvent) -> None:
        """Remove the report that ``event`` replaces, if it is still the last one; the reader takes from the front."""
        try:
            last = self._events.pop()
        except IndexError:
            return
        if type(last) is not type(event):
            self._events.append(last)

    def _time_out(self) -> None:
        self._timed_out = True
        self.cancel()

    def _give_up_reading(self) -> None:
        if self._first_token is None:
            self._unread = True
            self._close(FinishReason.LENGTH)

    def _close(self, reason: FinishReason) -> None:
        """The answer ends here, whatever tokens are still under way."""
        self._closing = reason
        self.cancel()

    def _translate(self) -> list[Event]:
        """What has piled up, as text events."""
        translated: list[Event] = []
        text, tokens, logprobs = "", 0, list[TokenLogprob]()
        end: EndEvent | None = None
        while self._events and end is None:
            event = self._events.popleft()
            if isinstance(event, Token):
                if self._closing is None:
                    text, tokens = text + self._push(event), tokens + 1
                    logprobs += self._settled_logprobs()
            elif isinstance(event, Queued):
                translated.append(QueuedEvent(event.position, event.eta_s))
            elif isinstance(event, Prefill):
                translated.append(ReadingEvent(event.done, event.total))
            else:
                text += self._assembler.finish()
                logprobs += self._settled_logprobs(final=not self._assembler.stopped)
                self._over, end = True, self._end(event)
        if text or tokens:
            translated.append(TextEvent(text, tokens, tuple(logprobs)))
        return translated if end is None else [*translated, end]

    def _push(self, token: Token) -> str:
        start = self._assembler.received
        text = self._assembler.push(self._piece(token.id))
        if token.logprob is not None:
            top = tuple((self._piece(other), logprob) for other, logprob in token.top)
            self._logprobs.append((start, TokenLogprob(self._piece(token.id), token.logprob, top)))
        if self._assembler.stopped:
            self._close(FinishReason.STOP)
        elif self._is_late(text):
            self._close(FinishReason.LENGTH)
        return text

    def _settled_logprobs(self, *, final: bool = False) -> list[TokenLogprob]:
        """Those of tokens whose text has begun to be shown, in the end all but those that a stop string cuts off."""
        settled = []
        while self._logprobs and (final or self._logprobs[0][0] < self._assembler.settled):
            settled.append(self._logprobs.popleft()[1])
        return settled

    def _is_late(self, text: str) -> bool:
        """Whether writing has taken too long, and a line is complete."""
        self._in_line = self._in_line and "\n" not in text
        if self._limits.predict is None or self._first_token is None or self._in_line:
            return False
        return time.monotonic() - self._first_token >= self._limits.predict

    def _end(self, event: Finished) -> EndEvent:
        if self._too_slow:
            return EndEvent(FinishReason.ERROR, event.timings, TOO_SLOW)
        if self._unread:
            return EndEvent(FinishReason.LENGTH, replace(event.timings, completion_tokens=0))
        if self._closing is not None:
            return EndEvent(self._closing, event.timings, stopped_by=self._assembler.stopped_by)
        if self._timed_out and event.reason is FinishReason.CANCELLED:
            return EndEvent(FinishReason.LENGTH, event.timings)
        return EndEvent(event.reason, event.timings, event.error)
