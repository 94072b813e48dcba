"""Reads the header of a GGUF file, to say what is wrong with it where llama.cpp would only say that it failed.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Strings and arrays are skipped unless asked for.
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from assistant.engine.types import ModelLoadError

MAGIC = b"GGUF"
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
LONGEST = 1 << 24
"""No string of a header is longer; a larger number means that the bytes are not a header."""
# weights per block and bytes per block, by ggml type
BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82),
    23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2),
    34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip

Value = int | float | bool | str | None


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """``metadata`` has scalars and strings, and None for arrays; ``size`` is what the file has to have in bytes."""

    version: int
    metadata: dict[str, Value]
    tensors: int
    size: int


def read_header(path: Path) -> GgufHeader:
    """Parse the header. Raises ModelLoadError: missing, empty, no GGUF, damaged, or shorter than its tensors."""
    try:
        actual = path.stat().st_size
        with path.open("rb") as file:
            header = _parse(file, path, actual)
    except FileNotFoundError:
        raise ModelLoadError(f"{path} does not exist") from None
    except (struct.error, UnicodeDecodeError, KeyError, OverflowError):
        raise ModelLoadError(f"{path} has a damaged or truncated GGUF header; download or export it again") from None
    except OSError as error:
        raise ModelLoadError(f"{path} cannot be read: {error.strerror}") from None
    if actual < header.size:
        raise ModelLoadError(
            f"{path} is truncated: its header declares {header.size} bytes, the file has {actual}; fetch it again"
        )
    return header


def check_is_language_model(path: Path, header: GgufHeader) -> None:
    """Raise ModelLoadError if the file cannot be a model that generates text."""
    if not header.metadata.get("general.architecture"):
        raise ModelLoadError(f"{path} names no model architecture (general.architecture)")
    if "tokenizer.ggml.tokens" not in header.metadata:
        raise ModelLoadError(f"{path} has no vocabulary (tokenizer.ggml.tokens); export it with its tokenizer")
    if header.tensors == 0:
        raise ModelLoadError(f"{path} has no weights; is it a vocabulary-only file?")


def _parse(file: BinaryIO, path: Path, actual: int) -> GgufHeader:
    if actual == 0:
        raise ModelLoadError(f"{path} is empty")
    if file.read(4) != MAGIC:
        raise ModelLoadError(f"{path} is not a GGUF file")
    version, n_tensors, n_entries = _unpack(file, "IQQ")
    if not 2 <= version <= 3:
        raise ModelLoadError(f"{path} is GGUF version {version}; versions 2 and 3 are supported")
    metadata: dict[str, Value] = {}
    for _ in range(n_entries):
        key = _string(file)
        metadata[key] = _value(file, _unpack(file, "I")[0])
    end = max((_tensor_end(file) for _ in range(n_tensors)), default=0)
    alignment = metadata.get("general.alignment") or 32
    if not isinstance(alignment, int) or isinstance(alignment, bool):
        raise ModelLoadError(f"{path} has a damaged GGUF header: its alignment is {alignment}")
    start = math.ceil(file.tell() / alignment) * alignment
    return GgufHeader(version, metadata, n_tensors, start + end if n_tensors else file.tell())


def _tensor_end(file: BinaryIO) -> int:
    """Offset of the first byte after a tensor's data; its start where the type is not known."""
    _string(file)
    (n_dims,) = _unpack(file, "I")
    if n_dims > 8:
        raise struct.error("too many dimensions")
    shape = _unpack(file, f"{n_dims}Q")
    kind, offset = _unpack(file, "IQ")
    weights, width = BLOCKS.get(kind, (1, 0))
    end: int = offset + math.prod(shape) // weights * width
    return end


def _value(file: BinaryIO, kind: int) -> Value:
    if kind == STRING:
        return _string(file)
    if kind != ARRAY:
        value: Value = _unpack(file, SCALARS[kind])[0]
        return value
    item, count = _unpack(file, "IQ")
    if item in SCALARS:
        file.seek(count * struct.calcsize(SCALARS[item]), 1)
        return None
    for _ in range(count):
        if item == STRING:
            file.seek(_length(file), 1)
        else:
            _value(file, item)
    return None


def _string(file: BinaryIO) -> str:
    length = _length(file)
    data = file.read(length)
    if len(data) < length:
        raise struct.error("end of file")
    return data.decode()


def _length(file: BinaryIO) -> int:
    length: int = _unpack(file, "Q")[0]
    if length > LONGEST:
        raise struct.error("string too long")
    return length


def _unpack(file: BinaryIO, layout: str) -> tuple[int, ...]:
    size = struct.calcsize("<" + layout)
    return struct.unpack("<" + layout, file.read(size))
