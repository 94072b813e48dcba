"""The rows of one decode in the memory layout of llama.cpp."""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from assistant.engine.model import Span


class Batch:
    """A llama_batch over numpy arrays; every row belongs to one sequence. ``structure`` is the ctypes class."""

    def __init__(self, rows: int, structure: type[Any]) -> None:
        self._token = np.zeros(rows, np.int32)
        self._pos = np.zeros(rows, np.int32)
        self._seq = np.zeros(rows, np.int32)
        self._n_seq = np.ones(rows, np.int32)
        self._logits = np.zeros(rows, np.int8)
        # row i's sequence list is the i-th element of _seq
        self._seq_pointers = (self._seq.ctypes.data + 4 * np.arange(rows)).astype(np.uintp)
        self._struct = structure(
            n_tokens=0,
            token=self._token.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            pos=self._pos.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            n_seq_id=self._n_seq.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=self._seq_pointers.ctypes.data_as(ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
            logits=self._logits.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def fill(self, spans: Sequence[Span]) -> Any:
        """The structure for these spans; valid until the next call."""
        row = 0
        for span in spans:
            end = row + len(span.tokens)
            self._token[row:end] = span.tokens
            self._pos[row:end] = range(span.start, span.start + len(span.tokens))
            self._seq[row:end] = span.seq_id
            self._logits[row:end] = 0
            self._logits[end - span.outputs : end] = 1
            row = end
        self._struct.n_tokens = row
        return self._struct
