"""A text stream over whatever makes pieces of text: waits at the desk, keeps the time, ends every answer properly."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from assistant.engine.types import FinishReason, Timings
from assistant.errors import AssistantError
from assistant.services.generators.assembler import TextAssembler
from assistant.services.generators.desk import Desk, Ticket
from assistant.services.generators.streams import MOST_UNREAD, TOO_SLOW
from assistant.services.generators.types import (
    EndEvent,
    Event,
    ModelIdentity,
    QueuedEvent,
    ReadingEvent,
    TextEvent,
    TextRequest,
    TokenLogprob,
    begun_of,
)

logger = logging.getLogger(__name__)

FAILED: Final = "The model stopped working on this answer; try again."


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the maker of the text states them."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """What has happened since the last piece: text of ``tokens`` tokens, progress, the end, or the bill."""

    text: str = ""
    tokens: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()
    reading: ReadingEvent | None = None
    reason: FinishReason | None = None
    usage: Usage | None = None


@dataclass(slots=True)
class Tally:
    """What a generator has done since it started, for metrics."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0
    cancelled: int = 0

    def add(self, end: EndEvent) -> None:
        self.prompt_tokens += end.timings.prompt_tokens
        self.cached_tokens += end.timings.cached_tokens
        self.generated_tokens += end.timings.completion_tokens
        self.cancelled += end.reason is FinishReason.CANCELLED


@dataclass(slots=True)
class Meter:
    """Times and tokens of one request on our own clock; ``usage`` replaces our counts where it is known."""

    prompt_tokens: int
    submitted: float = field(default_factory=time.monotonic)
    admitted: float | None = None
    first: float | None = None
    last: float | None = None
    tokens: int = 0
    usage: Usage | None = None

    @property
    def seconds(self) -> float:
        """Since the request was made."""
        return time.monotonic() - self.submitted

    def add(self, tokens: int) -> None:
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.tokens += tokens

    def timings(self) -> Timings:
        now = time.monotonic()
        admitted = self.admitted or now
        first = self.first or now
        usage = self.usage or Usage(self.prompt_tokens, self.tokens)
        return Timings(
            usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens, queued_s=admitted - self.submitted,
            prefill_s=first - admitted, decode_s=(self.last or first) - first,
        )  # fmt: skip


Work = Callable[[], AsyncGenerator[Piece]]


class PieceStream:
    """The TextStream of one request. It runs in a task of its own from ``begin`` on, whether or not it is read.

    After ``max_seconds`` or ``max_tokens`` the answer ends as if it had reached its token limit. Text that has piled up
    becomes one event; a reader who leaves MOST_UNREAD unread is cut off. ``settled`` is set as soon as it is clear
    whether the request is taken; ``refusal`` is why it is not.
    """

    def __init__(
        self, model: ModelIdentity, request: TextRequest, prompt_tokens: int, *, strip: bool, max_tokens: int,
        max_seconds: float,
    ) -> None:  # fmt: skip
        self.model = model
        self.prompt_tokens = prompt_tokens
        self.expected_wait_s = 0.0
        self.refusal: AssistantError | None = None
        self.settled = asyncio.Event()
        self._request = request
        self._max_tokens = max_tokens
        self._max_seconds = max_seconds
        self._assembler = TextAssembler(request.stop, strip=strip, begun=bool(begun_of(request.prompt)))
        self._meter = Meter(prompt_tokens)
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[FinishReason] | None = None
        self._accepted = False
        self._has_line = False

    def begin(self, desk: Desk, work: Work, tally: Tally) -> None:
        """Queue up at the desk, then do the work. Raises BusyError when the queue is full."""
        ticket = desk.arrive(self._request.priority, self._request.fairness_key)
        self.expected_wait_s = ticket.expected_wait_s
        self._task = asyncio.create_task(self._work(ticket, work))
        self._task.add_done_callback(partial(self._finish, ticket, tally))

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def __aiter__(self) -> AsyncIterator[Event]:
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                while self._events:
                    event = self._next_event()
                    yield event
                    if isinstance(event, EndEvent):
                        return
        finally:
            self.cancel()

    def _next_event(self) -> Event:
        event = self._events.popleft()
        while isinstance(event, TextEvent) and self._events and isinstance(self._events[0], TextEvent):
            more = self._events.popleft()
            assert isinstance(more, TextEvent)
            event = TextEvent(event.text + more.text, event.tokens + more.tokens, event.logprobs + more.logprobs)
        return event

    def _push(self, event: Event) -> None:
        """Of reports about the queue or the prompt only the newest is kept."""
        last = self._events[-1] if self._events else None
        if type(last) is type(event) and isinstance(event, QueuedEvent | ReadingEvent):
            self._events.pop()
        self._events.append(event)
        self._arrived.set()

    async def _work(self, ticket: Ticket, work: Work) -> FinishReason:
        try:
            async with asyncio.timeout(self._seconds_to_first_token) as patience:
                async for moved in ticket.wait():
                    self._push(moved)
                self._meter.admitted = ticket.admitted
                self._push(ReadingEvent(0, self.prompt_tokens))
                async with contextlib.aclosing(work()) as pieces:
                    return await self._take_all(pieces, patience)
        except TimeoutError:
            return FinishReason.LENGTH

    @property
    def _seconds_to_first_token(self) -> float:
        return min(self._max_seconds, self._request.max_prompt_s or self._max_seconds)

    async def _take_all(self, pieces: AsyncIterator[Piece], patience: asyncio.Timeout) -> FinishReason:
        """Pieces to events, until the text ends or has to; after its end only the bill is waited for."""
        reason: FinishReason | None = None
        async for piece in pieces:
            self._accepted = True
            self.settled.set()
            if self._meter.tokens + piece.tokens > self._max_tokens:
                return FinishReason.LENGTH
            if piece.tokens and self._meter.first is None:
                rest_s = self._max_seconds - self._meter.seconds
                patience.reschedule(asyncio.get_running_loop().time() + rest_s)
            self._take(piece)
            reason = piece.reason or reason
            if self._assembler.stopped:
                return FinishReason.STOP
            if self._wrote_long_enough():
                return FinishReason.LENGTH
        return reason or FinishReason.STOP

    def _wrote_long_enough(self) -> bool:
        """After ``max_predict_s`` the answer ends with the line it is in."""
        most_s, first = self._request.max_predict_s, self._meter.first
        return most_s is not None and first is not None and self._has_line and time.monotonic() - first > most_s

    def _take(self, piece: Piece) -> None:
        if piece.usage is not None:
            self._meter.usage = piece.usage
        if piece.reading is not None:
            self._push(piece.reading)
        if piece.text or piece.tokens:
            self._meter.add(piece.tokens)
            if len(self._events) >= MOST_UNREAD:
                raise AssistantError(TOO_SLOW)
            text = self._assembler.push(piece.text.encode(errors="replace"))
            self._has_line = self._has_line or "\n" in text
            self._push(TextEvent(text, piece.tokens, piece.logprobs))

    def _finish(self, ticket: Ticket, tally: Tally, task: asyncio.Task[FinishReason]) -> None:
        """Also called for a task that was cancelled before its first step."""
        ticket.leave()
        reason, failure = self._outcome(task)
        if rest := self._assembler.finish():
            self._push(TextEvent(rest, 0))
        message = None if failure is None else failure.message
        end = EndEvent(reason, self._meter.timings(), message, self._assembler.stopped_by, failure)
        if self.refusal is None:
            tally.add(end)
        self._push(end)
        self.settled.set()

    def _outcome(self, task: asyncio.Task[FinishReason]) -> tuple[FinishReason, AssistantError | None]:
        if task.cancelled():
            return FinishReason.CANCELLED, None
        failure = task.exception()
        if failure is None:
            return task.result(), None
        if not isinstance(failure, AssistantError):
            logger.error("an answer failed", exc_info=failure)
            failure = AssistantError(FAILED)
        if not self._accepted:
            self.refusal = failure
        return FinishReason.ERROR, failure
