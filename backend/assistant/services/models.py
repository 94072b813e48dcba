"""Which model is served: registers, watches the aliases, loads and swaps.

The champion in the database is the truth. A version that cannot be loaded never replaces one that works.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from assistant.engine.model import Model
from assistant.engine.types import ModelLoadError
from assistant.errors import DatabaseUnavailableError
from assistant.services.database import Database
from assistant.services.generators.local import LocalGenerator
from assistant.services.generators.types import ModelIdentity
from codellama_core import registry
from codellama_core.database import plain_url
from codellama_core.ids import uuid7
from codellama_core.models import ModelVersion, Replica

logger = logging.getLogger(__name__)

POLL_S: Final = 30.0
DEMO_NAME: Final = "demo"
Load = Callable[[Path], Model]


class NothingToServeError(Exception):
    """No registered version can be loaded; the text says what was tried and what to do."""


class ModelService:
    """Keeps the generator on the champion."""

    def __init__(
        self, database: Database, url: str, models_dir: Path, generator: LocalGenerator, load: Load,
        instance_id: uuid.UUID, host: str,
    ) -> None:  # fmt: skip
        self._database = database
        self._url = url
        self._models_dir = models_dir
        self._generator = generator
        self._load = load
        self._instance_id = instance_id
        self._host = host
        self._refused: dict[uuid.UUID, str] = {}
        self._demo = False
        self._hint = asyncio.Event()

    @property
    def problem(self) -> str | None:
        """Why the champion is not the version being served, if it is not."""
        return next(iter(self._refused.values()), None)

    @property
    def demo(self) -> bool:
        """Whether the bundled demo model, or a version fine-tuned from it, is served."""
        return self._demo

    async def register(self, path: Path) -> None:
        """Write MODEL_PATH down; it becomes champion only if there is none. Raises ModelLoadError if it is missing."""
        if not await asyncio.to_thread(path.is_file):
            raise ModelLoadError(f"MODEL_PATH names {path}, but there is no such file")
        digest = await asyncio.to_thread(registry.sha256_of, path)
        size = (await asyncio.to_thread(path.stat)).st_size

        def write(session: Session) -> None:
            version = registry.register(
                session, models_dir=self._models_dir, path=path, name=registry.name_of(path), sha256=digest,
                size_bytes=size,
            )  # fmt: skip
            if registry.champion(session) is None:
                registry.promote(session, version.id)

        async with self._database.session() as session:
            await session.run_sync(write)

    async def start(self) -> None:
        """Load the champion, or the version before it. Raises NothingToServeError."""
        champion, previous = await self._aliases()
        for version in (champion, previous):
            if version is not None and await self._serve(version):
                return
        reasons = "; ".join(self._refused.values()) or "no model is registered: set MODEL_PATH to a GGUF file"
        raise NothingToServeError(f"There is no model to serve: {reasons}.")

    async def run(self) -> None:
        """For as long as the process lives: follow the champion, and say which version is served."""
        listener = asyncio.create_task(self._listen())
        try:
            while True:
                try:
                    await self.follow()
                    await self._report()
                except DatabaseUnavailableError:
                    logger.debug("the database is away; the model stays as it is")
                try:
                    await asyncio.wait_for(self._hint.wait(), POLL_S)
                except TimeoutError:
                    continue
                self._hint.clear()
        finally:
            listener.cancel()

    async def follow(self) -> None:
        """Serve the champion if it is another version than the one served now."""
        champion, _ = await self._aliases()
        if champion is None or champion.id == self._generator.version_id:
            self._refused.clear()
        else:
            await self._serve(champion)

    async def _serve(self, version: ModelVersion) -> bool:
        path = registry.file_of(version, self._models_dir)
        try:
            model = await asyncio.to_thread(self._load, path)
        except ModelLoadError as error:
            if version.id not in self._refused:
                logger.error("version %s is refused: %s", version.name, error)
            self._refused[version.id] = f"version {version.name} cannot be loaded ({error})"
            return False
        await self._generator.install(str(uuid7()), ModelIdentity(version.name, version.id), model)
        self._refused.clear()
        self._demo = model.metadata.get("general.name", "").startswith(DEMO_NAME)
        kind = " (a demo model, for trying the product out)" if self._demo else ""
        logger.info("serving %s%s", version.name, kind, extra={"version": version.name, "model": model.description})
        return True

    async def _aliases(self) -> tuple[ModelVersion | None, ModelVersion | None]:
        async with self._database.session() as session:
            return await session.run_sync(lambda s: (registry.champion(s), registry.previous(s)))

    async def _report(self) -> None:
        values: dict[str, Any] = {"version_id": self._generator.version_id, "heartbeat_at": datetime.now(UTC)}
        row = {"instance_id": self._instance_id, "host": self._host, **values}
        statement = insert(Replica).values(row).on_conflict_do_update(index_elements=["instance_id"], set_=values)
        async with self._database.session() as session:
            await session.execute(statement)

    async def _listen(self) -> None:
        """NOTIFY is a hint; a lost connection costs nothing but the poll's delay."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(plain_url(self._url), autocommit=True) as connection:
                    await connection.execute(f"LISTEN {registry.MODEL_CHANGED}")
                    self._hint.set()
                    async for _ in connection.notifies():
                        self._hint.set()
            except psycopg.Error:
                logger.debug("listening for model changes was interrupted")
            await asyncio.sleep(2)
