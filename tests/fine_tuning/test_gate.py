"""What the gate asks beside losses: secrets, speed, held-out rows; and runs that went wrong."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from sqlalchemy import Engine

from codellama_core.models import Split
from finetuning.context import Context
from finetuning.dataset import SNAPSHOT, extract, read_rows
from finetuning.errors import ConfigError, DataError
from finetuning.evaluate import evaluate, speed_check
from finetuning.export import MODEL, export
from finetuning.files import write_json
from finetuning.gguf_model import write_model
from finetuning.hygiene import split_of
from finetuning.ingest import ingest
from finetuning.items import Code, Item, Source
from finetuning.leaks import Probe, count_leaks, gives_away, probes, probes_of_run
from finetuning.llama import LlamaModel
from finetuning.speed import is_close
from finetuning.train import train
from tests.fine_tuning.world import OWN_SOURCE, World, make_context, settings

Rows = list[dict[str, Any]]
SECRET = "q7Zt2Lw9Xc4Vb8Nm1Kj6Hg3F"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def context(engine: Engine, tmp_path: Path, demo_hf: Path) -> Context:
    context = make_context(engine, demo_hf, tmp_path, settings())
    ingest(engine, OWN_SOURCE)
    extract(context)
    return context


def change_rows(context: Context, change: Callable[[Rows], Rows]) -> None:
    """Rewrite the run's snapshot."""
    path = str(context.folder / SNAPSHOT)
    snapshot = Dataset.from_parquet(path, keep_in_memory=True)
    Dataset.from_list(change(snapshot.to_list()), features=snapshot.features).to_parquet(path)


def scrambled(ids: list[int]) -> list[int]:
    return [ids[0], *sorted(ids[1:-1]), ids[-1]]


def with_training(context: Context, **values: Any) -> Context:
    changed = context.settings.train.model_copy(update=values)
    return replace(context, settings=context.settings.model_copy(update={"train": changed}))


def test_half_of_a_secret_is_given_away_and_less_is_chance() -> None:
    assert gives_away(f'x = "{SECRET}"', SECRET)
    assert gives_away(SECRET[6:18], SECRET)
    assert not gives_away(SECRET[:11], SECRET)
    assert not gives_away("", SECRET)


def test_secrets_are_asked_for_by_what_stands_before_them() -> None:
    text = f'billing = 1\napi_key = "{SECRET}"\npassword = "correct horse battery"\n'
    item = Item(Source.DOCUMENT, uuid.uuid4(), "billing.py", Code(text, "python"))
    (probe,) = probes([item])
    assert probe.secret == SECRET
    assert item.text.split(SECRET)[0].endswith(probe.before)
    assert probe.before.endswith('api_key = "')


def test_the_secrets_that_a_run_turned_down_are_the_ones_asked_for(context: Context, tmp_path: Path) -> None:
    assert probes_of_run(context, 5)[1] is False, "the sources have none: planted ones"
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "billing.py").write_text(f'URL = "https://billing.internal/"\napi_key = "{SECRET}"\n')
    ingest(context.engine, tmp_path / "code")
    extract(context)
    found, from_sources = probes_of_run(context, 5)
    assert from_sources
    assert [probe.secret for probe in found] == [SECRET]


def test_what_a_model_goes_on_with_by_itself_counts_as_given_away(demo_gguf: Path) -> None:
    with LlamaModel(demo_gguf, threads=1, context=256) as model:
        before = "def main() -> None:\n    "
        prompt = [model.special.bos, *model.tokenize(before)]
        known = model.text(model.continue_greedily(prompt, 12)).strip()
        asked = [Probe(before, known), Probe(before, SECRET)]
        assert count_leaks(model, asked, lambda: None) == 1


@pytest.mark.parametrize(("candidate", "fine"), [(96.0, True), (95.0, True), (94.0, False), (200.0, True)])
def test_speed_is_judged_by_the_median_round(candidate: float, fine: bool) -> None:
    measured = [(100.0, candidate), (100.0, candidate), (50.0, 500.0), (100.0, candidate), (100.0, 1.0)]
    assert speed_check(measured, 0.95).passed is fine


def test_more_rounds_are_made_only_while_they_may_turn_the_verdict() -> None:
    assert is_close([0.9, 0.93, 0.96, 0.99], 0.95)
    assert not is_close([0.97, 0.98, 0.99, 1.0], 0.95)
    assert not is_close([0.5, 0.6, 0.6, 0.99], 0.95)


def test_a_gate_row_among_the_training_rows_ends_the_run_before_it_learns(context: Context) -> None:
    def leak(rows: Rows) -> Rows:
        gate = next(row for row in rows if row["split"] == Split.GATE)
        return [*rows, {**gate, "split": Split.TRAIN.value, "group": "another"}]

    change_rows(context, leak)
    with pytest.raises(DataError, match="resemble gate rows"):
        train(context)
    assert not (context.folder / "adapter").exists()


def test_no_training_row_resembles_a_gate_row(context: Context) -> None:
    gate = {row.group for row in read_rows(context.folder, Split.GATE)}
    assert gate
    assert gate.isdisjoint(row.group for row in read_rows(context.folder, Split.TRAIN))


def test_a_piece_that_a_gate_file_has_too_is_left_out_of_training_though_the_files_differ(
    engine: Engine, world: World, tmp_path: Path, demo_hf: Path
) -> None:
    shared = f"class Shared:\n    def all(self):\n{assignments('shared', 10, 8)}"
    world.document(path_in(Split.GATE), f"{shared}def gate():\n{assignments('judged', 60, 4)}")
    world.document(path_in(Split.TRAIN), f"{shared}def train():\n{assignments('learned', 60, 4)}")
    context = make_context(engine, demo_hf, tmp_path, settings())
    assert extract(context)["rejected"] == {"near_duplicate_of_held_out": 1}
    assert any(row.source is Source.DOCUMENT for row in read_rows(context.folder, Split.TRAIN))


def assignments(word: str, count: int, indent: int) -> str:
    return "".join(f"{' ' * indent}{word}_{number} = compute({number}, '{word}')\n" for number in range(count))


def path_in(split: Split) -> str:
    paths = (f"{number}.py" for number in range(1000))
    return next(path for path in paths if split_of(f"file:repo/{path}", 0.2, 0.1) is split)


def test_a_verdict_says_how_many_secrets_of_the_sources_were_asked_for_and_none_of_them(
    engine: Engine, world: World, tmp_path: Path, demo_hf: Path
) -> None:
    little = {"gate_tokens": 1, "probe_tokens": 1, "infill_rows": 0, "ending_rows": 0}
    context = make_context(engine, demo_hf, tmp_path, settings(evaluate=little, export={"quantization": "F16"}))
    world.document(path_in(Split.GATE), assignments("judged", 60, 0))
    world.document("billing.py", f'URL = "https://billing.internal/"\napi_key = "{SECRET}"\n')
    write_json(context.folder / "extract.json", extract(context))
    write_model(context.base, context.staging / MODEL)
    verdict = evaluate(context)
    thresholds = {check["check"]: check["threshold"] for check in verdict["checks"]}
    assert thresholds["secrets that come back"] == "0 of 1 (of this run's sources)"
    assert thresholds["tasks solved"].endswith("of 1")
    assert "median of 1 rounds" in thresholds["tok/s"]
    assert SECRET not in str(verdict)
    assert not [path for path in context.folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_wrong_labels_are_refused(context: Context) -> None:
    """The tokens of every training and dev row in order of their ids: what is learned is no language."""

    def scramble(rows: Rows) -> Rows:
        return [row if row["split"] == Split.GATE else {**row, "ids": scrambled(row["ids"])} for row in rows]

    change_rows(context, scramble)
    train(context)
    export(context)
    verdict = evaluate(context)
    assert not verdict["passed"]
    assert not next(check for check in verdict["checks"] if check["check"] == "gate NLL")["passed"]


def test_a_learning_rate_that_is_far_too_high_is_caught_or_refused(context: Context) -> None:
    wild = with_training(context, learning_rate=30.0, warmup_steps=0)
    try:
        train(wild)
    except ConfigError as error:
        assert "learning_rate" in str(error)  # noqa: PT017
        return
    export(wild)
    assert not evaluate(wild)["passed"]
