"""A Llama model in a Hugging Face folder: its shape, vocabulary, chat template and weights, without torch."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codellama_core.prompt import CODELLAMA_TEMPLATE
from finetuning.errors import DataError
from finetuning.files import read_json
from finetuning.vocabulary import Vocabulary
from finetuning.weights import Weights

IDENTITY_BYTES = 1_048_576
LINEARS = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
)


@dataclass(frozen=True, slots=True)
class Shape:
    """The numbers of ``config.json`` that fix a Llama model. Sizes in elements."""

    vocab: int
    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    context: int
    norm_epsilon: float
    rope_base: float
    rope_factor: float
    tied: bool

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Hugging Face names and shapes of all tensors, in the order in which they are used."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        linears = (
            (queries, self.hidden),
            (keys, self.hidden),
            (keys, self.hidden),
            (self.hidden, queries),
            (self.intermediate, self.hidden),
            (self.intermediate, self.hidden),
            (self.hidden, self.intermediate),
        )
        shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (self.vocab, self.hidden)}
        for layer in range(self.layers):
            prefix = f"model.layers.{layer}."
            shapes[f"{prefix}input_layernorm.weight"] = (self.hidden,)
            shapes |= {f"{prefix}{name}.weight": shape for name, shape in zip(LINEARS, linears, strict=True)}
            shapes[f"{prefix}post_attention_layernorm.weight"] = (self.hidden,)
        shapes["model.norm.weight"] = (self.hidden,)
        return shapes if self.tied else {**shapes, "lm_head.weight": (self.vocab, self.hidden)}


@dataclass(frozen=True, slots=True)
class BaseModel:
    """Everything that an export needs. ``name`` becomes ``general.name``."""

    folder: Path
    name: str
    shape: Shape
    vocabulary: Vocabulary
    template: str
    weights: Weights

    @classmethod
    def load(cls, folder: Path, name: str | None = None) -> "BaseModel":
        """Read a folder's config and vocabulary and map its weights; checks every tensor's presence and shape.

        Raises DataError when something is missing, damaged or not a plain Llama model.
        """
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder: give the Hugging Face folder of the base model.")
        shape = _shape(folder)
        weights = Weights(folder)
        for tensor, expected in shape.tensors().items():
            if weights.shape(tensor) != expected:
                raise DataError(f"{folder}: {tensor} is {weights.shape(tensor)}, config.json says {expected}.")
        vocabulary = Vocabulary.load(folder / "tokenizer.model", shape.vocab)
        return cls(
            folder, name or folder.resolve().name.replace("_", "-"), shape, vocabulary, _template(folder), weights
        )


def identity(folder: Path) -> str:
    """A name for exactly these weights: the folder's name and 12 hex digits of a hash.

    The hash is over names, sizes, beginnings and ends of the files, so that it is quick for 13 GB too.
    """
    digest = hashlib.sha256()
    for file in sorted([folder / "config.json", folder / "tokenizer.model", *folder.glob("*.safetensors")]):
        if file.is_file():
            size = file.stat().st_size
            digest.update(f"{file.name}:{size}:".encode())
            with file.open("rb") as handle:
                digest.update(handle.read(IDENTITY_BYTES))
                handle.seek(max(0, size - IDENTITY_BYTES))
                digest.update(handle.read())
    return f"{folder.resolve().name.replace('_', '-')}@{digest.hexdigest()[:12]}"


def _shape(folder: Path) -> Shape:
    config = _json(folder / "config.json")
    _refuse_other_architectures(folder, config)
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    try:
        heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
        return Shape(
            vocab=int(config["vocab_size"]),
            hidden=hidden,
            intermediate=int(config["intermediate_size"]),
            layers=int(config["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(config.get("num_key_value_heads") or heads),
            head_dim=int(config.get("head_dim") or hidden // heads),
            context=int(config["max_position_embeddings"]),
            norm_epsilon=float(config["rms_norm_eps"]),
            rope_base=float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0),
            rope_factor=float(rope.get("factor") or 1.0),
            tied=bool(config.get("tie_word_embeddings", False)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder / 'config.json'} lacks a usable value: {error}.") from error


def _refuse_other_architectures(folder: Path, config: dict[str, Any]) -> None:
    if config.get("model_type") != "llama":
        raise DataError(f"{folder} is a {config.get('model_type')!r} model; only Llama models are supported.")
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind not in ("default", "linear"):
        raise DataError(f"{folder}: rope scaling {kind!r} is not supported (default and linear are).")
    if config.get("attention_bias") or config.get("mlp_bias"):
        raise DataError(f"{folder}: linear layers with a bias are not supported.")
    if config.get("hidden_act", "silu") != "silu":
        raise DataError(f"{folder}: the activation {config['hidden_act']!r} is not supported (silu is).")


def _template(folder: Path) -> str:
    separate = folder / "chat_template.jinja"
    if separate.exists():
        return separate.read_text()
    config = folder / "tokenizer_config.json"
    template = _json(config).get("chat_template") if config.exists() else None
    if isinstance(template, list):
        template = next((item["template"] for item in template if item.get("name") == "default"), None)
    return template if isinstance(template, str) else CODELLAMA_TEMPLATE


def _json(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: this is not a Hugging Face model folder.") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
