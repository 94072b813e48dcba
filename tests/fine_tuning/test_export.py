"""Merged weights compute what PEFT computes; so does the adapter file on top of the base."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from numpy.typing import NDArray
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import LlamaForCausalLM

from finetuning.adapter import Adapter, write_adapter
from finetuning.base_model import LINEARS, BaseModel
from finetuning.errors import DataError
from finetuning.export import delta_survival, make_model
from finetuning.gguf_model import gguf_names
from finetuning.importance import write_importance
from finetuning.llama import LlamaModel

IDS = [1, *range(300, 380)]


@pytest.fixture(scope="module")
def adapter_folder(demo: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter with large random weights, written by PEFT."""
    folder = tmp_path_factory.mktemp("adapter")
    torch.manual_seed(0)
    model = LlamaForCausalLM.from_pretrained(demo.folder, dtype=torch.float32, local_files_only=True)
    targets = [name.rpartition(".")[2] for name in LINEARS]
    tuned = get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=targets, init_lora_weights=False))
    for parameter in tuned.parameters():
        if parameter.requires_grad:
            parameter.data.mul_(0.3)
    tuned.save_pretrained(str(folder))
    return folder


@pytest.fixture(scope="module")
def expected(demo: BaseModel, adapter_folder: Path) -> NDArray[np.float32]:
    """PEFT's own logits."""
    model = LlamaForCausalLM.from_pretrained(demo.folder, dtype=torch.float32, local_files_only=True)
    tuned = PeftModel.from_pretrained(model, str(adapter_folder))
    with torch.no_grad():
        return np.asarray(tuned(torch.tensor([IDS])).logits[0].numpy())


def logits(path: Path, adapter: Path | None = None) -> NDArray[np.float32]:
    with LlamaModel(path, threads=1, context=128, adapter=adapter) as model:
        return model.logits(IDS)


def test_the_merged_file_computes_what_peft_computes(
    demo: BaseModel, adapter_folder: Path, expected: NDArray[np.float32], demo_gguf: Path, tmp_path: Path
) -> None:
    make_model(demo, tmp_path / "merged.gguf", "F16", 1, Adapter(adapter_folder))
    change = np.abs(logits(demo_gguf) - expected).max()
    assert np.abs(logits(tmp_path / "merged.gguf") - expected).max() < min(0.1, change / 20)


def test_the_adapter_file_on_the_base_computes_the_same(
    demo: BaseModel, adapter_folder: Path, expected: NDArray[np.float32], demo_gguf: Path, tmp_path: Path
) -> None:
    write_adapter(Adapter(adapter_folder), demo, tmp_path / "adapter.gguf")
    assert np.abs(logits(demo_gguf, tmp_path / "adapter.gguf") - expected).max() < 0.1


def test_merging_changes_no_metadata(demo: BaseModel, adapter_folder: Path, demo_gguf: Path, tmp_path: Path) -> None:
    make_model(demo, tmp_path / "merged.gguf", "F16", 1, Adapter(adapter_folder))
    base, merged = GGUFReader(demo_gguf), GGUFReader(tmp_path / "merged.gguf")
    differing = {
        name for name in base.fields.keys() | merged.fields.keys()
        if base.fields[name].contents() != merged.fields[name].contents()
    }  # fmt: skip
    assert differing <= {"general.name"}


def test_survival_is_full_in_f16_and_lower_in_4_bits(demo: BaseModel, adapter_folder: Path, tmp_path: Path) -> None:
    adapter, figures = Adapter(adapter_folder), {}
    for kind in ("F16", "Q4_0"):
        make_model(demo, tmp_path / kind, kind, 1, adapter)
        figures[kind] = delta_survival(demo, adapter, tmp_path / kind, sorted(adapter.adapted)[:7])["mean"]
    assert figures["F16"]["cosine"] > 0.999
    assert 0.1 < figures["Q4_0"]["cosine"] < figures["F16"]["cosine"]
    assert figures["Q4_0"]["gain"] == pytest.approx(1, abs=0.1)


def test_quantizing_errs_less_where_inputs_are_large(demo: BaseModel, demo_gguf: Path, tmp_path: Path) -> None:
    names = [name for tensor, name in gguf_names(demo.shape).items() if "_proj." in tensor]
    plain = {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in GGUFReader(demo_gguf).tensors}
    squares = {name: np.random.default_rng(0).pareto(0.5, plain[name].shape[1]).astype(np.float32) for name in names}
    write_importance(tmp_path / "imatrix.gguf", squares, dict.fromkeys(names, 4), 1024)

    def error(importance: Path | None) -> float:
        make_model(demo, tmp_path / "q4.gguf", "Q4_0", 1, importance=importance)
        stored = {tensor.name: tensor for tensor in GGUFReader(tmp_path / "q4.gguf").tensors}
        errors = [(dequantize(stored[n].data, stored[n].tensor_type) - plain[n]) ** 2 @ squares[n] for n in names]
        return float(sum(each.sum() for each in errors))

    assert error(tmp_path / "imatrix.gguf") < 0.8 * error(None)


def test_a_damaged_or_foreign_adapter_is_refused(adapter_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not hold"):
        Adapter(tmp_path)
    folder = shutil.copytree(adapter_folder, tmp_path / "adapter")
    config = folder / "adapter_config.json"
    config.write_text(config.read_text().replace('"use_dora": false', '"use_dora": true'))
    with pytest.raises(DataError, match="plain LoRA"):
        Adapter(folder)
