"""Which models are served: registers, watches the aliases, loads and swaps.

The aliases in the database are the truth. A version that cannot be loaded never replaces one that works.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from assistant.engine.model import Model
from assistant.engine.types import ModelLoadError
from assistant.errors import DatabaseUnavailableError
from assistant.services.database import Database
from assistant.services.generators.roster import Roster
from assistant.services.generators.types import Alias, ModelIdentity
from assistant.services.serving.adapters import adapter_beside
from codellama_core import registry
from codellama_core.ids import uuid7
from codellama_core.models import ModelVersion, Replica

logger = logging.getLogger(__name__)

POLL_S: Final = 30.0
DEMO_NAME: Final = "demo"
NOTHING_REGISTERED: Final = (
    "no model is registered: set MODEL_PATH to a GGUF file, or UPSTREAM_URL to a server that speaks OpenAI's API"
)


@dataclass(frozen=True, slots=True)
class Loading:
    """How files become models. ``load`` raises ModelLoadError."""

    load: Callable[[Path], Model]
    threads: int


@dataclass(frozen=True, slots=True)
class Aliases:
    """The versions that the aliases name."""

    champion: ModelVersion | None
    challenger: ModelVersion | None
    previous: ModelVersion | None


class NothingToServeError(Exception):
    """No registered version can be loaded; the text says what was tried and what to do."""


class ModelService:
    """Keeps the roster as the aliases say: the champion, and beside it the challenger while there is one."""

    def __init__(
        self, database: Database, models_dir: Path, roster: Roster, loading: Loading,
        instance_id: uuid.UUID, host: str,
    ) -> None:  # fmt: skip
        self._database = database
        self._models_dir = models_dir
        self._roster = roster
        self._loading = loading
        self._instance_id = instance_id
        self._host = host
        self._refused: dict[uuid.UUID, str] = {}
        self._hint = asyncio.Event()

    @property
    def problem(self) -> str | None:
        """Why the champion or the challenger is not being served, if it is not."""
        return next(iter(self._refused.values()), None)

    @property
    def demo(self) -> bool:
        """Whether the bundled demo model, or a version fine-tuned from it, is served."""
        champion = self._roster.champion
        return champion is not None and champion.base.startswith(DEMO_NAME)

    @property
    def demos(self) -> frozenset[uuid.UUID | None]:
        """The versions being served that are the bundled demo model, or fine-tuned from it."""
        return frozenset(each.identity.version_id for each in self._roster if each.base.startswith(DEMO_NAME))

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
        aliases = await self._aliases()
        for version in (aliases.champion, aliases.previous):
            if version is not None and await self._serve(version, "champion"):
                return
        reasons = "; ".join(self._refused.values()) or NOTHING_REGISTERED
        raise NothingToServeError(f"There is no model to serve: {reasons}.")

    async def run(self) -> None:
        """For as long as the process lives: follow the champion, and say which version is served."""
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

    def hint(self, _: str) -> None:
        """Somebody says that the aliases may have changed."""
        self._hint.set()

    async def follow(self) -> None:
        """Serve what the aliases name, where that is something else than what is served now."""
        aliases = await self._aliases()
        await self._follow_champion(aliases.champion)
        await self._follow_challenger(aliases)
        wanted = {version.id for version in (aliases.champion, aliases.challenger) if version is not None}
        served = {identity.version_id for identity in self._roster.models}
        self._refused = {id: why for id, why in self._refused.items() if id in wanted - served}

    async def _follow_champion(self, wanted: ModelVersion | None) -> None:
        now = self._roster.champion
        if wanted is None or (now is not None and now.identity.version_id == wanted.id):
            return
        if self._roster.promote(wanted.id):
            logger.info("the challenger %s is champion now", wanted.name)
        else:
            await self._serve(wanted, "champion")

    async def _follow_challenger(self, aliases: Aliases) -> None:
        wanted, now = aliases.challenger, self._roster.challenger
        if wanted is not None and now is not None and now.identity.version_id == wanted.id:
            return
        if wanted is None or wanted == aliases.champion:
            self._roster.remove_challenger()
        elif not await self._serve_as_adapter(wanted, aliases.champion):
            await self._serve(wanted, "challenger")

    async def _serve(self, version: ModelVersion, alias: Alias) -> bool:
        path = registry.file_of(version, self._models_dir)
        identity = ModelIdentity(version.name, version.id, alias)
        try:
            model = await asyncio.to_thread(self._loading.load, path)
            await self._roster.install(
                str(uuid7()), identity, model, fingerprint=version.sha256, threads=self._loading.threads
            )
        except ModelLoadError as error:
            if version.id not in self._refused:
                logger.error("version %s is refused: %s", version.name, error)
            self._refused[version.id] = f"version {version.name} cannot be loaded ({error})"
            return False
        kind = " (a demo model, for trying the product out)" if self.demo else ""
        logger.info(
            "serving %s as %s%s", version.name, alias, kind,
            extra={"version": version.name, "model": model.description},
        )  # fmt: skip
        return True

    async def _serve_as_adapter(self, version: ModelVersion, base: ModelVersion | None) -> bool:
        """Serve a challenger as the champion's weights and its adapter, where the two belong together.

        That saves a second copy of the weights. The gate measured the merged and quantized file, so probabilities
        differ from it by what quantization does to the change; a version that wins is served from its own file.
        """
        champion = self._roster.champion
        if base is None or base.run_id is not None or champion is None or champion.identity.version_id != base.id:
            return False
        path = registry.file_of(version, self._models_dir)
        adapter = await asyncio.to_thread(adapter_beside, path, champion.base)
        if adapter is None:
            return False
        try:
            await self._roster.install_adapter(ModelIdentity(version.name, version.id, "challenger"), adapter)
        except ModelLoadError as error:
            logger.warning("the adapter of %s is no use, its own file is loaded: %s", version.name, error)
            return False
        logger.info("serving %s as challenger, as an adapter of the champion", version.name)
        return True

    async def _aliases(self) -> Aliases:
        def read(session: Session) -> Aliases:
            return Aliases(registry.champion(session), registry.challenger(session), registry.previous(session))

        async with self._database.session() as session:
            return await session.run_sync(read)

    async def _report(self) -> None:
        champion = self._roster.champion
        version_id = champion.identity.version_id if champion else None
        values: dict[str, Any] = {"version_id": version_id, "heartbeat_at": datetime.now(UTC)}
        row = {"instance_id": self._instance_id, "host": self._host, **values}
        statement = insert(Replica).values(row).on_conflict_do_update(index_elements=["instance_id"], set_=values)
        async with self._database.session() as session:
            await session.execute(statement)
