"""One running chat generation: it outlives the connection that asked for it.

A position in an answer is a number of characters. So the text so far and the place to resume from are read together,
and a reader that says how much it has can never get anything twice or miss any.
"""

import asyncio
import contextlib
import logging
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.engine.types import FinishReason, Timings
from assistant.errors import DatabaseUnavailableError
from assistant.services.answered import answered
from assistant.services.chat import written
from assistant.services.chat.written import Piece, Stage
from assistant.services.database import Database
from assistant.services.generators.types import EndEvent, QueuedEvent, ReadingEvent, TextEvent, TextStream
from assistant.services.spool import Spool
from assistant.telemetry import Metrics
from assistant.tracing import untraced
from codellama_core.models import Message, MessageStatus

logger = logging.getLogger(__name__)

FLUSH_S: Final = 0.2
MATERIALIZE_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class View:
    """What a reader may know of a generation at one moment. ``tokens_per_second`` is 0 until there are two tokens."""

    text: str
    status: MessageStatus
    queued: QueuedEvent | None
    reading: ReadingEvent | None
    tokens: int
    tokens_per_second: float

    @property
    def stage(self) -> Stage | None:
        """How the wait for the first word goes; None once it is over."""
        return {MessageStatus.QUEUED: self.queued, MessageStatus.READING: self.reading}.get(self.status)


class LiveGeneration:
    """Drains a text stream, keeps what it says, and writes it down every 200 ms.

    ``message`` is the record, detached from any session; at the end it is brought up to date here too, so that readers
    see how it ended even while the database is away. What it has of an answer already goes on: positions count from its
    beginning, and so do the tokens and seconds that are stored.
    """

    def __init__(
        self,
        message: Message,
        stream: TextStream,
        database: Database,
        spool: Spool,
        metrics: Metrics,
    ) -> None:
        self.message = message
        self.message_id: uuid.UUID = message.id
        self._stream = stream
        self._database = database
        self._spool = spool
        self._metrics = metrics
        self._changed = asyncio.Event()
        self._text = message.content
        self._tokens = 0
        self._tokens_before = message.completion_tokens or 0
        self._seconds_before = message.duration_s or 0.0
        self._first_token_at: float | None = None
        self._last_token_at = 0.0
        self._started_at = time.monotonic()
        self._queued: QueuedEvent | None = None
        self._reading: ReadingEvent | None = None
        self._status = MessageStatus.QUEUED
        self._stopped = False
        self._written = len(self._text)
        self._stage_written: Stage | None = None
        self._materialized_at = time.monotonic()

    @property
    def view(self) -> View:
        elapsed = self._last_token_at - (self._first_token_at or 0.0)
        rate = (self._tokens - 1) / elapsed if self._tokens > 1 and elapsed > 0 else 0.0
        return View(self._text, self._status, self._queued, self._reading, self._tokens, rate)

    async def changed(self, seconds: float) -> None:
        """Return when there is something new to see, or after that long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), seconds)

    def begin_clock(self) -> None:
        """Count the answer's seconds from now on: before, it waited for another one."""
        self._started_at = time.monotonic()

    def stop(self) -> None:
        """End the generation on a person's wish; what is written so far stays."""
        self._stopped = True
        self._stream.cancel()

    def abandon(self) -> None:
        """End the generation because the process is going away."""
        self._stream.cancel()

    async def run(self) -> None:
        """Drive the stream to its end and store the answer, whatever happens to readers or the database."""
        flusher = asyncio.create_task(self._flush_regularly())
        end: EndEvent | None = None
        try:
            async for event in self._stream:
                if isinstance(event, EndEvent):
                    end = event
                else:
                    self._take(event)
        except Exception:
            logger.exception("a generation failed", extra={"message_id": self.message_id})
        finally:
            self._stream.cancel()
            flusher.cancel()
            await asyncio.gather(flusher, return_exceptions=True)
            await self._store(end)
            self._notify()

    def _take(self, event: QueuedEvent | ReadingEvent | TextEvent) -> None:
        if isinstance(event, QueuedEvent):
            self._status, self._queued = MessageStatus.QUEUED, event
        elif isinstance(event, ReadingEvent):
            self._status, self._reading = MessageStatus.READING, event
        else:
            self._last_token_at = time.monotonic()
            self._first_token_at = self._first_token_at or self._last_token_at
            self._status = MessageStatus.WRITING
            self._text += event.text
            self._tokens += event.tokens
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _flush_regularly(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_S)
            try:
                with untraced():
                    await self._flush()
            except DatabaseUnavailableError:
                logger.warning(
                    "the database is away; the text is kept in memory", extra={"message_id": self.message_id}
                )
                await asyncio.sleep(1)

    async def _flush(self) -> None:
        view = self.view
        whole = time.monotonic() - self._materialized_at > MATERIALIZE_S
        async with self._database.session() as session:
            values: dict[str, Any] = {"heartbeat_at": datetime.now(UTC), "status": view.status}
            statement = update(Message).where(Message.id == self.message_id).returning(Message.stop_requested)
            asked_to_stop = await session.scalar(statement.values(values | ({"content": view.text} if whole else {})))
            is_deleted = asked_to_stop is None
            if not is_deleted:
                await self._write_news(session, view)
        self._written, self._stage_written = len(view.text), view.stage
        if whole:
            self._materialized_at = time.monotonic()
        if (asked_to_stop or is_deleted) and not self._stopped:
            self.stop()

    async def _write_news(self, session: AsyncSession, view: View) -> None:
        """For readers in other processes: how the wait goes on, and the text since the last time."""
        news = view.text[self._written :]
        stage = view.stage if view.stage != self._stage_written else None
        if stage is not None:
            await written.set_stage(session, self.message_id, stage)
        if news:
            piece = Piece(news, len(view.text), view.tokens, view.tokens_per_second)
            await written.append(session, self.message_id, piece)
        if news or stage is not None:
            await written.announce(session, self.message_id)

    async def _store(self, end: EndEvent | None) -> None:
        """Write the final state of the message; if the database is away, the spool keeps it."""
        self._status = self._final_status(end)
        values: dict[str, Any] = {
            "id": self.message_id,
            "content": self._text,
            "status": self._status,
            "finish_reason": end.reason if end else FinishReason.ERROR,
            "error": _reason(end) if self._status is MessageStatus.ERROR else None,
            "completion_tokens": self._tokens,
            "duration_s": self._seconds_before + time.monotonic() - self._started_at,
            "finished_at": datetime.now(UTC),
        }
        if end is not None:
            values |= _figures(end.timings)
            answered(self._metrics, "conversation", self._stream.model, end)
        values["completion_tokens"] += self._tokens_before
        for name, value in values.items():
            setattr(self.message, name, value)
        try:
            await self._spool.write("message", values)
        except Exception:
            logger.exception("an answer could not be stored", extra={"message_id": self.message_id})

    def _final_status(self, end: EndEvent | None) -> MessageStatus:
        if end is None or end.reason is FinishReason.ERROR:
            return MessageStatus.ERROR
        if end.reason is FinishReason.CANCELLED:
            return MessageStatus.STOPPED if self._stopped else MessageStatus.INTERRUPTED
        return MessageStatus.DONE


def _reason(end: EndEvent | None) -> str:
    return (end.error if end else None) or "The model stopped working on this answer; try again."


def _figures(timings: Timings) -> dict[str, Any]:
    """The engine's own measurements of a finished answer."""
    return {
        "prompt_tokens": timings.prompt_tokens,
        "cached_tokens": timings.cached_tokens,
        "completion_tokens": timings.completion_tokens,
        "time_to_first_token_s": timings.queued_s + timings.prefill_s if timings.completion_tokens else None,
        "tokens_per_second": (timings.completion_tokens - 1) / timings.decode_s if timings.decode_s > 0 else None,
    }
