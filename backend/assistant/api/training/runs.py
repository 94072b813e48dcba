"""The weekly runs, as they write themselves down, and what they learned from."""

import uuid
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.api.deps import AdminDep, PrincipalDep, SessionDep
from assistant.api.training.schemas import (
    RowCount,
    RowCounts,
    SourceUse,
    SourceUses,
    TrainingRowOut,
    TrainingRowsPage,
    TrainingRunOut,
    TrainingRunsPage,
)
from assistant.errors import NotFoundError
from assistant.services.people import audit
from assistant.services.training import lineage
from assistant.services.training import rows as training_rows
from assistant.services.training.rows import RowFilter
from codellama_core.models import Split, TrainingRun

router = APIRouter(prefix="/api/training", tags=["training"])

SourceKind = Literal["correction", "rating", "interaction", "document", "replay"]


@router.get("/runs")
async def list_training_runs(
    principal: PrincipalDep, session: SessionDep, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> TrainingRunsPage:
    """Newest first, without their loss curves."""
    found = await session.scalars(select(TrainingRun).order_by(TrainingRun.started_at.desc()).limit(limit))
    runs = found.all()
    versions = await lineage.outcomes(session, [run.id for run in runs])
    return TrainingRunsPage(items=[TrainingRunOut.listed(run, versions.get(run.id)) for run in runs])


@router.get("/runs/{run_id}")
async def get_training_run(run_id: uuid.UUID, principal: PrincipalDep, session: SessionDep) -> TrainingRunOut:
    """One run: its stages, figures, verdict, and the version that came of it."""
    run = await _run(session, run_id)
    versions = await lineage.outcomes(session, [run_id])
    return TrainingRunOut.of(run, versions.get(run_id))


@router.get("/runs/{run_id}/rows")
async def list_training_rows(
    run_id: uuid.UUID,
    admin: AdminDep,
    session: SessionDep,
    kept: Annotated[bool | None, Query(description="Learned or judged from, or not")] = None,
    split: Split | None = None,
    source: Annotated[SourceKind | None, Query()] = None,
    reason: Annotated[str | None, Query(max_length=40, description="Why a row was not kept")] = None,
    after: Annotated[uuid.UUID | None, Query(description="``next_after`` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Rows on a page")] = 50,
) -> TrainingRowsPage:
    """What a run learned from and what it did not, with the origin of each row."""
    await _run(session, run_id)
    wanted = RowFilter(kept, split, source, reason)
    rows = await training_rows.list_of(session, run_id, admin.id, wanted, after, limit + 1)
    items = [TrainingRowOut.of(row) for row in rows[:limit]]
    return TrainingRowsPage(items=items, next_after=items[-1].id if len(rows) > limit else None)


@router.get("/runs/{run_id}/rows/counts")
async def count_training_rows(run_id: uuid.UUID, admin: AdminDep, session: SessionDep) -> RowCounts:
    """How many rows of which kind a run has, and how many it did not keep for which reason."""
    await _run(session, run_id)
    return RowCounts(items=[RowCount.model_validate(count) for count in await training_rows.counts(session, run_id)])


@router.get("/sources/{source}/{source_id}/uses")
async def list_source_uses(
    source: SourceKind,
    source_id: uuid.UUID,
    admin: AdminDep,
    session: SessionDep,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> SourceUses:
    """Which runs collected a source, newest first: what became of it, and which versions have learned from it.

    A source is a row's ``source_kind`` and ``source_id``; for a document this is its id. Empty for one that no run met.
    """
    return SourceUses(items=[SourceUse.of(use) for use in await lineage.uses(session, source, source_id, limit)])


@router.put("/exclusions/{source}/{source_id}", status_code=204)
async def exclude_from_training(source: SourceKind, source_id: uuid.UUID, admin: AdminDep, session: SessionDep) -> None:
    """From the next run on nothing is learned from this source."""
    await training_rows.exclude(session, source, source_id)
    audit.record(session, admin.id, "training.exclude", f"{source}/{source_id}")


@router.delete("/exclusions/{source}/{source_id}", status_code=204)
async def include_in_training(source: SourceKind, source_id: uuid.UUID, admin: AdminDep, session: SessionDep) -> None:
    """Take an exclusion back."""
    await training_rows.include(session, source, source_id)
    audit.record(session, admin.id, "training.include", f"{source}/{source_id}")


async def _run(session: AsyncSession, run_id: uuid.UUID) -> TrainingRun:
    run = await session.get(TrainingRun, run_id)
    if run is None:
        raise NotFoundError("There is no such training run.")
    return run
