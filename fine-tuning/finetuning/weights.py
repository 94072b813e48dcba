"""Tensors of a Hugging Face folder, memory-mapped, one at a time.

Source: https://github.com/huggingface/safetensors#format. The library itself has no bfloat16 without torch.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finetuning.errors import DataError
from finetuning.files import read_json

_DTYPES: dict[str, Any] = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}


@dataclass(frozen=True, slots=True)
class _Entry:
    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class Weights:
    """All tensors of a folder's ``model.safetensors``, of the shards that its index names, or of given files."""

    def __init__(self, folder: Path, files: Sequence[Path] = ()) -> None:
        """Raises DataError when a file is missing, truncated or not safetensors."""
        self.folder = folder
        self._entries: dict[str, _Entry] = {}
        for file in files or _files(folder):
            self._entries.update(_header(file))

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def names(self) -> list[str]:
        """Names of all tensors, as Hugging Face gives them."""
        return sorted(self._entries)

    def shape(self, name: str) -> tuple[int, ...]:
        """Rows, columns. Raises DataError when there is no such tensor."""
        return self._entry(name).shape

    def read(self, name: str) -> NDArray[Any]:
        """The tensor in f16 or f32 (bf16 becomes f32). Raises DataError when there is no such tensor."""
        entry = self._entry(name)
        data = np.memmap(entry.file, mode="r", dtype=np.uint8, offset=entry.start, shape=(entry.end - entry.start,))
        raw: NDArray[Any] = data.view(_DTYPES[entry.dtype]).reshape(entry.shape)
        if entry.dtype == "BF16":
            wide = raw.astype(np.uint32)
            wide <<= 16
            return wide.view(np.float32)
        return raw

    def _entry(self, name: str) -> _Entry:
        if name not in self._entries:
            raise DataError(f"{self.folder} has no tensor {name!r}: it is not a whole Llama model.")
        return self._entries[name]


def _files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        single = folder / "model.safetensors"
        if not single.exists():
            raise DataError(f"{folder} holds neither model.safetensors nor model.safetensors.index.json.")
        return [single]
    try:
        files = [folder / name for name in sorted(set(read_json(index)["weight_map"].values()))]
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise DataError(f"{index} cannot be read: {error}.") from error
    for file in files:
        if not file.exists():
            raise DataError(f"{index.name} names {file.name}, which is not in {folder}.")
    return files


def _header(file: Path) -> dict[str, _Entry]:
    size = file.stat().st_size
    with file.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if size < 8 + length:
            raise DataError(f"{file} is cut off or is not a safetensors file.")
        try:
            header = json.loads(handle.read(length))
        except ValueError as error:
            raise DataError(f"{file} is not a safetensors file.") from error
    header.pop("__metadata__", None)
    return {name: _entry(file, name, value, 8 + length, size) for name, value in header.items()}


def _entry(file: Path, name: str, value: dict[str, Any], data: int, size: int) -> _Entry:
    start, end = (data + offset for offset in value["data_offsets"])
    if value["dtype"] not in _DTYPES:
        raise DataError(f"{file}: tensor {name!r} is {value['dtype']}; only F32, F16 and BF16 are supported.")
    if end > size:
        raise DataError(f"{file} is cut off: {size} bytes, but tensor {name!r} ends at {end}.")
    return _Entry(file, value["dtype"], tuple(value["shape"]), start, end)
