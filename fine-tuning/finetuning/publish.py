"""Stage 5, publish: files into their place in one rename, the registry and the alias in one transaction.

Killed or out of disk at any point, the champion stays what it was, and another try completes what is missing.
"""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.models import AuditLog, ModelAlias, ModelVersion, Replica, RunState, TrainingRun, VersionState
from finetuning.checkpoints import Checkpoints
from finetuning.context import Context
from finetuning.errors import DataError, FinetuneError
from finetuning.export import MANIFEST, MODEL
from finetuning.files import read_json, sync, write_json
from finetuning.llama import LlamaModel

REPLICA_SEEN_WITHIN = timedelta(hours=1)


class ChampionChangedError(FinetuneError):
    """Another version became champion after the comparison; it has to be made again."""


def publish(context: Context) -> dict[str, Any]:
    """Put the candidate in place and, if the gate passed it, make it champion; otherwise keep it as rejected.

    Raises ChampionChangedError when the comparison is out of date, DataError when the file does not load.
    """
    verdict = read_json(context.folder / "evaluate.json")
    with Session(context.engine) as session:
        _require_champion(session, verdict)
    context.progress.report(0.1)
    if context.staging.exists():
        _complete_staging(context, verdict)
        context.progress.report(0.6)
        _move(context)
    version = _register(context, verdict)
    prune(context)
    return version


def smoke_load(path: Path, sha256: str, threads: int) -> None:
    """Raises DataError unless the file is the one that was evaluated, loads, and computes finite logits."""
    if registry.sha256_of(path) != sha256:
        raise DataError(f"{path} is not the file that was exported: its SHA-256 differs.")
    with LlamaModel(path, threads=threads, context=64) as model:
        logits = model.logits([model.special.bos, *model.tokenize("def main():")])
    if not np.isfinite(logits).all():
        raise DataError(f"{path} computes values that are not finite.")


def _complete_staging(context: Context, verdict: dict[str, Any]) -> None:
    manifest = read_json(context.staging / MANIFEST)
    smoke_load(context.staging / MODEL, manifest["sha256"], context.environment.threads)
    write_json(context.staging / MANIFEST, {**manifest, "verdict": verdict})
    for file in context.staging.iterdir():
        file.chmod(0o444)
        sync(file)
    sync(context.staging)


def _move(context: Context) -> None:
    target = context.version_folder
    target.parent.mkdir(parents=True, exist_ok=True)
    os.rename(context.staging, target)
    sync(target.parent)
    sync(context.staging.parent)


def _register(context: Context, verdict: dict[str, Any]) -> dict[str, Any]:
    manifest = read_json(context.version_folder / MANIFEST)
    with Session(context.engine) as session, session.begin():
        _require_champion(session, verdict)
        run = session.get_one(TrainingRun, context.run_id)
        state = VersionState.AVAILABLE if verdict["passed"] else VersionState.REJECTED
        version = registry.register(
            session,
            models_dir=context.environment.models_dir,
            path=context.version_folder / MODEL,
            name=f"{context.base.name}-{run.started_at:%Y%m%d-%H%M%S}",
            sha256=manifest["sha256"],
            size_bytes=manifest["size_bytes"],
            parent_id=verdict["champion_id"],
            run_id=run.id,
            metrics={"verdict": verdict},
            state=state,
        )
        if verdict["passed"]:
            registry.promote(session, version.id)
            session.add(AuditLog(action="model.promote", subject=version.name, details={"run_id": str(run.id)}))
        run.state = RunState.PUBLISHED if verdict["passed"] else RunState.REJECTED
        run.stage, run.finished_at, run.error = "publish", datetime.now(UTC), None
        run.progress = {"stage": "publish", "fraction": 1.0}
        return {"version_id": str(version.id), "name": version.name, "state": state.value}


def _require_champion(session: Session, verdict: dict[str, Any]) -> None:
    champion = registry.champion(session)
    if (str(champion.id) if champion else None) != verdict["champion_id"]:
        raise ChampionChangedError("The served model changed since the comparison; the next try compares again.")


def prune(context: Context) -> None:
    """Delete this run's scratch files, old versions that nobody serves or points to, and old runs' data.

    This run's own data stays, whatever the clock said when others began; who is alive is told by the database's clock.
    """
    Checkpoints(context.folder).delete()
    (context.folder / "base.gguf").unlink(missing_ok=True)
    models_dir, settings = context.environment.models_dir, context.settings.publish
    with Session(context.engine) as session, session.begin():
        for version in _unneeded(session, settings.keep_versions):
            path = registry.file_of(version, models_dir)
            if path.is_relative_to(models_dir / "versions"):
                version.state = VersionState.DELETED
                session.flush()
                shutil.rmtree(path.parent, ignore_errors=True)
        newest = select(TrainingRun.id).order_by(TrainingRun.started_at.desc()).limit(settings.keep_runs)
        kept = {str(context.run_id), *(str(run_id) for run_id in session.scalars(newest))}
    for folder in (models_dir / "runs").iterdir():
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _unneeded(session: Session, keep: int) -> list[ModelVersion]:
    used = set(session.scalars(select(ModelAlias.version_id)))
    alive = Replica.heartbeat_at > func.now() - REPLICA_SEEN_WITHIN
    used |= set(session.scalars(select(Replica.version_id).where(alive)))
    query = select(ModelVersion).where(ModelVersion.run_id.is_not(None), ModelVersion.state != VersionState.DELETED)
    versions = session.scalars(query.order_by(ModelVersion.created_at.desc())).all()
    return [version for version in versions[keep:] if version.id not in used]
