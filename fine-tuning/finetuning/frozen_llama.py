"""A Llama from a Hugging Face folder with frozen, quantized linear layers, and LoRA by PEFT on all of them."""

from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from finetuning.base_model import LINEARS
from finetuning.config import TrainSettings
from finetuning.frozen import AdaptedLinear, FrozenLinear, Scratch, frozen_linear
from finetuning.frugal import FrugalMlp, FrugalNorm
from finetuning.memory import BITS, Mode
from finetuning.weights import Weights

_LEAVES: Final = tuple(name.rpartition(".")[2] for name in LINEARS)


def adapted_llama(folder: Path, settings: TrainSettings, dtype: torch.dtype, mode: Mode) -> PeftModel:
    """The model in training: an adapter, fresh as PEFT makes it from the seed, on the frozen base."""
    base = frozen_llama(folder, dtype, mode)
    lora = LoraConfig(
        r=settings.rank,
        lora_alpha=cast(int, settings.alpha),
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
        target_modules=list(_LEAVES),
    )
    lora._register_custom_module({FrozenLinear: AdaptedLinear})
    torch.manual_seed(settings.seed)
    tuned = cast(PeftModel, get_peft_model(base, lora).train())
    if mode == "lean":
        base.activation_checkpointing_enable({"use_reentrant": False})
    return tuned


def frozen_llama(folder: Path, dtype: torch.dtype, mode: Mode) -> LlamaForCausalLM:
    """Read the model tensor by tensor, quantizing its linear layers; it computes in ``dtype``.

    Raises DataError when a tensor is missing or damaged.
    """
    reader = _Reader(Weights(folder), dtype, mode)
    causal = _skeleton(folder)
    embeddings = nn.Parameter(reader.dense("model.embed_tokens"), requires_grad=False)
    causal.model.embed_tokens.weight = embeddings
    for number, layer in enumerate(causal.model.layers):
        prefix, epsilon = f"model.layers.{number}", layer.input_layernorm.variance_epsilon
        for name in LINEARS:
            layer.set_submodule(name, reader.linear(f"{prefix}.{name}"))
        layer.mlp = FrugalMlp(layer.mlp)
        for name in ("input_layernorm", "post_attention_layernorm"):
            layer.set_submodule(name, FrugalNorm(reader.dense(f"{prefix}.{name}"), epsilon))
    causal.model.norm = FrugalNorm(reader.dense("model.norm"), causal.model.norm.variance_epsilon)
    tied = causal.config.tie_word_embeddings
    causal.lm_head.weight = embeddings if tied else nn.Parameter(reader.dense("lm_head"), requires_grad=False)
    return causal


def _skeleton(folder: Path) -> LlamaForCausalLM:
    """The model without weights; its rotary embedding, which is computed, is there."""
    config = LlamaConfig.from_pretrained(folder, local_files_only=True, attn_implementation="sdpa")
    with torch.device("meta"):
        causal = LlamaForCausalLM(config)
    causal.model.rotary_emb = LlamaRotaryEmbedding(config)
    return causal


class _Reader:
    """Makes tensors of a folder's files. In the mode ``lean`` a scratch for each of a layer's linears keeps what
    recomputing a layer made dense until its backward pass; otherwise all share one."""

    def __init__(self, weights: Weights, dtype: torch.dtype, mode: Mode) -> None:
        self._weights, self._dtype, self._bits = weights, dtype, BITS[mode]
        shared = Scratch(dtype)
        self._scratches = {leaf: Scratch(dtype) if mode == "lean" else shared for leaf in _LEAVES}

    def dense(self, module: str) -> torch.Tensor:
        """The module's weight in the compute type."""
        return self._read(module).to(self._dtype)

    def linear(self, module: str) -> FrozenLinear:
        """The module with its weight quantized."""
        return frozen_linear(self._read(module), self._bits, self._scratches[module.rpartition(".")[2]])

    def _read(self, module: str) -> torch.Tensor:
        values = self._weights.read(f"{module}.weight")
        return torch.from_numpy(np.require(values, np.float32, ["C", "W"]))
