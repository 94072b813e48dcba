"""Records of API calls go after a while; autocompletes that nobody took, after a day; sessions and links when over."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, select

from assistant.errors import DatabaseUnavailableError
from assistant.services.calls.autocomplete import ENDPOINT, READING
from assistant.services.database import Database
from codellama_core.models import AccountLink, ApiInteraction, OidcAttempt, Session

logger = logging.getLogger(__name__)

EVERY_S: Final = 3600.0
BATCH: Final = 5000
"""Rows deleted in one transaction: a month's worth in one would hold its locks for long."""
UNTAKEN: Final = timedelta(days=1)
"""An autocomplete is taken within minutes; its record may have waited for the database for longer."""


class Retention:
    """``days`` is how long calls are kept, 0 for ever. Any number of processes may do this on one database."""

    def __init__(self, database: Database, days: int) -> None:
        self._database = database
        self._days = days

    async def run(self) -> None:
        """Look once an hour, for as long as the process lives."""
        while True:
            try:
                if gone := await self.purge():
                    logger.info("old API calls have been deleted", extra={"rows": gone})
                await self._forget_expired()
            except DatabaseUnavailableError:
                logger.debug("the database is away; deleting later")
            await asyncio.sleep(EVERY_S)

    async def purge(self) -> int:
        """Delete what is old. The number of rows."""
        gone, batch = 0, BATCH
        while batch == BATCH:
            batch = await self._delete_some()
            gone += batch
        return gone

    async def _forget_expired(self) -> None:
        async with self._database.session() as session:
            for table in (Session, AccountLink, OidcAttempt):
                await session.execute(delete(table).where(table.expires_at < func.now()))

    async def _delete_some(self) -> int:
        row = ApiInteraction
        old = (
            row.endpoint.in_((ENDPOINT, READING)) & row.accepted.is_not(True) & (row.created_at < func.now() - UNTAKEN)
        )
        if self._days:
            old |= row.created_at < func.now() - timedelta(days=self._days)
        some = select(row.id).where(old).limit(BATCH)
        async with self._database.session() as session:
            gone = await session.scalars(delete(row).where(row.id.in_(some)).returning(row.id))
            return len(gone.all())
