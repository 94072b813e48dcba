"""What admins do with model versions, and how far the servers have followed. What the gate refused is not served."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import ConflictError, NotFoundError
from codellama_core import registry
from codellama_core.models import Alias, ModelAlias, ModelVersion, Replica, VersionState

SEEN_WITHIN: Final = timedelta(seconds=90)
"""A server that has not said for three polls what it serves is gone."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """How many servers there are, and how many of them serve the champion."""

    servers: int
    taken_over: int


async def promote(session: AsyncSession, version_id: uuid.UUID, models_dir: Path) -> ModelVersion:
    """Make a version champion. Raises NotFoundError, and ConflictError with the reason why it cannot be."""
    version = await _servable(session, version_id, models_dir)
    if version_id == await _aliased(session, Alias.CHAMPION):
        raise ConflictError(f"{version.name} is the champion already.")
    await session.run_sync(registry.promote, version_id)
    return version


async def challenge(session: AsyncSession, version_id: uuid.UUID, models_dir: Path) -> ModelVersion:
    """Serve a version beside the champion. Raises NotFoundError, and ConflictError with the reason why it cannot be."""
    version = await _servable(session, version_id, models_dir)
    if version_id == await _aliased(session, Alias.CHAMPION):
        raise ConflictError(f"{version.name} is the champion; a challenger is another version, to compare it with.")
    await session.run_sync(registry.challenge, version_id)
    return version


async def end_challenge(session: AsyncSession) -> ModelVersion:
    """Serve the champion only; returns what was the challenger. Raises ConflictError when there is none."""
    version = await session.run_sync(registry.challenger)
    if version is None:
        raise ConflictError("There is no challenger.")
    await session.run_sync(registry.end_challenge)
    return version


async def roll_back(session: AsyncSession) -> ModelVersion:
    """Make the previous version champion again. Raises ConflictError when there is none."""
    try:
        return await session.run_sync(registry.rollback)
    except registry.NoPreviousVersionError as error:
        raise ConflictError(f"{error}.".capitalize()) from None


async def takeover(session: AsyncSession) -> Takeover:
    """As the servers themselves have reported."""
    champion = select(ModelAlias.version_id).where(ModelAlias.alias == Alias.CHAMPION).scalar_subquery()
    query = select(func.count(), func.count().filter(Replica.version_id == champion))
    found = await session.execute(query.where(Replica.heartbeat_at > datetime.now(UTC) - SEEN_WITHIN))
    return Takeover(*found.one())


async def _servable(session: AsyncSession, version_id: uuid.UUID, models_dir: Path) -> ModelVersion:
    version = await session.get(ModelVersion, version_id)
    if version is None:
        raise NotFoundError("There is no such model version.")
    if version.state is VersionState.REJECTED:
        raise ConflictError(
            f"{version.name} was refused by the gate{_failed(version.metrics)}. Only what measured better than the "
            "version before it is served; rate and correct more answers, and the next run tries again."
        )
    if version.state is VersionState.DELETED:
        raise ConflictError(f"The file of {version.name} was deleted to make room; it cannot be served again.")
    if not registry.file_of(version, models_dir).is_file():
        raise ConflictError(f"The file of {version.name} is not where it was registered; put it back first.")
    return version


async def _aliased(session: AsyncSession, alias: Alias) -> uuid.UUID | None:
    version_id: uuid.UUID | None = await session.scalar(select(ModelAlias.version_id).where(ModelAlias.alias == alias))
    return version_id


def _failed(metrics: dict[str, Any]) -> str:
    checks = metrics.get("verdict", {}).get("checks", [])
    failed = [str(check["check"]) for check in checks if not check["passed"]]
    return f" ({', '.join(failed)})" if failed else ""
