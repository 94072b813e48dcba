"""PostgreSQL's NOTIFY, heard on one connection: hints that another process has changed something.

Whoever gets a hint looks for themselves, and also now and then without one: a lost connection costs a delay, no more.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg import sql

from codellama_core.database import CONNECT_TIMEOUT_S, plain_url

logger = logging.getLogger(__name__)

RETRY_S: Final = 2.0
KEEPALIVE: Final[dict[str, Any]] = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
Heard = Callable[[str], None]


class Notices:
    """Calls what has been registered for a channel with a notice's payload; with "" where some may have been missed."""

    def __init__(self, url: str) -> None:
        self._url = plain_url(url)
        self._heard: dict[str, Heard] = {}
        self._listening = False

    @property
    def listening(self) -> bool:
        """Whether notices come in at the moment."""
        return self._listening

    def on(self, channel: str, heard: Heard) -> None:
        """Before ``run``."""
        self._heard[channel] = heard

    async def run(self) -> None:
        """For as long as the process lives."""
        while True:
            try:
                await self._listen()
            except psycopg.Error:
                logger.debug("listening for notices was interrupted")
            finally:
                self._listening = False
            await asyncio.sleep(RETRY_S)

    async def _listen(self) -> None:
        connecting = psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, **KEEPALIVE
        )
        async with await connecting as connection:
            for channel in self._heard:
                await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            self._listening = True
            for heard in self._heard.values():
                heard("")
            async for notice in connection.notifies():
                self._heard[notice.channel](notice.payload)
