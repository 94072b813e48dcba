"""What the doctor says before the night."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from codellama_core.models import RunState, TrainingRun
from finetuning.base_model import BaseModel, identity
from finetuning.config import Environment, Settings
from finetuning.dataset import gather
from finetuning.doctor import Finding, examine
from finetuning.ingest import ingest
from finetuning.memory import need
from tests.fine_tuning.world import OWN_SOURCE, Cli, World, settings


@pytest.fixture
def environment(demo: BaseModel, tmp_path: Any) -> Environment:
    return Environment("", tmp_path, demo.folder, tmp_path, None, threads=1)


def findings(engine: Engine, environment: Environment, chosen: Settings) -> dict[str, Finding]:
    return {found.what: found for found in examine(engine, environment, chosen)}


def add_run(engine: Engine, environment: Environment, **train: Any) -> None:
    stages = {"extract": {"seconds": 30.0}, "train": {"seconds": 60.0, **train}, "evaluate": {"seconds": 240.0}}
    values = {"state": RunState.REJECTED, "stage": "publish", "settings": {}, "stages": stages}
    with Session(engine) as session, session.begin():
        session.add(TrainingRun(base_model=identity(environment.base), **values))


def test_it_counts_what_a_run_would_learn_from_and_be_judged_by(
    engine: Engine, environment: Environment, demo: BaseModel, world: World
) -> None:
    ingest(engine, OWN_SOURCE)
    world.document("theirs.py", "x = 1\n", license="GPL-3.0")
    chosen = settings(extract={"max_train_tokens": 3000})
    found = findings(engine, environment, chosen)
    rows, rejections = gather(engine, demo, chosen.extract, environment.licenses)
    judging = sum(row.split.value == "gate" for row in rows)
    assert f"{judging} to judge by (at least 3)" in found["rows"].finding
    assert f"{sum(row.source.value == 'document' for row in rows)} document" in found["from"].finding
    assert "1 license" in found["left out"].finding
    assert len(rejections) > 1
    planned = min(3 * sum(len(row.ids) for row in rows if row.split.value == "train"), 6 * 1024)
    assert f"{planned:,} tokens in all epochs" in found["training"].finding
    assert "projected from this machine's matrix products" in found["training"].finding
    takes = need(demo.shape, chosen.train, "float32", "fast").total
    assert f"training takes {takes / 1e9:.1f} GB (fast)" in found["memory"].finding
    assert all(each.fine for each in found.values())


def test_the_time_is_that_of_the_last_run_which_trained_in_the_same_way(
    engine: Engine, environment: Environment
) -> None:
    ingest(engine, OWN_SOURCE)
    add_run(engine, environment, tokens_per_second=1.0, compute="float32", mode="fast")
    add_run(engine, environment, tokens_per_second=9.0, compute="float32", mode="lean")
    found = findings(
        engine, environment, settings(train={"max_steps": 18, "tokens_per_step": 1000, "max_epochs": 99.0})
    )
    assert found["training"].finding.startswith("about 5.0 h: 18,000 tokens in all epochs at 1.0 a second")
    assert found["training"].finding.endswith("the limit of 1.0 h ends it after 20%")
    assert found["the rest"].finding == "took in the last run: extract 0.5 min, evaluate 4.0 min"


def test_an_empty_database_a_missing_model_and_too_little_memory_are_named(
    engine: Engine, environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    found = findings(engine, environment, settings())
    assert not found["rows"].fine
    assert "3 more are needed" in found["missing"].finding
    nowhere = Environment("", tmp_path, tmp_path / "nowhere", tmp_path, None, threads=1)
    assert not findings(engine, nowhere, settings())["base model"].fine
    too_long = settings(train={"sequence_length": 2**24, "mode": "auto"})
    ingest(engine, OWN_SOURCE)
    memory = findings(engine, environment, too_long)["memory"]
    assert not memory.fine
    assert "raise the limit" in memory.finding


def test_as_a_command_it_ends_with_1_when_something_is_missing(
    engine: Engine, run_cli: Callable[[Settings], Cli]
) -> None:
    cli = run_cli(settings())
    missing = cli("doctor")
    assert missing.returncode == 1
    assert "BAD rows" in missing.stdout
    ingest(engine, OWN_SOURCE)
    done = cli("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok  training" in done.stdout
