"""A Hugging Face Llama model as an f16 GGUF file, tensor by tensor: memory stays at a few times the largest tensor.

Source of the layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md and llama.cpp's convert_hf_to_gguf.py.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter, Keys, LlamaFileType, RopeScalingType, TokenType, get_tensor_name_map
from gguf.constants import MODEL_ARCH
from numpy.typing import NDArray

from finetuning.base_model import BaseModel, Shape
from finetuning.errors import DataError
from finetuning.files import replacing

Delta = Callable[[str], NDArray[np.float32] | None]
"""Hugging Face tensor name to the change that fine-tuning adds to it, None for none."""


def write_model(base: BaseModel, path: Path, delta: Delta = lambda name: None) -> None:
    """Write ``base`` (plus ``delta``) to ``path`` in f16, norms in f32; the file is whole or absent.

    Raises DataError when a value does not fit f16, OSError when the disk is full.
    """
    with replacing(path) as temporary:
        writer = GGUFWriter(temporary, "llama")
        try:
            _write(writer, base, delta)
        finally:
            writer.close()


def gguf_names(shape: Shape) -> dict[str, str]:
    """Hugging Face name to GGUF name of every tensor."""
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, shape.layers)
    return {tensor: f"{names.get_name(tensor, ('.weight',))}" for tensor in shape.tensors()}


def permuted(name: str, rows: NDArray[Any], shape: Shape) -> NDArray[Any]:
    """Rows of a query or key projection (or of its LoRA B) in ggml's rotary order; other tensors as they are.

    Hugging Face rotates halves of a head against each other, ggml neighbouring rows.
    """
    heads = {"q_proj": shape.heads, "k_proj": shape.kv_heads}.get(name.removesuffix(".weight").rpartition(".")[2])
    if heads is None:
        return rows
    halves = rows.reshape(heads, 2, shape.head_dim // 2, *rows.shape[1:])
    return halves.swapaxes(1, 2).reshape(rows.shape)


def _write(writer: GGUFWriter, base: BaseModel, delta: Delta) -> None:
    _add_model(writer, base)
    _add_vocabulary(writer, base)
    names = gguf_names(base.shape)
    for tensor, shape in base.shape.tensors().items():
        dtype = np.dtype(np.float32 if len(shape) == 1 else np.float16)
        writer.add_tensor_info(names[tensor], shape, dtype, dtype.itemsize * int(np.prod(shape)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for tensor in base.shape.tensors():
        writer.write_tensor_data(_converted(base, tensor, delta))


def _converted(base: BaseModel, name: str, delta: Delta) -> NDArray[Any]:
    weight = base.weights.read(name)
    change = delta(name)
    if change is not None:
        weight = weight.astype(np.float32) + change
    target = np.float32 if weight.ndim == 1 else np.float16
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(permuted(name, weight, base.shape)).astype(target)
    if not np.isfinite(converted).all():
        raise DataError(f"{base.folder}: {name} has values that are not finite or do not fit into 16 bits.")
    return converted


def _add_model(writer: GGUFWriter, base: BaseModel) -> None:
    shape = base.shape
    writer.add_type("model")
    writer.add_name(base.name)
    writer.add_file_type(LlamaFileType.MOSTLY_F16)
    writer.add_quantization_version(2)
    writer.add_vocab_size(shape.vocab)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.hidden)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.intermediate)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_base)
    if shape.rope_factor != 1.0:
        writer.add_rope_scaling_type(RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(shape.rope_factor)


def _add_vocabulary(writer: GGUFWriter, base: BaseModel) -> None:
    vocabulary, special = base.vocabulary, base.vocabulary.special
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece.encode() for piece in vocabulary.pieces])
    writer.add_token_scores(vocabulary.scores)
    writer.add_token_types([TokenType(kind) for kind in vocabulary.types])
    writer.add_bos_token_id(special.bos)
    writer.add_eos_token_id(special.eos)
    writer.add_unk_token_id(vocabulary.unk)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(True)
    writer.add_chat_template(base.template)
    fim = {
        Keys.Tokenizer.FIM_PRE_ID: special.prefix,
        Keys.Tokenizer.FIM_SUF_ID: special.suffix,
        Keys.Tokenizer.FIM_MID_ID: special.middle,
        Keys.Tokenizer.EOT_ID: special.end_of_infill,
    }
    for key, token in fim.items():
        if token is not None:
            writer.add_uint32(key, token)
