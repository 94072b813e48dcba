"""The whole run as a process: it publishes what is better, and no kind of bad day harms the champion."""

import json
import resource
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
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
from finetuning.base_model import identity
from finetuning.config import Settings
from finetuning.ingest import ingest
from finetuning.llama import LlamaModel
from finetuning.pipeline import Pipeline
from finetuning.publish import prune
from finetuning.runs import RUN_LOCK, STAGES, open_run
from tests.fine_tuning.world import OWN_SOURCE, Cli, World, make_context, settings

PATIENCE_S = 300
ALIAS_LOCK = 4_711_002
MakeCli = Callable[[Settings], Cli]


def champion(engine: Engine) -> ModelVersion | None:
    with Session(engine, expire_on_commit=False) as session:
        return registry.champion(session)


def serve_base(engine: Engine, cli: Cli, kind: str = "Q8_0") -> ModelVersion:
    """Make the base model champion, as the server does at its first start."""
    path = cli.models_dir / "base" / "demo" / "model.gguf"
    assert cli("export-base", cli.environment["FINETUNE_BASE"], str(path), "--quantize", kind).returncode == 0
    with Session(engine, expire_on_commit=False) as session, session.begin():
        file: dict[str, Any] = {"path": path, "sha256": registry.sha256_of(path), "size_bytes": path.stat().st_size}
        version = registry.register(session, models_dir=cli.models_dir, name="demo", **file)
        registry.promote(session, version.id)
        return version


def wait_for(what: str, condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait until ``condition`` holds; fails when the process ends before or it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert process.poll() is None, f"ended before {what}: {process.communicate()}"
        assert time.monotonic() < deadline, f"no {what} within {PATIENCE_S} s"
        time.sleep(0.02)


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
    pipeline = Pipeline(engine, context.environment, context.settings, context.record, Event())
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


def kill(process: subprocess.Popen[str], how: int = signal.SIGKILL) -> int:
    process.send_signal(how)
    process.communicate(timeout=PATIENCE_S)
    return process.returncode


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_run_lowers_the_held_out_loss_and_moves_the_champion(engine: Engine, world: World, run_cli: MakeCli) -> None:
    cli = run_cli(settings())
    before = serve_base(engine, cli)
    ingest(engine, OWN_SOURCE)
    world.feedback(world.answered("Say yes.", "no"), rating=-1, correction="yes")
    with psycopg.connect(plain_url(cli.environment["DATABASE_URL"]), autocommit=True) as connection:
        connection.execute("LISTEN model_changed")
        done = cli("run")
        assert done.returncode == 0, done.stderr
        assert next(connection.notifies(timeout=PATIENCE_S)).channel == "model_changed"
    run, after = world.run(), champion(engine)
    assert after is not None
    assert after.id != before.id
    assert after.parent_id == before.id
    assert run.state is RunState.PUBLISHED
    assert run.finished_at is not None
    assert run.error is None
    assert list(run.stages)
    assert set(run.stages) == {"extract", "train", "export", "evaluate", "publish"}
    assert run.verdict is not None
    gate = run.verdict["checks"][0]
    assert gate["candidate"] < gate["champion"]
    assert gate["interval"][0] <= gate["interval"][1] < 0
    assert run.stages["train"]["curve"]["train"]
    assert "losses" not in run.stages["train"], "of all losses the row keeps the curve"
    assert all(report["seconds"] >= 0 for report in run.stages.values())
    assert run.dataset_fingerprint == run.stages["extract"]["fingerprint"]
    path = registry.file_of(after, cli.models_dir)
    assert registry.sha256_of(path) == after.sha256
    manifest = json.loads((path.parent / "manifest.json").read_text())
    assert manifest["dataset_fingerprint"] == run.dataset_fingerprint
    assert manifest["verdict"]["passed"]
    assert files_below(cli.models_dir / ".staging") == []
    assert "is served from now on" in done.stdout
    rolled_back = cli("rollback")
    assert rolled_back.returncode == 0
    assert "demo" in rolled_back.stdout
    now = champion(engine)
    assert now is not None
    assert now.id == before.id


def test_killed_in_every_stage_the_champion_stays_and_the_run_completes(
    engine: Engine, world: World, run_cli: MakeCli
) -> None:
    cli = run_cli(settings(train={"max_steps": 4}))
    before = serve_base(engine, cli)
    ingest(engine, OWN_SOURCE)
    with psycopg.connect(plain_url(cli.environment["DATABASE_URL"])) as blocker:
        blocker.execute("LOCK TABLE training_rows IN SHARE MODE")
        process = cli.start("run")
        wait_for("extract", lambda: world.run().stage == "extract" and snapshot_of(cli, world).exists(), process)
        assert kill(process) == -signal.SIGKILL
    for stage in ("train", "export", "evaluate"):
        process = cli.start("run")
        wait_for(stage, partial(reached, world, stage), process)
        assert kill(process) == -signal.SIGKILL
        current = champion(engine)
        assert current is not None
        assert current.id == before.id
    with psycopg.connect(plain_url(cli.environment["DATABASE_URL"])) as blocker:
        blocker.execute("SELECT pg_advisory_xact_lock(%s)", (ALIAS_LOCK,))
        process = cli.start("run")
        wait_for("publish", lambda: waits_for_the_alias(blocker), process)
        assert kill(process) == -signal.SIGKILL
    current = champion(engine)
    assert current is not None
    assert current.id == before.id
    done = cli("run")
    assert done.returncode == 0, done.stderr
    current = champion(engine)
    assert current is not None
    assert current.run_id == world.run().id
    with Session(engine) as session:
        assert len(session.scalars(select(TrainingRun)).all()) == 1
    with LlamaModel(registry.file_of(current, cli.models_dir), threads=1, context=64) as model:
        assert model.ends(model.special.eos)


def snapshot_of(cli: Cli, world: World) -> Path:
    return cli.models_dir / "runs" / str(world.run().id) / "rows.parquet"


def reached(world: World, stage: str) -> bool:
    """The run is in ``stage``, and in training past its first step."""
    run = world.run()
    return run.stage == stage and (stage != "train" or run.progress.get("step", 0) >= 1)


def waits_for_the_alias(connection: psycopg.Connection[Any]) -> bool:
    query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
    row = connection.execute(query, (ALIAS_LOCK,)).fetchone()
    return bool(row and row[0])


def test_sigterm_in_training_keeps_every_step_and_the_next_run_goes_on(
    engine: Engine, world: World, run_cli: MakeCli
) -> None:
    cli = run_cli(settings(train={"max_steps": 200, "max_epochs": 100}))
    ingest(engine, OWN_SOURCE)
    process = cli.start("run")
    wait_for("a step", lambda: reached(world, "train"), process)
    assert kill(process, signal.SIGTERM) == 143
    run = world.run()
    assert run.state is RunState.RUNNING
    assert list((cli.models_dir / "runs" / str(run.id)).glob("checkpoint-*.pt"))
    steps = run.progress["step"]
    process = cli.start("run")
    wait_for("more steps", lambda: world.run().progress.get("step", 0) > steps, process)
    assert kill(process, signal.SIGTERM) == 143
    assert world.run().id == run.id


def limit_files(size: int) -> Callable[[], None]:
    """No file of the process may grow beyond ``size`` bytes: what a full disk is like, from the kernel itself."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize(("stage", "largest"), [("export", 1_000_000), ("publish", 100)])
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


def test_a_run_is_gone_on_with_after_the_clock_went_back_or_forth(
    engine: Engine, tmp_path: Path, demo_hf: Path
) -> None:
    first = make_context(engine, demo_hf, tmp_path, settings())
    for hours in (6, -36):
        with Session(engine) as session, session.begin():
            session.get_one(TrainingRun, first.run_id).started_at += timedelta(hours=hours)
        within = timedelta(hours=settings().publish.resume_within_hours)
        again, resumed = open_run(engine, identity(demo_hf), settings().model_dump(mode="json"), within)
        assert resumed
        assert again.id == first.run_id


def test_a_second_run_at_the_same_time_says_so_and_ends(run_cli: MakeCli) -> None:
    cli = run_cli(settings())
    with psycopg.connect(plain_url(cli.environment["DATABASE_URL"])) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (RUN_LOCK,))
        done = cli("run")
    assert done.returncode == 0
    assert "Another fine-tuning run" in done.stderr


def test_too_little_to_learn_from_is_no_failure(world: World, run_cli: MakeCli) -> None:
    done = run_cli(settings())("run")
    assert done.returncode == 0
    assert "3 more are needed" in done.stdout
    assert world.run().state is RunState.NOTHING_TO_DO


def test_a_source_folder_is_taken_in_before_the_run(world: World, run_cli: MakeCli, tmp_path: Path) -> None:
    source = tmp_path / "project"
    source.mkdir()
    (source / "a.py").write_text("x = 1\n")
    cli = run_cli(settings())
    cli.environment["FINETUNE_SOURCE"] = str(source)
    assert "2 more are needed" in cli("run").stdout or world.run().stages["extract"]["rows"]["train"] >= 0


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("DATABASE_URL", "", 78),
        ("DATABASE_URL", "mysql://x/y", 78),
        ("FINETUNE_BASE", "/nowhere", 78),
        ("FINETUNE_CONFIG", "/nowhere.yaml", 78),
        ("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", 1),
    ],
)
def test_a_wrong_environment_has_a_sentence_and_a_code(run_cli: MakeCli, name: str, value: str, code: int) -> None:
    cli = run_cli(settings())
    cli.environment[name] = value
    done = cli("run")
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_stages_out_of_order_and_unknown_runs_are_named(run_cli: MakeCli, engine: Engine) -> None:
    cli = run_cli(settings())
    assert cli("train").returncode == 64
    assert cli("train", "--run", str(uuid.uuid4())).returncode == 64
    assert cli("extract").returncode == 0
    late = cli("publish")
    assert late.returncode == 65
    assert "has not finished" in late.stderr
    assert cli("rollback").returncode == 1


def test_doctor_says_what_a_run_would_find(engine: Engine, run_cli: MakeCli) -> None:
    ingest(engine, OWN_SOURCE)
    done = run_cli(settings())("doctor")
    assert done.returncode == 0, done.stderr
    assert "document" in done.stdout
    assert "base model" in done.stdout


def test_an_unfinished_run_is_gone_on_with_only_under_the_same_settings_and_base(
    engine: Engine, tmp_path: Path, demo_hf: Path
) -> None:
    first = make_context(engine, demo_hf, tmp_path, settings())
    again = make_context(engine, demo_hf, tmp_path, settings())
    other = make_context(engine, demo_hf, tmp_path, settings(train={"rank": 8}))
    assert again.run_id == first.run_id != other.run_id
    assert first.record.read().state is RunState.FAILED
    base = shutil.copytree(demo_hf, tmp_path / demo_hf.name)
    weights = bytearray((base / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (base / "model.safetensors").write_bytes(weights)
    assert make_context(engine, base, tmp_path, settings(train={"rank": 8})).run_id != other.run_id
