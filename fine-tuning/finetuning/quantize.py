"""Quantization of an f16 GGUF file with llama.cpp."""

import ctypes
import errno
import os
from pathlib import Path
from shutil import disk_usage
from typing import Any

from finetuning.config import QUANTIZATIONS
from finetuning.errors import DataError, UsageError
from finetuning.files import replacing
from finetuning.importance import read_importance
from finetuning.llama import library


def quantize(source: Path, target: Path, kind: str, threads: int, importance: Path | None = None) -> None:
    """Write ``source`` to ``target`` as ``kind``, erring least where the file ``importance`` says; whole or absent.

    Raises UsageError for an unknown kind, OSError for a full disk, DataError when llama.cpp fails otherwise.
    """
    check_kind(kind)
    llama = library()
    parameters = llama.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama, f"LLAMA_FTYPE_MOSTLY_{kind}")
    parameters.nthread = threads
    if importance is not None:
        parameters.imatrix = _importance(llama, importance)
    with replacing(target) as temporary:
        status = llama.llama_model_quantize(str(source).encode(), str(temporary).encode(), ctypes.byref(parameters))
        if status != 0 and disk_usage(target.parent).free < source.stat().st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        if status != 0:
            raise DataError(f"llama.cpp could not quantize {source} to {kind}.")


def _importance(llama: Any, path: Path) -> Any:
    """llama.cpp's array of names and values; an entry without a name ends it."""
    values = read_importance(path)
    entries = (llama.llama_model_imatrix_data * (len(values) + 1))()
    for entry, (name, means) in zip(entries, values.items(), strict=False):
        entry.name, entry.size = name.encode(), means.size
        entry.data = (ctypes.c_float * means.size).from_buffer_copy(means.tobytes())
    return entries


def check_kind(kind: str) -> None:
    """Raises UsageError unless ``kind`` is one that we write."""
    if kind not in QUANTIZATIONS:
        raise UsageError(f"Unknown quantization {kind!r}: choose one of {', '.join(QUANTIZATIONS)}.")
