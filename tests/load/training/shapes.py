"""A Llama of CodeLlama-7B's shape with random weights, as a Hugging Face folder: its costs are the real one's."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from finetuning.base_model import Shape

DEVIATION = 0.02


def llama(layers: int, width: int = 4096) -> Shape:
    """CodeLlama-7B's shape with fewer ``layers``, or narrower: ``width`` in multiples of 128."""
    heads = width // 128
    return Shape(
        vocab=32016, hidden=width, intermediate=width * 11008 // 4096, layers=layers, heads=heads, kv_heads=heads,
        head_dim=128, context=16_384, norm_epsilon=1e-5, rope_base=1e6, rope_factor=1.0, tied=False,
    )  # fmt: skip


def write_random(shape: Shape, folder: Path) -> None:
    """Write config and bfloat16 weights, a file for each layer, never more than one in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    tensors = shape.tensors()
    files: dict[str, list[str]] = {}
    for name in tensors:
        part = name.split(".")[2] if ".layers." in name else "rest"
        files.setdefault(f"model-{part}.safetensors", []).append(name)
    for file, names in files.items():
        save_file({name: _random(tensors[name], generator) for name in names}, folder / file, {"format": "pt"})
    index = {name: file for file, names in files.items() for name in names}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    (folder / "config.json").write_text(json.dumps(_config(shape)))


def _random(size: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    if len(size) == 1:
        return torch.ones(size, dtype=torch.bfloat16)
    return torch.empty(size, dtype=torch.bfloat16).normal_(0, DEVIATION, generator=generator)


def _config(shape: Shape) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": shape.vocab,
        "hidden_size": shape.hidden, "intermediate_size": shape.intermediate, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads, "head_dim": shape.head_dim,
        "max_position_embeddings": shape.context, "rms_norm_eps": shape.norm_epsilon, "rope_theta": shape.rope_base,
        "hidden_act": "silu", "tie_word_embeddings": shape.tied, "attention_bias": False, "mlp_bias": False,
    }  # fmt: skip
