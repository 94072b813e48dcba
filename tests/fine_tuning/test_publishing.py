"""From the candidate's file to the served version, and what stops it on the way."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.database import plain_url, sync_engine
from codellama_core.models import Alias, ModelAlias, ModelVersion, Replica, RunState, TrainingRun, VersionState
from finetuning.ingest import ingest
from finetuning.pipeline import Pipeline
from finetuning.publish import prune
from finetuning.runs import STAGES, exclusive
from tests.fine_tuning.world import (
    OWN_SOURCE,
    Cli,
    World,
    champion,
    files_below,
    limit_files,
    make_context,
    serve_base,
    settings,
)


@pytest.fixture(scope="session")
def evaluated(
    postgres_url: str, new_database: Callable[[], str], demo_hf: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A database and a models folder with a served base model and a run that is through all stages but the last."""
    url, folder = new_database(), tmp_path_factory.mktemp("evaluated")
    cli, engine = Cli(url, folder, demo_hf, settings()), sync_engine(url)
    serve_base(engine, cli)
    ingest(engine, OWN_SOURCE)
    context = make_context(engine, demo_hf, cli.models_dir, settings())
    with exclusive(engine) as lock:
        pipeline = Pipeline(engine, context.environment, context.settings, context.record, lock, Event())
        for stage in STAGES[:-1]:
            pipeline.stage(stage)
    engine.dispose()
    return url, cli.models_dir


@pytest.fixture
def at(evaluated: tuple[str, Path], postgres_url: str, demo_hf: Path, tmp_path: Path) -> Iterator["At"]:
    """A copy of ``evaluated`` of the test's own."""
    name = f"copy_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(plain_url(postgres_url), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {make_url(evaluated[0]).database}")
    url = make_url(evaluated[0]).set(database=name).render_as_string(hide_password=False)
    shutil.copytree(evaluated[1], tmp_path / "models")
    engine = sync_engine(url)
    yield At(engine, World(engine), Cli(url, tmp_path, demo_hf, settings()))
    engine.dispose()


@dataclass(frozen=True)
class At:
    """A run that is somewhere on its way."""

    engine: Engine
    world: World
    cli: Cli

    def go_back_to(self, stage: str) -> Path:
        """Undo ``stage`` and all after it; the run's folder."""
        folder = self.cli.models_dir / "runs" / str(self.world.run().id)
        for later in STAGES[STAGES.index(stage) :]:
            (folder / f"{later}.json").unlink(missing_ok=True)
        if stage in ("extract", "train", "export"):
            shutil.rmtree(self.cli.models_dir / ".staging")
        return folder


@pytest.mark.parametrize(("stage", "largest"), [("export", 1_000_000), ("evaluate", 100), ("publish", 100)])
def test_a_full_disk_leaves_the_champion_and_the_next_try_completes(at: At, stage: str, largest: int) -> None:
    before = champion(at.engine)
    at.go_back_to(stage)
    full = at.cli("run", preexec_fn=limit_files(largest))
    assert full.returncode == 1, full.stderr
    assert "may be tried again" in full.stderr
    current = champion(at.engine)
    assert before is not None
    assert current is not None
    assert current.id == before.id
    assert at.world.run().state is RunState.FAILED
    assert at.world.run().error
    assert not [name for name in files_below(at.cli.models_dir) if name.endswith(".tmp")]
    assert not (at.cli.models_dir / "versions").exists()
    done = at.cli("run")
    assert done.returncode == 0, done.stderr
    assert at.world.run().state is RunState.PUBLISHED
    with Session(at.engine) as session:
        assert len(session.scalars(select(TrainingRun)).all()) == 1


def test_a_refused_candidate_is_kept_with_its_report_and_is_not_served(at: At) -> None:
    before = champion(at.engine)
    scramble(at.go_back_to("export") / "adapter" / "adapter_model.safetensors")
    done = at.cli("run")
    assert done.returncode == 3, done.stderr
    assert "gate NLL" in done.stderr
    assert "NO" in done.stderr
    current, run = champion(at.engine), at.world.run()
    assert before is not None
    assert current is not None
    assert current.id == before.id
    assert run.state is RunState.REJECTED
    assert run.verdict is not None
    assert run.verdict["passed"] is False
    with Session(at.engine) as session:
        version = session.scalars(select(ModelVersion).where(ModelVersion.run_id == run.id)).one()
        assert version.state is VersionState.REJECTED
        assert registry.file_of(version, at.cli.models_dir).exists()
        assert session.scalar(select(ModelAlias).where(ModelAlias.alias == Alias.PREVIOUS)) is None


def scramble(adapter: Path) -> None:
    """Fill an adapter with large noise: what training on wrong labels at worst makes of it."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    random = np.random.default_rng(0)
    tensors = {name: random.normal(0, 0.2, t.shape).astype(np.float32) for name, t in load_file(adapter).items()}
    save_file(tensors, adapter)


def test_a_champion_changed_meanwhile_makes_the_comparison_be_made_again(at: At) -> None:
    other = serve_base(at.engine, at.cli, "F16")
    failed = at.cli("run")
    assert failed.returncode == 1
    assert "compares again" in failed.stderr
    done = at.cli("run")
    assert done.returncode == 0, done.stderr
    current = champion(at.engine)
    assert current is not None
    assert current.parent_id == other.id


def test_a_damaged_candidate_is_never_published(at: At) -> None:
    before = champion(at.engine)
    (model,) = (at.cli.models_dir / ".staging").glob("*/model.gguf")
    model.write_bytes(model.read_bytes()[:-1000])
    done = at.cli("run")
    assert done.returncode == 65
    assert "SHA-256" in done.stderr
    current = champion(at.engine)
    assert before is not None
    assert current is not None
    assert current.id == before.id


def test_old_versions_and_old_data_are_deleted_unless_served(at: At) -> None:
    run, models_dir = at.world.run(), at.cli.models_dir
    with Session(at.engine) as session, session.begin():
        for age, name in enumerate(("a day", "two days", "three days")):
            file = models_dir / "versions" / name / "model.gguf"
            file.parent.mkdir(parents=True)
            file.write_bytes(b"")
            values: dict[str, Any] = {"path": file, "name": name, "sha256": name, "size_bytes": 0, "run_id": run.id}
            version = registry.register(session, models_dir=models_dir, **values)
            version.created_at = run.started_at - timedelta(days=age + 1)
            if name == "three days":
                session.add(Replica(instance_id=uuid.uuid4(), host="pod", version_id=version.id))
    (models_dir / "runs" / str(uuid.uuid4())).mkdir()
    assert at.cli("run").returncode == 0
    tidy = settings(publish={"keep_versions": 2, "keep_runs": 1})
    prune(make_context(at.engine, Path(at.cli.environment["FINETUNE_BASE"]), models_dir, tidy))
    assert {path.name for path in (models_dir / "versions").iterdir()} == {str(run.id), "a day", "three days"}
    assert list((models_dir / "runs").iterdir()) == []


def test_runs_that_a_clock_ahead_of_time_dated_do_not_push_out_the_present_one(
    engine: Engine, tmp_path: Path, demo_hf: Path
) -> None:
    tidy = settings(publish={"keep_runs": 1})
    context = make_context(engine, demo_hf, tmp_path, tidy)
    with Session(engine) as session, session.begin():
        later = context.record.read().started_at + timedelta(hours=7)
        ahead = TrainingRun(stage="publish", base_model="x", settings={}, state=RunState.REJECTED, started_at=later)
        session.add(ahead)
        session.flush()
        kept = {str(context.run_id), str(ahead.id)}
    for name in (*kept, str(uuid.uuid4())):
        (tmp_path / "runs" / name).mkdir(parents=True)
    prune(context)
    assert {path.name for path in (tmp_path / "runs").iterdir()} == kept
