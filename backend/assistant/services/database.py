"""The session scope: it alone commits, and it alone turns a lost database into an error people understand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from assistant.errors import DatabaseUnavailableError
from assistant.tracing import trace_sql
from codellama_core.database import async_engine


class Database:
    """The pool of connections, and transactions on it."""

    def __init__(self, url: str) -> None:
        self._engine = async_engine(url)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end, rolled back on any error.

        Raises DatabaseUnavailableError when the database cannot be reached.
        """
        try:
            async with self._sessions() as session, session.begin():
                yield session
        except (OperationalError, InterfaceError, PoolTimeoutError) as error:
            raise DatabaseUnavailableError from error
        except DBAPIError as error:
            if error.connection_invalidated:
                raise DatabaseUnavailableError from error
            raise

    def trace(self) -> None:
        """Make its statements part of traces."""
        trace_sql(self._engine.sync_engine)

    async def is_reachable(self) -> bool:
        try:
            async with self.session() as session:
                await session.execute(text("SELECT 1"))
        except DatabaseUnavailableError:
            return False
        return True

    async def close(self) -> None:
        await self._engine.dispose()
