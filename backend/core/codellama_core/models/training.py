"""What is learned from, and the weekly runs."""

import enum
import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from codellama_core.models.base import Base, created, enum_of, new_id


class RunState(enum.StrEnum):
    """State of a training run; the stage it is in stands in ``TrainingRun.stage``."""

    RUNNING = "running"
    PUBLISHED = "published"
    REJECTED = "rejected"
    NOTHING_TO_DO = "nothing_to_do"
    FAILED = "failed"


class Split(enum.StrEnum):
    TRAIN = "train"
    DEV = "dev"
    GATE = "gate"


class Document(Base):
    """A source file offered for training. A tombstone keeps the hash so that the file is not taken in again."""

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("repo", "path"),)

    id: Mapped[uuid.UUID] = new_id()
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    repo: Mapped[str]
    path: Mapped[str]
    language: Mapped[str]
    license: Mapped[str | None]
    sha256: Mapped[str] = mapped_column(index=True)
    content: Mapped[str]
    tombstoned_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = created()


class TrainingRun(Base):
    """One weekly run. ``stages`` holds what each finished stage reported; ``verdict`` the gate's table."""

    __tablename__ = "training_runs"

    id: Mapped[uuid.UUID] = new_id()
    state: Mapped[RunState] = mapped_column(enum_of(RunState), default=RunState.RUNNING)
    stage: Mapped[str]
    base_model: Mapped[str]
    settings: Mapped[dict[str, Any]]
    stages: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    progress: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    verdict: Mapped[dict[str, Any] | None]
    dataset_fingerprint: Mapped[str | None]
    error: Mapped[str | None]
    started_at: Mapped[datetime] = created()
    heartbeat_at: Mapped[datetime] = created()
    finished_at: Mapped[datetime | None]


class TrainingRow(Base):
    """Where a training row came from, and whether and why it was kept. The text itself is in the run's snapshot."""

    __tablename__ = "training_rows"
    __table_args__ = (Index("ix_training_rows_source", "source_kind", "source_id"),)

    id: Mapped[uuid.UUID] = new_id()
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("training_runs.id", ondelete="CASCADE"), index=True)
    source_kind: Mapped[str]
    source_id: Mapped[uuid.UUID]
    sha256: Mapped[str]
    split: Mapped[Split | None] = mapped_column(enum_of(Split))
    kept: Mapped[bool]
    reason: Mapped[str | None]


class TrainingExclusion(Base):
    """A source that an admin wants no run to learn from; ``source_kind`` and ``source_id`` as in ``training_rows``."""

    __tablename__ = "training_exclusions"

    source_kind: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = created()
