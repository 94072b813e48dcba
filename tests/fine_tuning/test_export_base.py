"""HF to GGUF: the same numbers, the same tokens, clear refusals, and no torch."""

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import torch
from gguf import GGUFReader
from transformers import LlamaConfig, LlamaForCausalLM

from codellama_core.prompt import CODELLAMA_TEMPLATE
from finetuning.__main__ import main
from finetuning.base_model import BaseModel
from finetuning.llama import LlamaModel

LIBRARY = Path(sysconfig.get_path("stdlib"))
TEXTS = (
    "hello world",
    " one leading space,  two  inside, trailing ",
    "\n\n\tdef f(x):\r\n\t\treturn x  # é ☺ 漢字 \U0001f600\n",
    "<s> </s> [INST] <<SYS>> ▁<PRE> ▁<EOT> <0x0A>",
    "0123456789 1_000 0xFF 3.14e-10",
    "☺",
    (LIBRARY / "argparse.py").read_text(),
)


def hf_logits(folder: Path, ids: list[int]) -> np.ndarray:
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    with torch.no_grad():
        return np.asarray(model(torch.tensor([ids])).logits[0].numpy())


@pytest.fixture(scope="module")
def source_ids(demo: BaseModel) -> list[int]:
    return [1, *demo.vocabulary.tokenize((LIBRARY / "json" / "decoder.py").read_text())][:300]


@pytest.mark.parametrize("kv", ["F16", "F32"])
def test_f16_logits_equal_those_of_transformers(
    demo: BaseModel, demo_gguf: Path, source_ids: list[int], kv: str
) -> None:
    expected = hf_logits(demo.folder, source_ids)
    with LlamaModel(demo_gguf, threads=1, context=512, kv=kv) as model:
        logits = model.logits(source_ids)
    assert len(source_ids) == 300
    assert np.abs(logits - expected).max() <= 0.05
    assert (logits.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.99


@pytest.mark.parametrize(("tied", "dtype"), [(True, torch.float32), (False, torch.bfloat16)])
def test_grouped_heads_shards_and_every_dtype_survive(
    tmp_path: Path, demo: BaseModel, tied: bool, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(vocab_size=4100, num_key_value_heads=2, tie_word_embeddings=tied, rope_theta=1e6, **shape)
    LlamaForCausalLM(config).to(dtype).save_pretrained(tmp_path, max_shard_size="500KB")
    shutil.copy(demo.folder / "tokenizer.model", tmp_path)
    assert main(["export-base", str(tmp_path), str(tmp_path / "model.gguf")]) == 0
    ids = list(range(1, 60))
    with LlamaModel(tmp_path / "model.gguf", threads=1, context=64) as model:
        assert np.abs(model.logits(ids) - hf_logits(tmp_path, ids)).max() <= 0.01
        assert model.metadata("tokenizer.chat_template") == CODELLAMA_TEMPLATE
    names = {tensor.name for tensor in GGUFReader(tmp_path / "model.gguf").tensors}
    assert ("output.weight" in names) is not tied


@pytest.mark.parametrize("text", TEXTS)
def test_llama_cpp_tokenizes_like_sentencepiece(demo: BaseModel, demo_gguf: Path, text: str) -> None:
    with LlamaModel(demo_gguf, threads=1, vocabulary_only=True) as model:
        assert model.tokenize(text) == list(demo.vocabulary.tokenize(text))


def test_control_tokens_and_template_are_in_the_file(demo: BaseModel, demo_gguf: Path) -> None:
    with LlamaModel(demo_gguf, threads=1, context=64) as model:
        assert model.special == demo.vocabulary.special
        assert model.metadata("tokenizer.chat_template") == demo.template
        assert model.ends(model.special.eos)
        assert model.special.end_of_infill is not None
        assert model.ends(model.special.end_of_infill)


def test_norms_are_f32_and_weights_f16(demo_gguf: Path) -> None:
    kinds = {(tensor.tensor_type.name, len(tensor.shape)) for tensor in GGUFReader(demo_gguf).tensors}
    assert kinds == {("F32", 1), ("F16", 2)}


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_K_M"])
def test_a_quantized_file_is_smaller_and_loads(demo: BaseModel, demo_gguf: Path, tmp_path: Path, kind: str) -> None:
    output = tmp_path / "quantized.gguf"
    assert main(["export-base", str(demo.folder), str(output), "--quantize", kind]) == 0
    assert output.stat().st_size < 0.7 * demo_gguf.stat().st_size
    with LlamaModel(output, threads=1, context=64) as model:
        assert np.isfinite(model.logits([1, 300, 301])).all()
    assert [path.name for path in tmp_path.iterdir()] == ["quantized.gguf"]


def spoil(folder: Path, how: str) -> None:
    weights = folder / "model.safetensors"
    match how:
        case "no config.json":
            (folder / "config.json").unlink()
        case "no tokenizer.model":
            (folder / "tokenizer.model").unlink()
        case "no safetensors":
            weights.unlink()
        case "truncated":
            weights.write_bytes(weights.read_bytes()[:-1000])
        case "not safetensors":
            weights.write_bytes(b"GGUF" * 100)
        case "mistral":
            config = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps({**config, "model_type": "mistral"}))
        case "a layer more":
            config = json.loads((folder / "config.json").read_text())
            (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 99}))


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ("no config.json", "config.json"),
        ("no tokenizer.model", "tokenizer.model"),
        ("no safetensors", "model.safetensors"),
        ("truncated", "cut off"),
        ("not safetensors", "safetensors"),
        ("mistral", "mistral"),
        ("a layer more", "model.layers."),
    ],
)
def test_what_cannot_be_exported_is_named_and_nothing_is_written(
    demo: BaseModel, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str, named: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.model"):
        shutil.copy(demo.folder / name, folder)
    spoil(folder, how)
    assert main(["export-base", str(folder), str(tmp_path / "model.gguf")]) == 65
    assert named in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_missing_folder_is_65_and_an_unknown_quantization_64(tmp_path: Path) -> None:
    assert main(["export-base", str(tmp_path / "none"), str(tmp_path / "x.gguf")]) == 65
    assert main(["export-base", str(tmp_path), str(tmp_path / "x.gguf"), "--quantize", "Q3"]) == 64


def test_exporting_needs_neither_torch_nor_the_training_libraries(demo: BaseModel, tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'peft', 'datasets', 'datasketch', 'detect_secrets', 'tqdm'):\n"
        "    sys.modules[name] = None\n"
        "from finetuning.__main__ import main\n"
        f"sys.exit(main(['export-base', {str(demo.folder)!r}, {str(tmp_path / 'x.gguf')!r}, '--quantize', 'Q8_0']))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
