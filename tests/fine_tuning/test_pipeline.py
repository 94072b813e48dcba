"""The whole run as a process: it publishes what is better, and no kind of bad day harms the champion."""

import json
import shutil
import signal
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.database import plain_url, sync_engine
from codellama_core.models import RunState, TrainingRun
from finetuning.base_model import identity
from finetuning.config import Settings
from finetuning.context import Context
from finetuning.errors import BusyError, DatabaseAwayError, InterruptedRunError
from finetuning.ingest import ingest
from finetuning.llama import LlamaModel
from finetuning.pipeline import Pipeline
from finetuning.runs import RUN_LOCK, RunLock, exclusive, open_run
from tests.fine_tuning.world import (
    OWN_SOURCE,
    PATIENCE_S,
    Cli,
    World,
    champion,
    files_below,
    kill,
    limit_files,
    make_context,
    serve_base,
    settings,
    wait_for,
)
from tests.servers import DatabaseProxy, eventually

ALIAS_LOCK = 4_711_002
MakeCli = Callable[[Settings], Cli]


def test_a_run_lowers_the_held_out_loss_and_moves_the_champion(engine: Engine, world: World, run_cli: MakeCli) -> None:
    cli = run_cli(settings(export={"kept_tokens": 500}))
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
    assert 0.9 < run.stages["export"]["gain_kept"]["Q8_0"] < 1.1
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


def test_a_disk_that_is_full_at_the_beginning_costs_nothing(engine: Engine, world: World, run_cli: MakeCli) -> None:
    cli = run_cli(settings())
    ingest(engine, OWN_SOURCE)
    full = cli("extract", preexec_fn=limit_files(5_000))
    assert full.returncode == 1, full.stderr
    assert "may be tried again" in full.stderr
    run = world.run()
    assert run.state is RunState.FAILED
    assert run.progress["resumable"]
    assert files_below(cli.models_dir / "runs") == []
    done = cli("extract")
    assert done.returncode == 0, done.stderr
    assert world.run().id == run.id
    assert world.run().stages["extract"]["rows"]["train"] > 0


@pytest.fixture
def proxy(fresh_database_url: str) -> Iterator[DatabaseProxy]:
    proxy = DatabaseProxy(fresh_database_url)
    yield proxy
    proxy.restore()
    proxy.cut()


@pytest.fixture
def through(proxy: DatabaseProxy) -> Iterator[Engine]:
    """The database, by way of ``proxy``."""
    engine = sync_engine(proxy.url)
    yield engine
    engine.dispose()


def test_a_database_that_goes_away_while_a_run_trains_is_waited_for(
    engine: Engine, world: World, run_cli: MakeCli, proxy: DatabaseProxy
) -> None:
    cli = run_cli(settings(train={"max_steps": 4}))
    before = serve_base(engine, cli)
    cli.environment["DATABASE_URL"] = proxy.url
    ingest(engine, OWN_SOURCE)
    process = cli.start("run")
    wait_for("training", lambda: world.run().stage == "train", process)
    proxy.cut()
    trained = cli.models_dir / "runs" / str(world.run().id) / "train.json"
    wait_for("the end of training", trained.exists, process)
    assert "train" not in world.run().stages
    assert not list(exclusive_holders(engine)), "the lock went with the connection"
    proxy.restore()
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors
    assert "waiting for it" in errors
    current = champion(engine)
    assert current is not None
    assert current.parent_id == before.id
    with Session(engine) as session:
        assert len(session.scalars(select(TrainingRun)).all()) == 1


def exclusive_holders(engine: Engine) -> list[int]:
    """Backends that hold the pipeline's lock."""
    query = text("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = :key AND granted")
    with engine.connect() as connection:
        return list(connection.scalars(query, {"key": RUN_LOCK}))


def test_a_run_whose_lock_another_has_taken_meanwhile_ends(
    engine: Engine, proxy: DatabaseProxy, through: Engine
) -> None:
    with exclusive(through) as lock:
        lock.renew()
        proxy.cut()
        lock.renew()  # away: it may come back
        eventually("the lock is free", lambda: not exclusive_holders(engine))
        proxy.restore()
        lock.renew()
        assert len(exclusive_holders(engine)) == 1
        proxy.cut()
        eventually("the lock is free again", lambda: not exclusive_holders(engine))
        with exclusive(engine):
            proxy.restore()
            with pytest.raises(BusyError):
                lock.renew()
            with pytest.raises(BusyError):
                lock.wait(Event())


def test_a_run_that_another_process_has_ended_meanwhile_is_left_alone(
    engine: Engine, tmp_path: Path, demo_hf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a loss of the lock so long that another went on with the run and published it."""
    context = make_context(engine, demo_hf, tmp_path, settings())

    def extract(context: Context) -> dict[str, Any]:
        context.record.finish(RunState.PUBLISHED)
        return {"fingerprint": "theirs", "nothing_to_do": ""}

    monkeypatch.setattr("finetuning.dataset.extract", extract)
    with exclusive(engine) as lock:
        pipeline = Pipeline(engine, context.environment, context.settings, context.record, lock, Event())
        with pytest.raises(BusyError, match="it is published now"):
            pipeline.run()
    run = context.record.read()
    assert (run.state, run.error, run.dataset_fingerprint) == (RunState.PUBLISHED, None, None)


def test_a_database_that_stays_away_ends_the_run_which_another_try_goes_on_with(
    proxy: DatabaseProxy, through: Engine
) -> None:
    lock, stop = RunLock(through, patience_s=0.1), Event()
    lock.take()
    proxy.cut()
    with pytest.raises(DatabaseAwayError, match="has been away"):
        lock.wait(stop)
    stop.set()
    with pytest.raises(InterruptedRunError):
        RunLock(through).wait(stop)


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


def test_rows_that_are_all_turned_down_are_no_failure_and_each_has_its_reason(world: World, run_cli: MakeCli) -> None:
    for number in range(3):
        world.feedback(world.answered(f"question {number}", "no"), rating=-1)
    world.feedback(world.answered("q", "a"), correction="key = '-----BEGIN " + "PRIVATE KEY-----'")
    world.document("theirs.py", "x = 1\n", license="GPL-3.0")
    done = run_cli(settings())("run")
    assert done.returncode == 0, done.stderr
    assert "3 more are needed" in done.stdout
    run = world.run()
    assert run.state is RunState.NOTHING_TO_DO
    assert run.stages["extract"]["rejected"] == {"thumbs_down": 3, "secret": 1, "license": 1}


def test_a_base_model_of_another_architecture_is_named_before_any_work(
    world: World, run_cli: MakeCli, demo_hf: Path, tmp_path: Path
) -> None:
    base = shutil.copytree(demo_hf, tmp_path / "gpt2")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}))
    cli = run_cli(settings())
    cli.environment["FINETUNE_BASE"] = str(base)
    done = cli("run")
    assert done.returncode == 65
    assert "is a 'gpt2' model" in done.stderr
    assert "Traceback" not in done.stderr


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
