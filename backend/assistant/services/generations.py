"""All chat generations of this process, and those of others through the database."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Text, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql.elements import ColumnElement

from assistant.errors import DatabaseUnavailableError
from assistant.services import search
from assistant.services.database import Database
from assistant.services.generators.types import QueuedEvent, ReadingEvent
from assistant.services.live import LiveGeneration
from codellama_core.models import ACTIVE_STATUSES, GenerationEvent, Message, MessageStatus

logger = logging.getLogger(__name__)

REAP_AFTER_S: Final = 90
REAP_EVERY_S: Final = 15
PAINT_S: Final = 0.04
POLL_S: Final = 0.5
PING_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything so far; replaces what the reader has."""

    text: str


@dataclass(frozen=True, slots=True)
class Delta:
    """Text that follows; ``seq`` is the answer's length, in characters, with it."""

    text: str
    seq: int
    tokens: int
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The generation is over. ``message`` is its record, or None when it was written elsewhere and must be read."""

    message: Message | None


@dataclass(frozen=True, slots=True)
class Ping:
    """Nothing new; keeps connections open."""


Update = Snapshot | QueuedEvent | ReadingEvent | Delta | Ended | Ping


class Generations:
    """Starts, follows and stops generations."""

    def __init__(self, database: Database, instance_id: uuid.UUID) -> None:
        self._database = database
        self._instance_id = instance_id
        self._live: dict[uuid.UUID, LiveGeneration] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        return len(self._live)

    def adopt(self, generation: LiveGeneration) -> None:
        """Run a generation to its end, in the background."""
        self._live[generation.message_id] = generation
        task = asyncio.create_task(self._run(generation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, generation: LiveGeneration) -> None:
        try:
            await generation.run()
        finally:
            self._live.pop(generation.message_id, None)

    async def stop(self, message_id: uuid.UUID) -> None:
        """Ask a generation to end, wherever it runs."""
        if (live := self._live.get(message_id)) is not None:
            live.stop()
            return
        statement = update(Message).where(Message.id == message_id, Message.status.in_(ACTIVE_STATUSES))
        async with self._database.session() as session:
            await session.execute(statement.values(stop_requested=True))

    async def drain(self, seconds: float) -> None:
        """Let what runs finish for that long, then end the rest as interrupted."""
        if self._tasks and seconds > 0:
            await asyncio.wait(self._tasks, timeout=seconds)
        for live in list(self._live.values()):
            live.abandon()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    async def follow(self, message_id: uuid.UUID, after: int = 0) -> AsyncIterator[Update]:
        """What happens to a generation, from character ``after`` on, to its end."""
        live = self._live.get(message_id)
        source = self._follow_here(live, after) if live is not None else self._follow_elsewhere(message_id, after)
        async for event in source:
            yield event

    async def _follow_here(self, live: LiveGeneration, after: int) -> AsyncIterator[Update]:
        view = live.view
        sent = after if 0 < after <= len(view.text) else len(view.text)
        if sent != after:
            yield Snapshot(view.text)
        stage: QueuedEvent | ReadingEvent | None = None
        while True:
            view = live.view
            if len(view.text) > sent:
                yield Delta(view.text[sent:], len(view.text), view.tokens, view.tokens_per_second)
                sent = len(view.text)
            current = {MessageStatus.QUEUED: view.queued, MessageStatus.READING: view.reading}.get(view.status)
            if current is not None and current != stage:
                yield current
                stage = current
            if view.status not in ACTIVE_STATUSES and live.message_id not in self._live:
                yield Ended(live.message)
                return
            await live.changed(PING_S)
            if live.view == view:
                yield Ping()
            await asyncio.sleep(PAINT_S)

    async def _follow_elsewhere(self, message_id: uuid.UUID, after: int) -> AsyncIterator[Update]:
        """Another process generates, or nobody any more: read what it has written down."""
        sent: int | None = None
        quiet = 0.0
        while True:
            status, text, tokens = await self._read(message_id)
            if sent is None:
                sent = after if 0 < after <= len(text) else len(text)
                if sent != after:
                    yield Snapshot(text)
            if len(text) > sent:
                yield Delta(text[sent:], len(text), tokens, 0.0)
                sent, quiet = len(text), 0.0
            if status not in ACTIVE_STATUSES:
                yield Ended(None)
                return
            await asyncio.sleep(POLL_S)
            quiet += POLL_S
            if quiet >= PING_S:
                yield Ping()
                quiet = 0.0

    async def _read(self, message_id: uuid.UUID) -> tuple[MessageStatus, str, int]:
        query = select(Message.status, Message.content, _later_text(), _later_tokens()).where(Message.id == message_id)
        async with self._database.session() as session:
            row = (await session.execute(query)).one()
        return row[0], row[1] + (row[2] or ""), row[3] or 0

    async def interrupt_own(self) -> int:
        """At the start of the process: what it was writing when it last died is marked interrupted."""
        return await self._interrupt(Message.instance_id == self._instance_id)

    async def reap(self) -> None:
        """For as long as the process lives: mark generations whose process has gone quiet."""
        while True:
            try:
                stale = func.coalesce(Message.heartbeat_at, Message.created_at) < func.now() - func.make_interval(
                    0, 0, 0, 0, 0, 0, REAP_AFTER_S
                )
                await self._interrupt(stale & Message.id.not_in(list(self._live)))
            except DatabaseUnavailableError:
                logger.debug("the database is away; reaping later")
            await asyncio.sleep(REAP_EVERY_S)

    async def _interrupt(self, condition: ColumnElement[bool]) -> int:
        statement = (
            update(Message)
            .where(Message.status.in_(ACTIVE_STATUSES), condition)
            .values(
                status=MessageStatus.INTERRUPTED,
                content=Message.content + func.coalesce(_later_text(), ""),
                finished_at=func.now(),
            )
            .returning(Message.id)
        )
        async with self._database.session() as session:
            ids = list(await session.scalars(statement.execution_options(synchronize_session=False)))
            await search.index(session, Message.id.in_(ids))
            await session.execute(delete(GenerationEvent).where(GenerationEvent.message_id.in_(ids)))
        if ids:
            logger.warning("generations were interrupted", extra={"count": len(ids)})
        return len(ids)


def _later_text() -> ColumnElement[str | None]:
    """Text of the events that the message's content does not hold yet."""
    piece = GenerationEvent.payload["text"].astext.cast(Text)
    return (
        select(func.string_agg(piece, aggregate_order_by(literal(""), GenerationEvent.seq)))
        .where(GenerationEvent.message_id == Message.id, GenerationEvent.seq > func.length(Message.content))
        .correlate(Message)
        .scalar_subquery()
    )


def _later_tokens() -> ColumnElement[int | None]:
    return (
        select(func.max(GenerationEvent.payload["tokens"].as_integer()))
        .where(GenerationEvent.message_id == Message.id)
        .correlate(Message)
        .scalar_subquery()
    )
