"""Model versions and the aliases that say which one is served. The caller commits.

The truth is ``model_aliases``; NOTIFY on ``MODEL_CHANGED`` is only a hint to look.
"""

import hashlib
import uuid
from pathlib import Path
from typing import Any, Final

from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from codellama_core.models import Alias, ModelAlias, ModelVersion, VersionState

MODEL_CHANGED: Final = "model_changed"
_ALIAS_LOCK: Final = 4_711_002


class UnknownVersionError(LookupError):
    """There is no such version, or it cannot be served."""


class NoPreviousVersionError(LookupError):
    """There is nothing to roll back to."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stored_path(path: Path, models_dir: Path) -> str:
    """How a file is written down: relative to MODELS_DIR where it lies below it."""
    path, models_dir = path.resolve(), models_dir.resolve()
    return str(path.relative_to(models_dir)) if path.is_relative_to(models_dir) else str(path)


def name_of(path: Path) -> str:
    """A name people recognise: the file's, or its folder's where the file is only called model.gguf."""
    return path.parent.name if path.stem == "model" else path.stem


def file_of(version: ModelVersion, models_dir: Path) -> Path:
    return models_dir / version.path


def register(
    session: Session,
    *,
    models_dir: Path,
    path: Path,
    name: str,
    sha256: str,
    size_bytes: int,
    parent_id: uuid.UUID | None = None,
    run_id: uuid.UUID | None = None,
    metrics: dict[str, Any] | None = None,
    state: VersionState = VersionState.AVAILABLE,
) -> ModelVersion:
    """Write a version down; the same file (by SHA-256) again gives the row there is, with its path updated."""
    version = session.scalar(select(ModelVersion).where(ModelVersion.sha256 == sha256))
    if version is None:
        taken = session.scalar(select(ModelVersion.id).where(ModelVersion.name == name))
        version = ModelVersion(
            name=name if taken is None else f"{name}-{sha256[:8]}",
            sha256=sha256,
            size_bytes=size_bytes,
            parent_id=parent_id,
            run_id=run_id,
            metrics=metrics or {},
            state=state,
        )
        session.add(version)
    version.path = stored_path(path, models_dir)
    session.flush()
    return version


def aliased(session: Session, alias: Alias) -> ModelVersion | None:
    return session.scalar(
        select(ModelVersion).join(ModelAlias, ModelAlias.version_id == ModelVersion.id).where(ModelAlias.alias == alias)
    )


def champion(session: Session) -> ModelVersion | None:
    return aliased(session, Alias.CHAMPION)


def previous(session: Session) -> ModelVersion | None:
    return aliased(session, Alias.PREVIOUS)


def challenger(session: Session) -> ModelVersion | None:
    return aliased(session, Alias.CHALLENGER)


def challenge(session: Session, version_id: uuid.UUID) -> None:
    """Serve a version beside the champion, for those who ask for it. Raises UnknownVersionError."""
    _lock(session)
    _available(session, version_id)
    _point(session, Alias.CHALLENGER, version_id)
    _notify(session)


def end_challenge(session: Session) -> None:
    """Serve the champion only."""
    _lock(session)
    session.execute(delete(ModelAlias).where(ModelAlias.alias == Alias.CHALLENGER))
    _notify(session)


def promote(session: Session, version_id: uuid.UUID) -> None:
    """Make a version the champion and keep the one before it as previous; a challenger that wins is none any more.

    Raises UnknownVersionError when there is no such version or it is not available.
    """
    _lock(session)
    _available(session, version_id)
    _end_challenge_of(session, version_id)
    current = champion(session)
    if current is not None and current.id == version_id:
        return
    if current is not None:
        _point(session, Alias.PREVIOUS, current.id)
    _point(session, Alias.CHAMPION, version_id)
    _notify(session)


def rollback(session: Session) -> ModelVersion:
    """Swap champion and previous; returns the new champion. Raises NoPreviousVersionError."""
    _lock(session)
    current, before = champion(session), previous(session)
    if current is None or before is None:
        raise NoPreviousVersionError("there is no previous version to roll back to")
    _end_challenge_of(session, before.id)
    _point(session, Alias.CHAMPION, before.id)
    _point(session, Alias.PREVIOUS, current.id)
    _notify(session)
    return before


def _end_challenge_of(session: Session, version_id: uuid.UUID) -> None:
    """What becomes champion is no challenger any more."""
    session.execute(delete(ModelAlias).where(ModelAlias.alias == Alias.CHALLENGER, ModelAlias.version_id == version_id))


def _available(session: Session, version_id: uuid.UUID) -> None:
    version = session.get(ModelVersion, version_id)
    if version is None or version.state is not VersionState.AVAILABLE:
        raise UnknownVersionError(f"version {version_id} is not there to be served")


def _lock(session: Session) -> None:
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ALIAS_LOCK})


def _point(session: Session, alias: Alias, version_id: uuid.UUID) -> None:
    row = session.get(ModelAlias, alias)
    if row is None:
        session.add(ModelAlias(alias=alias, version_id=version_id))
    else:
        row.version_id = version_id
    session.flush()


def _notify(session: Session) -> None:
    session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": MODEL_CHANGED})
