"""Training: rows do not see each other, interrupted runs end like uninterrupted ones, PEFT reads the result."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from sqlalchemy import Engine
from transformers import LlamaForCausalLM

from codellama_core.models import Split
from finetuning.adapter import FOLDER
from finetuning.checkpoints import Checkpoints
from finetuning.config import TrainSettings
from finetuning.context import Context
from finetuning.dataset import extract, read_rows
from finetuning.errors import ConfigError, DataError, InterruptedRunError
from finetuning.importance import IMPORTANCE
from finetuning.ingest import ingest
from finetuning.learner import Learner
from finetuning.memory import BITS, Mode
from finetuning.packing import pack
from finetuning.progress import Progress
from finetuning.rows import Row
from finetuning.runs import RunRecord
from finetuning.train import Cursor, Trainer, train
from tests.fine_tuning.world import OWN_SOURCE, make_context, settings


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def context(engine: Engine, tmp_path: Path, demo_hf: Path) -> Context:
    context = make_context(engine, demo_hf, tmp_path, settings(train={"max_steps": 4, "eval_every": 2}))
    ingest(engine, OWN_SOURCE)
    extract(context)
    return context


class StopAfter(Progress):
    """Progress that is told to stop after a number of packs, learned or measured, as SIGTERM would."""

    def __init__(self, record: RunRecord, packs: int) -> None:
        super().__init__(record, "train", threading.Event(), quiet=True)
        self._left = packs

    def check(self) -> None:
        self._left -= 1
        if self._left < 0:
            self.stop.set()
        super().check()


def adapter_of(context: Context) -> bytes:
    return (context.folder / FOLDER / "adapter_model.safetensors").read_bytes()


@pytest.mark.parametrize("mode", BITS)
def test_rows_in_one_pack_do_not_see_each_other(context: Context, mode: Mode) -> None:
    rows = read_rows(context.folder, Split.TRAIN)[:6]
    learner = Learner(context.base.folder, TrainSettings(), torch.float32, mode)
    together = pack(rows, 1024)
    apart = [part for row in rows for part in pack([row], 1024)]
    assert len(together) < len(apart)
    loss = sum(learner.loss(part).item() for part in together)
    assert loss == pytest.approx(sum(learner.loss(part).item() for part in apart), rel=1e-5)


def test_a_pack_learns_what_its_rows_learn(context: Context) -> None:
    rows = read_rows(context.folder, Split.TRAIN)
    parts = pack(rows, 512)
    assert sum(len(part.targets) for part in parts) == sum(len(row.ids) - row.first for row in rows)
    assert max(part.ids.numel() for part in parts) <= 512


@pytest.mark.parametrize("mode", BITS)
def test_a_run_stopped_three_times_learns_exactly_what_an_unbroken_one_learns(context: Context, mode: Mode) -> None:
    chosen = context.settings.model_copy(update={"train": context.settings.train.model_copy(update={"mode": mode})})
    context = replace(context, settings=chosen)
    unbroken = train(context)
    expected, importance = adapter_of(context), (context.folder / IMPORTANCE).read_bytes()
    Checkpoints(context.folder).delete()
    for packs in (2, 9, 6):  # the first stop is within the first judgement
        broken = replace(context, progress=StopAfter(context.record, packs))
        with pytest.raises(InterruptedRunError):
            train(broken)
    resumed = train(context)
    assert resumed["mode"] == mode
    assert resumed["losses"] == unbroken["losses"]
    assert resumed["dev_losses"] == unbroken["dev_losses"]
    assert adapter_of(context) == expected
    assert (context.folder / IMPORTANCE).read_bytes() == importance


@pytest.mark.parametrize("mode", BITS)
def test_the_importance_of_a_column_is_the_mean_square_of_what_was_learned_from(context: Context, mode: Mode) -> None:
    learner = Learner(context.base.folder, TrainSettings(), torch.float32, mode)
    learned, unseen = pack(read_rows(context.folder, Split.TRAIN)[:4], 256)[:2]
    learner.accumulate(learned)
    learner.measure(unseen)
    embedded = torch.from_numpy(context.base.weights.read("model.embed_tokens.weight").astype("float32"))[
        learned.ids[0]
    ]
    norm = torch.from_numpy(context.base.weights.read("model.layers.0.input_layernorm.weight").astype("float32"))
    read = embedded * (embedded.square().mean(-1, keepdim=True) + context.base.shape.norm_epsilon).rsqrt() * norm
    name = "model.layers.0.self_attn.q_proj.weight"
    squares = learner.squares
    assert torch.allclose(squares.sums[name] / squares.counts[name], read.square().mean(0).double(), rtol=1e-4)
    assert len(squares.sums) == 7 * context.base.shape.layers


def newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*.pt"), reverse=True)


def test_a_damaged_checkpoint_costs_what_was_learned_since_the_one_before(context: Context) -> None:
    often = context.settings.train.model_copy(update={"checkpoint_seconds": 0})
    context = replace(context, settings=context.settings.model_copy(update={"train": often}))
    unbroken = train(context)
    expected = adapter_of(context)
    Checkpoints(context.folder).delete()
    with pytest.raises(InterruptedRunError):
        train(replace(context, progress=StopAfter(context.record, 12)))
    newest, before = newest_first(context.folder)
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    assert Checkpoints(context.folder).newest() == before
    assert not newest.exists()
    assert torch.load(before, weights_only=True)["cursor"]["pack"] > 0
    assert train(context)["losses"] == unbroken["losses"]
    assert adapter_of(context) == expected


def test_a_disk_that_is_full_at_a_checkpoint_leaves_the_ones_before(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for number in range(4):
        checkpoints.save(partial(Path.write_text, data=str(number)))
    assert [path.read_text() for path in newest_first(tmp_path)] == ["3", "2"]

    def full(path: Path) -> None:
        path.write_text("a part")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(full)
    assert [path.read_text() for path in sorted(tmp_path.iterdir(), reverse=True)] == ["3", "2"]
    for path in newest_first(tmp_path):
        path.write_text("")
    assert checkpoints.newest() is None, "and training begins anew"


def test_the_curve_is_in_the_row_while_training_goes_on_and_in_the_report_afterwards(context: Context) -> None:
    report = train(replace(context, progress=StopAfter(context.record, 10_000)))
    drawn = report["curve"]
    assert drawn["train"] == [[n + 1, loss] for n, loss in enumerate(report["losses"])]
    assert drawn["dev"] == report["dev_losses"]
    live = context.record.read().progress["curve"]
    assert live["train"] == drawn["train"][: len(live["train"])]
    assert live["dev"] == drawn["dev"][: len(live["dev"])] != []


def test_a_finished_training_that_lost_its_adapter_writes_it_again(context: Context) -> None:
    train(context)
    expected = adapter_of(context)
    (context.folder / FOLDER / "adapter_model.safetensors").unlink()
    report = train(context)
    assert adapter_of(context) == expected
    assert report["steps"] == 4


def test_the_dev_loss_falls_and_the_best_adapter_is_the_one_written(context: Context) -> None:
    report = train(context)
    assert report["dev_loss_after"] < report["dev_loss_before"]
    dev = pack(read_rows(context.folder, Split.DEV), 256)
    model = LlamaForCausalLM.from_pretrained(context.base.folder, dtype=torch.float32, local_files_only=True)
    learner = Learner(context.base.folder, context.settings.train, torch.float32)
    before = learner.evaluate(dev)
    tuned = PeftModel.from_pretrained(model, str(context.folder / FOLDER))
    with torch.no_grad():
        total = sum(
            torch.nn.functional.cross_entropy(
                tuned(input_ids=part.ids, position_ids=part.positions).logits[0, part.predicting],
                part.targets,
                reduction="sum",
            ).item()
            for part in dev
        )
    assert total / sum(len(part.targets) for part in dev) < before


def trainer(context: Context, change: Callable[[list[Row]], list[Row]], chosen: TrainSettings) -> Trainer:
    rows = change(read_rows(context.folder, Split.TRAIN))
    dev = read_rows(context.folder, Split.DEV)[:5]
    return Trainer(context.base, chosen, rows, dev, context.folder, Cursor(compute="float32"))


def test_a_run_goes_on_in_the_mode_it_began_with(context: Context) -> None:
    rows = read_rows(context.folder, Split.TRAIN)
    chosen = context.settings.train.model_copy(update={"max_steps": 1})
    begun = Trainer(context.base, chosen, rows, [], context.folder, Cursor("float32", "lean"))
    begun.run(context.progress)
    resumed = Trainer(context.base, chosen, rows, [], context.folder, Cursor("bfloat16", "fast"))
    assert (resumed.cursor.compute, resumed.cursor.mode) == ("float32", "lean")


def test_training_stops_when_the_dev_loss_no_longer_falls(context: Context) -> None:
    stuck = context.settings.train.model_copy(update={"learning_rate": 0.0, "max_steps": 50, "eval_every": 1})
    learning = trainer(context, lambda rows: rows, stuck)
    learning.run(context.progress)
    assert learning.cursor.step <= stuck.patience + 2


def test_a_loss_that_is_not_a_number_ends_the_run_with_a_sentence(context: Context) -> None:
    wild = context.settings.train.model_copy(update={"learning_rate": 1e30, "clip": 1e30, "warmup_steps": 0})
    with pytest.raises(ConfigError, match=r"not a number.*learning_rate"):
        trainer(context, lambda rows: rows, wild).run(context.progress)


def test_no_training_rows_is_an_error_in_the_data(context: Context) -> None:
    with pytest.raises(DataError, match="no training rows"):
        trainer(context, lambda rows: [], context.settings.train)
