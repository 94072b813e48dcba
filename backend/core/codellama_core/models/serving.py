"""Model versions, which of them is served where, and what programs asked of it."""

import enum
import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Float,
    ForeignKey,
    Index,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from codellama_core.models.base import Base, created, enum_of, new_id, owner


class VersionState(enum.StrEnum):
    AVAILABLE = "available"
    REJECTED = "rejected"
    DELETED = "deleted"


class Alias(enum.StrEnum):
    CHAMPION = "champion"
    CHALLENGER = "challenger"
    PREVIOUS = "previous"


class ApiInteraction(Base):
    """One programmatic call: what was asked, with which parameters, what came back."""

    __tablename__ = "api_interactions"
    __table_args__ = (Index("ix_api_interactions_created_at", "created_at"),)

    id: Mapped[uuid.UUID] = new_id()
    user_id: Mapped[uuid.UUID] = owner()
    endpoint: Mapped[str]
    prompt: Mapped[dict[str, Any]]
    parameters: Mapped[dict[str, Any]]
    response: Mapped[str]
    finish_reason: Mapped[str]
    accepted: Mapped[bool | None]
    model_version_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("model_versions.id"))
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    time_to_first_token_s: Mapped[float | None] = mapped_column(Float)
    duration_s: Mapped[float]
    created_at: Mapped[datetime] = created()


class ModelVersion(Base):
    """An immutable model file. ``path`` is relative to MODELS_DIR, or absolute for a file kept elsewhere."""

    __tablename__ = "model_versions"

    id: Mapped[uuid.UUID] = new_id()
    name: Mapped[str] = mapped_column(unique=True)
    path: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    parent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("model_versions.id"))
    run_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("training_runs.id", ondelete="SET NULL"))
    state: Mapped[VersionState] = mapped_column(enum_of(VersionState), default=VersionState.AVAILABLE)
    metrics: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = created()


class ModelAlias(Base):
    """The truth about which version is served: ``champion`` now, ``previous`` before it."""

    __tablename__ = "model_aliases"

    alias: Mapped[Alias] = mapped_column(enum_of(Alias), primary_key=True)
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("model_versions.id"))
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Replica(Base):
    """A running backend process: which version it serves, and when it last said so."""

    __tablename__ = "replicas"

    instance_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    host: Mapped[str]
    version_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("model_versions.id"))
    started_at: Mapped[datetime] = created()
    heartbeat_at: Mapped[datetime] = created()
