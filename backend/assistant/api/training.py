"""The weekly runs, as they write themselves down."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select

from assistant.api.deps import PrincipalDep, SessionDep
from assistant.api.schemas import TrainingRunOut, TrainingRunsPage
from assistant.errors import NotFoundError
from codellama_core.models import TrainingRun

router = APIRouter(prefix="/api/training", tags=["training"])


@router.get("/runs")
async def list_training_runs(
    principal: PrincipalDep, session: SessionDep, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> TrainingRunsPage:
    """Newest first."""
    rows = await session.scalars(select(TrainingRun).order_by(TrainingRun.started_at.desc()).limit(limit))
    return TrainingRunsPage(items=[TrainingRunOut.of(row) for row in rows])


@router.get("/runs/{run_id}")
async def get_training_run(run_id: uuid.UUID, principal: PrincipalDep, session: SessionDep) -> TrainingRunOut:
    """One run: its stages, figures and verdict."""
    row = await session.get(TrainingRun, run_id)
    if row is None:
        raise NotFoundError("There is no such training run.")
    return TrainingRunOut.of(row)
