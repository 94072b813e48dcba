"""Writes that wait on disk while the database is away, and are made when it is back.

Each record is one file, written under another name and renamed, so a crash leaves whole records only. Records are
replayed oldest first, and writing one twice changes nothing (inserts skip existing ids, updates name their row).
"""

import asyncio
import json
import logging
import os
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import delete, inspect, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import DatabaseUnavailableError
from assistant.services.chat import written
from assistant.services.database import Database
from assistant.services.history import search
from codellama_core.models import ApiInteraction, Base, GenerationEvent, Message

logger = logging.getLogger(__name__)

RETRY_S: Final = 2.0
Kind = Literal["interaction", "acceptance", "message"]
_TABLES: Final[dict[Kind, type[Base]]] = {
    "interaction": ApiInteraction,
    "acceptance": ApiInteraction,
    "message": Message,
}


class Spool:
    """Writes records to the database, or to ``folder`` until that is possible."""

    def __init__(self, database: Database, folder: Path, on_spooled: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._folder = folder
        self._on_spooled = on_spooled
        self._count = 0

    async def write(self, kind: Kind, values: dict[str, Any]) -> None:
        """Make a record durable: in the database if it answers, on disk otherwise. ``values`` has the row's ``id``.

        An acceptance waits its turn behind what is on disk, which may be the row that it changes.
        """
        try:
            if kind == "acceptance" and self.pending:
                raise DatabaseUnavailableError
            await self._apply(kind, values)
        except DatabaseUnavailableError:
            await asyncio.to_thread(self._store, kind, values)
            self._on_spooled()

    @property
    def pending(self) -> int:
        return sum(1 for _ in self._folder.glob("*.json")) if self._folder.is_dir() else 0

    async def run(self) -> None:
        """Replay what waits, for as long as the process lives."""
        while True:
            if self.pending:
                await self.replay()
            await asyncio.sleep(RETRY_S)

    async def replay(self) -> None:
        """Write what waits to the database, until it is done or the database is away again."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                record = json.loads(path.read_text())
                await self._apply(record["kind"], record["values"])
            except DatabaseUnavailableError:
                return
            except (ValueError, KeyError, IntegrityError):
                logger.exception("a spooled record cannot be written; it is kept aside", extra={"file": path.name})
                path.rename(path.with_suffix(".rejected"))
                continue
            path.unlink()
        logger.info("the database is back; all spooled records are written")

    def _store(self, kind: Kind, values: dict[str, Any]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._count += 1
        path = self._folder / f"{time.time_ns():020d}-{self._count:06d}.json"
        temporary = path.with_suffix(".part")
        with temporary.open("w") as file:
            json.dump({"kind": kind, "values": values}, file, default=_plain)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)

    async def _apply(self, kind: Kind, values: dict[str, Any]) -> None:
        row = _typed(_TABLES[kind], values)
        async with self._database.session() as session:
            if kind == "interaction":
                await session.execute(insert(ApiInteraction).values(row).on_conflict_do_nothing())
            elif kind == "acceptance":
                await session.execute(update(ApiInteraction).where(ApiInteraction.id == row["id"]).values(row))
            else:
                await _finish_message(session, row)


async def _finish_message(session: AsyncSession, row: dict[str, Any]) -> None:
    """The whole text replaces the events and can be found, in one transaction."""
    await session.execute(update(Message).where(Message.id == row["id"]).values(row))
    await search.index(session, Message.id == row["id"])
    await session.execute(delete(GenerationEvent).where(GenerationEvent.message_id == row["id"]))
    await written.announce(session, row["id"])


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def _typed(table: type[Base], values: dict[str, Any]) -> dict[str, Any]:
    """Give values that come from JSON the types of their columns again."""
    columns = inspect(table).columns
    return {name: _as(columns[name].type.python_type, value) for name, value in values.items()}


def _as(kind: type, value: Any) -> Any:
    if isinstance(value, str):
        if kind is uuid.UUID:
            return uuid.UUID(value)
        if kind is datetime:
            return datetime.fromisoformat(value)
    return value
