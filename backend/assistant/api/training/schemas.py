"""Shapes of what is said about model versions, training runs and their rows."""

import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from assistant.api.schemas import Out
from assistant.services.training.lineage import Outcome, Use
from assistant.services.training.rows import RowView
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
    challenger: uuid.UUID | None
    previous: uuid.UUID | None
    serving: uuid.UUID | None
    problem: str | None
    servers: int = Field(description="Servers that have lately said which version they serve")
    taken_over: int = Field(description="How many of them serve the champion")
    items: list[ModelVersionOut]


class RunVersion(Out):
    """The version that a run made, and what it is used for now."""

    model_config = ConfigDict(from_attributes=True, title="RunVersion")

    id: uuid.UUID
    name: str
    state: VersionState
    aliases: list[Alias]


class TrainingRunOut(Out):
    """``version`` is None while there is none: the run goes on, failed, or had nothing to do."""

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
    version: RunVersion | None

    @classmethod
    def of(cls, run: TrainingRun, version: Outcome | None) -> "TrainingRunOut":
        values = {name: getattr(run, name) for name in cls.model_fields if name != "version"}
        return cls.model_validate({**values, "version": version})

    @classmethod
    def listed(cls, run: TrainingRun, version: Outcome | None) -> "TrainingRunOut":
        """Without the loss curve: a list is asked for every few seconds."""
        whole = cls.of(run, version)
        stages = {name: _without_curve(report) for name, report in whole.stages.items()}
        return whole.model_copy(update={"progress": _without_curve(whole.progress), "stages": stages})


def _without_curve(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name != "curve"}


class TrainingRunsPage(Out):
    items: list[TrainingRunOut]


class TrainingRowOut(Out):
    """A row of a run. ``question`` and ``answer`` are shortened, and None when their source has been deleted since.

    ``who`` rated, called or uploaded it ``at`` that time. The conversation is named to its owner only.
    """

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
    who: str | None
    at: datetime | None
    conversation_id: uuid.UUID | None
    message_id: uuid.UUID | None

    @classmethod
    def of(cls, view: RowView) -> "TrainingRowOut":
        names = ("id", "source_kind", "source_id", "split", "kept", "reason")
        row = {name: getattr(view.row, name) for name in names}
        return cls.model_validate({**row, "excluded": view.excluded, **asdict(view.origin)})


class TrainingRowsPage(Out):
    """``next_after`` is None on the last page."""

    items: list[TrainingRowOut]
    next_after: uuid.UUID | None


class RowCount(Out):
    """Rows of a run that are alike. ``reason`` says why they were not kept."""

    model_config = ConfigDict(from_attributes=True, title="RowCount")

    source_kind: str
    split: Split | None
    kept: bool
    reason: str | None
    rows: int


class RowCounts(Out):
    items: list[RowCount]


class SourceUse(Out):
    """What one run made of a source: rows by split, rows left out by reason, and the version that came of the run."""

    run_id: uuid.UUID
    started_at: datetime
    state: RunState
    splits: dict[Split, int]
    reasons: dict[str, int]
    version: RunVersion | None

    @classmethod
    def of(cls, use: Use) -> "SourceUse":
        run = {"run_id": use.run.id, "started_at": use.run.started_at, "state": use.run.state}
        version = RunVersion.model_validate(use.version) if use.version else None
        return cls.model_validate({**run, "splits": use.splits, "reasons": use.reasons, "version": version})


class SourceUses(Out):
    items: list[SourceUse]
