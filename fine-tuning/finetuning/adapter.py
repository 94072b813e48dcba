"""A LoRA adapter in PEFT's format: what it adds to each weight, and the same adapter as a GGUF file.

Sources: PEFT's ``LoraLayer`` for the scale, llama.cpp's ``convert_lora_to_gguf.py`` for names and rotary order.
"""

from pathlib import Path
from typing import Any, Final

import numpy as np
from gguf import GGUFWriter, Keys
from numpy.typing import NDArray

from finetuning.base_model import BaseModel
from finetuning.errors import DataError
from finetuning.files import read_json, replacing
from finetuning.gguf_model import gguf_names, permuted
from finetuning.weights import Weights

FOLDER: Final = "adapter"
_PREFIX: Final = "base_model.model."


class Adapter:
    """``A`` (rank, columns) and ``B`` (rows, rank) of every adapted weight, read when asked for."""

    def __init__(self, folder: Path) -> None:
        """Raises DataError when ``folder`` does not hold a plain LoRA adapter written by PEFT."""
        try:
            config = read_json(folder / "adapter_config.json")
            self.rank, self.alpha = int(config["r"]), float(config["lora_alpha"])
        except (OSError, ValueError, KeyError) as error:
            raise DataError(f"{folder} does not hold a LoRA adapter: {error}.") from error
        if config.get("use_dora") or config.get("rank_pattern") or config.get("alpha_pattern"):
            raise DataError(f"{folder}: only plain LoRA with one rank for all layers is supported.")
        self.scale = self.alpha / (self.rank**0.5 if config.get("use_rslora") else self.rank)
        self._weights = Weights(folder, [folder / "adapter_model.safetensors"])
        suffix = ".lora_A.weight"
        names = (name.removeprefix(_PREFIX) for name in self._weights.names() if name.endswith(suffix))
        self.adapted = {name.replace(suffix, ".weight") for name in names}

    def factors(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A and B of the weight ``name`` in f32."""
        stem = _PREFIX + name.removesuffix(".weight")
        first, second = (self._weights.read(f"{stem}.lora_{factor}.weight") for factor in "AB")
        return first.astype(np.float32), second.astype(np.float32)

    def delta(self, name: str) -> NDArray[np.float32] | None:
        """What the adapter adds to the weight ``name``; None for a weight that it leaves alone."""
        if name not in self.adapted:
            return None
        first, second = self.factors(name)
        change: NDArray[np.float32] = np.float32(self.scale) * (second @ first)
        return change


def write_adapter(adapter: Adapter, base: BaseModel, path: Path) -> None:
    """Write the adapter as GGUF for use on top of the base; whole or absent."""
    names = gguf_names(base.shape)
    with replacing(path) as temporary:
        writer = GGUFWriter(temporary, "llama")
        try:
            writer.add_type("adapter")
            writer.add_string(Keys.Adapter.TYPE, "lora")
            writer.add_float32(Keys.Adapter.LORA_ALPHA, adapter.scale * adapter.rank)
            writer.add_name(f"{base.name} adapter")
            for name in base.shape.tensors():
                if name in adapter.adapted:
                    first, second = adapter.factors(name)
                    _add(writer, f"{names[name]}.lora_a", first)
                    _add(writer, f"{names[name]}.lora_b", permuted(name, second, base.shape))
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()


def _add(writer: GGUFWriter, name: str, values: NDArray[Any]) -> None:
    writer.add_tensor(name, np.ascontiguousarray(values, dtype=np.float32))
