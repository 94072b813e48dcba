"""Shapes of what is said about model versions, training runs and their rows."""

import uuid
from datetime import datetime
from typing import Any

from pydantic import ConfigDict

from assistant.api.schemas import Out
from assistant.services.training_rows import RowView
from codellama_core.models import Alias, ModelVersion, RunState, Split, TrainingRun, VersionState


class ModelVersionOut(Out):
    model_config = ConfigDict(from_attributes=True, title="ModelVersion")

    id: uuid.UUID
    name: str
    state: VersionState
    aliases: list[Alias]
    size_bytes: int
    metrics: dict[str, Any]
    parent_id: uuid.UUID | None
    run_id: uuid.UUID | None
    created_at: datetime

    @classmethod
    def of(cls, version: ModelVersion, aliases: list[Alias]) -> "ModelVersionOut":
        values = {name: getattr(version, name) for name in cls.model_fields if name != "aliases"}
        return cls.model_validate({**values, "aliases": aliases})


class ModelsPage(Out):
    """``problem`` says why the champion is not the version being served, if it is not."""

    champion: uuid.UUID | None
    previous: uuid.UUID | None
    serving: uuid.UUID | None
    problem: str | None
    items: list[ModelVersionOut]


class TrainingRunOut(Out):
    model_config = ConfigDict(from_attributes=True, title="TrainingRun")

    id: uuid.UUID
    state: RunState
    stage: str
    base_model: str
    progress: dict[str, Any]
    stages: dict[str, Any]
    verdict: dict[str, Any] | None
    dataset_fingerprint: str | None
    error: str | None
    started_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, run: TrainingRun) -> "TrainingRunOut":
        return cls.model_validate(run)


class TrainingRunsPage(Out):
    items: list[TrainingRunOut]


class TrainingRowOut(Out):
    """A row of a run. ``question`` and ``answer`` are shortened, and None when their source has been deleted since."""

    model_config = ConfigDict(from_attributes=True, title="TrainingRow")

    id: uuid.UUID
    source_kind: str
    source_id: uuid.UUID
    split: Split | None
    kept: bool
    reason: str | None
    excluded: bool
    question: str | None
    answer: str | None

    @classmethod
    def of(cls, view: RowView) -> "TrainingRowOut":
        names = ("id", "source_kind", "source_id", "split", "kept", "reason")
        origin = {"excluded": view.excluded, "question": view.question, "answer": view.answer}
        return cls.model_validate({**{name: getattr(view.row, name) for name in names}, **origin})


class TrainingRowsPage(Out):
    """``next_after`` is None on the last page."""

    items: list[TrainingRowOut]
    next_after: uuid.UUID | None
