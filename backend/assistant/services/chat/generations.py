"""All chat generations of this process, and those of others through the database."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, update
from sqlalchemy.sql.elements import ColumnElement

from assistant.errors import DatabaseUnavailableError
from assistant.services.chat import written
from assistant.services.chat.live import LiveGeneration
from assistant.services.chat.written import Piece, Stage, Written
from assistant.services.database import Database
from assistant.services.history import search
from assistant.services.notices import Notices
from codellama_core.models import ACTIVE_STATUSES, GenerationEvent, Message, MessageStatus

logger = logging.getLogger(__name__)

LOOKS: Final = 6
"""How often one looks for generations that have gone quiet within the time that they may be quiet."""
PAINT_S: Final = 0.04
POLL_S: Final = 0.5
HEARING_POLL_S: Final = 5.0
"""A poll where notices come in: they wake the reader."""
PING_S: Final = 10.0
WAITING: Final = (MessageStatus.QUEUED, MessageStatus.READING)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything so far; replaces what the reader has."""

    text: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The generation is over. ``message`` is its record, or None when it was written elsewhere and must be read."""

    message: Message | None


@dataclass(frozen=True, slots=True)
class Ping:
    """Nothing new; keeps connections open."""


Update = Snapshot | Stage | Piece | Ended | Ping


class Generations:
    """Starts, follows and stops generations.

    One whose process is silent is marked interrupted at most ``reap_after_s`` after its last sign of life.
    """

    def __init__(self, database: Database, notices: Notices, instance_id: uuid.UUID, reap_after_s: float) -> None:
        self._database = database
        self._notices = notices
        self._instance_id = instance_id
        self._reap_after_s = reap_after_s
        self._live: dict[uuid.UUID, LiveGeneration] = {}
        self._readers: dict[uuid.UUID, set[asyncio.Event]] = {}
        notices.on(written.CHANGED, self._wake_readers)
        notices.on(written.STOP, self._stop_here)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        return len(self._live)

    def adopt(self, generation: LiveGeneration) -> asyncio.Task[None]:
        """Run a generation to its end, in the background."""
        self._live[generation.message_id] = generation
        task = asyncio.create_task(self._run(generation))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

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
            await written.announce(session, message_id, written.STOP)

    def _stop_here(self, message_id: str) -> None:
        if message_id and (live := self._live.get(uuid.UUID(message_id))) is not None:
            live.stop()

    def _wake_readers(self, message_id: str) -> None:
        """Those of one message; all of them where something may have been missed."""
        wanted = list(self._readers) if message_id == "" else [uuid.UUID(message_id)]
        for each in wanted:
            for reader in self._readers.get(each, ()):
                reader.set()

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
        stage: Stage | None = None
        while True:
            view = live.view
            if len(view.text) > sent:
                yield Piece(view.text[sent:], len(view.text), view.tokens, view.tokens_per_second)
                sent = len(view.text)
            if view.stage is not None and view.stage != stage:
                yield view.stage
                stage = view.stage
            if view.status not in ACTIVE_STATUSES and live.message_id not in self._live:
                yield Ended(live.message)
                return
            await live.changed(PING_S)
            if live.view == view:
                yield Ping()
            await asyncio.sleep(PAINT_S)

    async def _follow_elsewhere(self, message_id: uuid.UUID, after: int) -> AsyncIterator[Update]:
        """Another process generates, or nobody any more: read what it has written down."""
        with self._reader(message_id) as woken:
            now = await self._read(message_id, 0)
            sent = after if 0 < after <= now.length else 0
            if sent == 0 and now.length > 0:
                yield Snapshot(now.text)
                sent = now.length
            stage: Stage | None = None
            while True:
                now = await self._read(message_id, sent)
                if now.text:
                    yield Piece(now.text, now.length, now.tokens, now.tokens_per_second)
                    sent = now.length
                if now.status in WAITING and now.stage is not None and now.stage != stage:
                    yield now.stage
                    stage = now.stage
                if now.status not in ACTIVE_STATUSES:
                    yield Ended(None)
                    return
                if not await self._is_woken(woken):
                    yield Ping()

    @contextmanager
    def _reader(self, message_id: uuid.UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever there may be something new to read."""
        woken = asyncio.Event()
        self._readers.setdefault(message_id, set()).add(woken)
        try:
            yield woken
        finally:
            self._readers[message_id].discard(woken)
            if not self._readers[message_id]:
                del self._readers[message_id]

    async def _is_woken(self, woken: asyncio.Event) -> bool:
        """Wait for a notice, or until it is time to look without one."""
        try:
            await asyncio.wait_for(woken.wait(), HEARING_POLL_S if self._notices.listening else POLL_S)
        except TimeoutError:
            return False
        woken.clear()
        return True

    async def _read(self, message_id: uuid.UUID, after: int) -> Written:
        async with self._database.session() as session:
            return await written.read(session, message_id, after)

    async def interrupt_own(self) -> int:
        """At the start of the process: what it was writing when it last died is marked interrupted."""
        return await self._interrupt(Message.instance_id == self._instance_id)

    async def reap(self) -> None:
        """For as long as the process lives: mark generations whose process has gone quiet."""
        pause = self._reap_after_s / LOOKS
        while True:
            try:
                quiet = func.now() - timedelta(seconds=self._reap_after_s - pause)
                stale = func.coalesce(Message.heartbeat_at, Message.created_at) < quiet
                await self._interrupt(stale & Message.id.not_in(list(self._live)))
            except DatabaseUnavailableError:
                logger.debug("the database is away; reaping later")
            await asyncio.sleep(pause)

    async def _interrupt(self, condition: ColumnElement[bool]) -> int:
        statement = (
            update(Message)
            .where(Message.status.in_(ACTIVE_STATUSES), condition)
            .values(
                status=MessageStatus.INTERRUPTED,
                content=Message.content + func.coalesce(written.later_text(), ""),
                finished_at=func.now(),
            )
            .returning(Message.id)
        )
        async with self._database.session() as session:
            ids = list(await session.scalars(statement.execution_options(synchronize_session=False)))
            await search.index(session, Message.id.in_(ids))
            await session.execute(delete(GenerationEvent).where(GenerationEvent.message_id.in_(ids)))
            for each in ids:
                await written.announce(session, each)
        if ids:
            logger.warning("generations were interrupted", extra={"count": len(ids)})
        return len(ids)
