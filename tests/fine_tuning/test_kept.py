"""What quantizing keeps of what was learned, and what export does when that is too little."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader

from codellama_core.database import sync_engine
from finetuning.adapter import FOLDER, Adapter, write_adapter
from finetuning.context import Context
from finetuning.dataset import extract
from finetuning.export import ADAPTER_FILE, MANIFEST, MODEL, export, make_model
from finetuning.ingest import ingest
from finetuning.kept import Yardstick
from finetuning.train import train
from tests.fine_tuning.world import OWN_SOURCE, make_context, settings


@pytest.fixture(scope="module")
def trained(
    new_database: Callable[[], str], demo_hf: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Context]:
    """A run that has trained; each test exports it again, as a run does that was killed meanwhile."""
    torch.set_num_threads(1)
    engine, folder = sync_engine(new_database()), tmp_path_factory.mktemp("trained")
    context = make_context(engine, demo_hf, folder, settings(export={"quantization": "Q4_0", "kept_tokens": 1500}))
    ingest(engine, OWN_SOURCE)
    extract(context)
    train(context)
    yield context
    engine.dispose()


def type_of(model: Path) -> GGMLQuantizationType:
    (tensor,) = (tensor for tensor in GGUFReader(model).tensors if tensor.name == "blk.0.attn_q.weight")
    return tensor.tensor_type


def test_unrounded_weights_keep_what_was_learned_and_the_base_has_none_of_it(trained: Context, tmp_path: Path) -> None:
    adapter = Adapter(trained.folder / FOLDER)
    make_model(trained.base, tmp_path / "base.gguf", "F16", 1)
    make_model(trained.base, tmp_path / "merged.gguf", "F16", 1, adapter)
    write_adapter(adapter, trained.base, tmp_path / ADAPTER_FILE)
    yardstick = Yardstick.measure(trained, tmp_path / "base.gguf", tmp_path / ADAPTER_FILE)
    assert yardstick is not None
    assert yardstick.kept_by(tmp_path / "merged.gguf") == pytest.approx(1, abs=0.05)
    assert yardstick.kept_by(tmp_path / "base.gguf") == 0


def test_the_share_is_in_the_report_and_a_good_one_changes_nothing(
    trained: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[float] = []
    kept_by = Yardstick.kept_by

    def remember(yardstick: Yardstick, model: Path) -> float:
        measured.append(kept_by(yardstick, model))
        return 0.8

    monkeypatch.setattr(Yardstick, "kept_by", remember)
    report = export(trained)
    assert report["gain_kept"] == {"Q4_0": 0.8}
    assert report["quantization"] == "Q4_0"
    assert type_of(trained.staging / MODEL) is GGMLQuantizationType.Q4_0
    assert len(measured) == 1
    assert not list(trained.folder.glob("*.gguf.*"))
    assert {path.name for path in trained.folder.glob("*.gguf")} == {"imatrix.gguf"}


def test_where_too_little_is_kept_the_next_more_precise_quantization_is_served(
    trained: Context, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shares: Iterator[float] = iter([0.3, 0.7])
    monkeypatch.setattr(Yardstick, "kept_by", lambda *_: next(shares))
    report = export(trained)
    assert report["gain_kept"] == {"Q4_0": 0.3, "Q4_K_M": 0.7}
    assert report["quantization"] == json.loads((trained.staging / MANIFEST).read_text())["quantization"] == "Q4_K_M"
    assert type_of(trained.staging / MODEL) is not GGMLQuantizationType.Q4_0
    assert "Q4_0 keeps 30 % of what was learned" in caplog.text


def test_without_dev_rows_or_a_gain_there_is_nothing_to_measure(
    trained: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as no_gain:
        no_gain.setattr("finetuning.kept.LEAST_GAIN", 100.0)
        assert export(trained)["gain_kept"] == {}
    monkeypatch.setattr("finetuning.kept.read_rows", lambda *_: [])
    assert export(trained)["gain_kept"] == {}
