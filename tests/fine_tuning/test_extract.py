"""The stage extract: a snapshot on disk, its account in the database, and when there is nothing to do."""

import uuid
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from codellama_core.models import Split, TrainingRow
from finetuning import dataset
from finetuning.context import Context
from finetuning.dataset import extract, read_rows
from finetuning.hygiene import split_of
from finetuning.ingest import ingest
from finetuning.items import Code, Item, Source
from tests.fine_tuning.world import OWN_SOURCE, World, make_context, settings


@pytest.fixture
def context(engine: Engine, tmp_path: Path, demo_hf: Path) -> Context:
    return make_context(engine, demo_hf, tmp_path, settings())


def test_every_row_and_every_rejection_is_accounted_for(context: Context, world: World) -> None:
    ingest(context.engine, OWN_SOURCE)
    world.feedback(world.answered("q", "a"), correction="key = '-----BEGIN " + "PRIVATE KEY-----'")
    report = extract(context)
    with Session(context.engine) as session:
        recorded = session.scalars(select(TrainingRow).where(TrainingRow.run_id == context.run_id)).all()
    rows = [row for split in Split for row in read_rows(context.folder, split)]
    assert report["rejected"]["secret"] == 1
    assert report["rejected"]["over_limit"] > 0, "more source code than extract.max_train_tokens"
    assert Counter(row.reason for row in recorded if not row.kept) == report["rejected"]
    assert sorted(row.sha256 for row in recorded if row.kept) == sorted(row.sha256 for row in rows)
    assert report["rows"] == {split.value: sum(row.split is split for row in rows) for split in Split}
    assert report["nothing_to_do"] is None


def test_the_same_database_gives_the_same_rows(context: Context) -> None:
    ingest(context.engine, OWN_SOURCE)
    first = extract(context)["fingerprint"]
    assert extract(context)["fingerprint"] == first


def test_gate_rows_stay_gate_rows_when_others_come(context: Context, world: World) -> None:
    ingest(context.engine, OWN_SOURCE)
    extract(context)
    gate = {row.sha256 for row in read_rows(context.folder, Split.GATE)}
    for number in range(5):
        world.feedback(world.answered(f"question {number}", f"answer {number}"), rating=1)
    extract(context)
    trained = {row.sha256 for row in read_rows(context.folder, Split.TRAIN)}
    assert gate <= {row.sha256 for row in read_rows(context.folder, Split.GATE)}
    assert not gate & trained


def test_a_file_or_conversation_is_in_one_split_only(context: Context) -> None:
    ingest(context.engine, OWN_SOURCE)
    extract(context)
    groups = [{row.group for row in read_rows(context.folder, split)} for split in Split]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]


def test_about_a_fifth_of_the_training_tokens_is_general_code(context: Context) -> None:
    ingest(context.engine, OWN_SOURCE)
    extract(context)
    rows = read_rows(context.folder, Split.TRAIN)
    replayed = sum(len(row.ids) for row in rows if row.source is Source.REPLAY)
    assert 0.15 < replayed / sum(len(row.ids) for row in rows) < 0.25


def test_general_code_that_judges_here_is_not_replayed(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    ingest(context.engine, OWN_SOURCE)
    shares = context.settings.extract
    judging = next(
        path for path in sorted(OWN_SOURCE.glob("*.py"))
        if split_of(f"file:finetuning/{path.name}", shares.gate_share, shares.dev_share) is Split.GATE
    )  # fmt: skip
    texts = {"judging": judging.read_text() + "# as the library has it\n", "other": "def other():\n    return 1\n" * 5}
    library = [Item(Source.REPLAY, uuid.uuid4(), f"library:{name}", Code(t, "python")) for name, t in texts.items()]
    monkeypatch.setattr(dataset, "replay_items", lambda seed: iter(library))
    report = extract(context)
    replayed = {row.group for split in Split for row in read_rows(context.folder, split) if row.source is Source.REPLAY}
    assert replayed == {"library:other"}
    assert report["rejected"]["near_duplicate_of_held_out"] >= 1


def test_too_few_gate_rows_say_how_many_more_are_needed(context: Context, world: World) -> None:
    world.feedback(world.answered("q", "a"), rating=1)
    report = extract(context)
    missing = 3 - report["rows"]["gate"]
    assert f"{missing} more are needed" in report["nothing_to_do"]


def test_files_of_other_languages_are_left_out_when_languages_are_named(
    engine: Engine, world: World, tmp_path: Path, demo_hf: Path
) -> None:
    world.document("a.rs", "fn main() { println!(); }\n", language="rust")
    context = make_context(engine, demo_hf, tmp_path, settings(extract={"languages": ["python"]}))
    assert extract(context)["rejected"] == {"language": 1}
