"""From a source to the runs that looked at it, and from a run to the version that came of it."""

import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from codellama_core.models import Alias, ModelAlias, ModelVersion, Split, TrainingRow, TrainingRun, VersionState


@dataclass(frozen=True, slots=True)
class Outcome:
    """The version that a run made; ``aliases`` say what it is used for now."""

    id: uuid.UUID
    name: str
    state: VersionState
    aliases: Sequence[Alias]


@dataclass(frozen=True, slots=True)
class Use:
    """What a run made of a source: how many rows in which split, how many not and why; ``version`` if there is one."""

    run: TrainingRun
    splits: dict[Split, int]
    reasons: dict[str, int]
    version: Outcome | None


async def outcomes(session: AsyncSession, run_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Outcome]:
    """By run; runs that made no version are not in it."""
    versions = (await session.scalars(select(ModelVersion).where(ModelVersion.run_id.in_(run_ids)))).all()
    pointing = select(ModelAlias).where(ModelAlias.version_id.in_([version.id for version in versions]))
    aliases = (await session.scalars(pointing.order_by(ModelAlias.alias))).all()
    return {
        version.run_id: Outcome(
            version.id, version.name, version.state, [row.alias for row in aliases if row.version_id == version.id]
        )
        for version in versions
        if version.run_id is not None
    }


async def uses(session: AsyncSession, source_kind: str, source_id: uuid.UUID, limit: int) -> list[Use]:
    """The newest runs that collected this source, newest first."""
    row = TrainingRow
    ours = (row.source_kind == source_kind, row.source_id == source_id)
    with_it = select(row.run_id).where(*ours)
    newest = select(TrainingRun).where(TrainingRun.id.in_(with_it)).order_by(TrainingRun.started_at.desc()).limit(limit)
    runs = {run.id: run for run in await session.scalars(newest)}
    splits = {run_id: Counter[Split]() for run_id in runs}
    reasons = {run_id: Counter[str]() for run_id in runs}
    kinds = (row.run_id, row.split, row.reason)
    counted = select(*kinds, func.count()).where(*ours, row.run_id.in_(runs)).group_by(*kinds)
    for run_id, split, reason, count in await session.execute(counted):
        if reason is not None:
            reasons[run_id][reason] += count
        elif split is not None:
            splits[run_id][split] += count
    versions = await outcomes(session, runs)
    return [Use(run, dict(splits[run.id]), dict(reasons[run.id]), versions.get(run.id)) for run in runs.values()]
