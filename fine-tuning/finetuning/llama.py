"""The one door to llama.cpp: load a GGUF file, tokenize, score, continue greedily.

Uses the low-level functions of llama-cpp-python. Not thread-safe; one model and one context per object.
"""

import ctypes
import logging
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from codellama_core.ggml import load_cpu_variants
from codellama_core.prompt import SpecialTokens
from finetuning.errors import DataError

logger = logging.getLogger(__name__)

KV_TYPES = {"F16": 1, "F32": 0}
_LEVELS = {3: logging.DEBUG, 4: logging.INFO}


@cache
def library() -> Any:
    """llama-cpp-python's low-level module, with this CPU's variant loaded and its log sent to ours."""
    load_cpu_variants()
    from llama_cpp import llama_cpp

    llama_cpp.llama_log_set(_log_callback(llama_cpp), ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return llama_cpp


@cache
def _log_callback(llama_cpp: Any) -> Any:
    """Kept for the life of the process: llama.cpp holds only its address."""

    def log(level: int, text: bytes, _: ctypes.c_void_p) -> None:
        logger.log(_LEVELS.get(level, logging.DEBUG), text.decode(errors="replace").rstrip())

    return llama_cpp.llama_log_callback(log)


class LlamaModel:
    """A GGUF file with one context of ``context`` tokens. A context manager: leaving it frees both."""

    def __init__(
        self,
        path: Path,
        *,
        threads: int,
        context: int = 1024,
        kv: str = "F16",
        adapter: Path | None = None,
        vocabulary_only: bool = False,
    ) -> None:
        """Raises DataError when llama.cpp cannot load the file or the adapter."""
        self.path = path
        self._lib = library()
        self._context_size = context
        self._model = self._load(path, vocabulary_only)
        self._vocab = self._lib.llama_model_get_vocab(self._model)
        self._context = None if vocabulary_only else self._new_context(threads, kv)
        self._adapter = self._load_adapter(adapter) if adapter else None
        self.vocabulary_size = int(self._lib.llama_vocab_n_tokens(self._vocab))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the context and the model; harmless when done twice."""
        if self._context is not None:
            self._lib.llama_free(self._context)
        if self._model is not None:
            self._lib.llama_model_free(self._model)
        self._context = self._model = None

    @property
    def special(self) -> SpecialTokens:
        """Control tokens as the file names them."""
        names = ("fim_pre", "fim_suf", "fim_mid", "eot")
        ids = [int(getattr(self._lib, f"llama_vocab_{name}")(self._vocab)) for name in names]
        bos, eos = (int(getattr(self._lib, f"llama_vocab_{name}")(self._vocab)) for name in ("bos", "eos"))
        return SpecialTokens(bos, eos, *(None if i < 0 else i for i in ids))

    def ends(self, token: int) -> bool:
        """Whether a token ends generation."""
        return bool(self._lib.llama_vocab_is_eog(self._vocab, token))

    def metadata(self, key: str) -> str | None:
        """A metadata value as text, None when the file has no such key."""
        buffer = ctypes.create_string_buffer(65_536)
        length = self._lib.llama_model_meta_val_str(self._model, key.encode(), buffer, len(buffer))
        return None if length < 0 else buffer.value.decode()

    def tokenize(self, text: str) -> list[int]:
        """Ids of plain text: the vocabulary's leading space, no control tokens."""
        data = text.encode()
        tokens = (self._lib.llama_token * (len(data) + 8))()
        count = self._lib.llama_tokenize(self._vocab, data, len(data), tokens, len(tokens), False, False)
        return list(tokens[:count])

    def piece(self, token: int) -> str:
        """The vocabulary's own spelling of a token."""
        return str(self._lib.llama_vocab_get_text(self._vocab, token).decode())

    def text(self, tokens: Sequence[int]) -> str:
        """Text of ids, control tokens left out."""
        buffer = ctypes.create_string_buffer(256)
        parts = []
        for token in tokens:
            length = self._lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
            parts.append(buffer.raw[: max(0, length)])
        return b"".join(parts).decode(errors="replace")

    def logits(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Logits after every token of one sequence, shape (tokens, vocabulary).

        Raises ValueError when the sequence is longer than the context.
        """
        self._clear(len(tokens))
        return np.concatenate([self._decode(tokens, start) for start in range(0, len(tokens), self._batch)])

    def token_nll(self, tokens: Sequence[int]) -> NDArray[np.float64]:
        """Negative log-likelihood of every token but the first, in nats, given those before it."""
        self._clear(len(tokens))
        losses = []
        for start in range(0, len(tokens), self._batch):
            targets = np.asarray(tokens[start + 1 : start + 1 + self._batch], dtype=np.int64)
            logits = self._decode(tokens, start)[: len(targets)].astype(np.float64)
            peak = logits.max(axis=1)
            total = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=1))
            losses.append(total - logits[np.arange(len(targets)), targets])
        return np.concatenate(losses)

    def continue_greedily(
        self, prompt: Sequence[int], limit: int, enough: Callable[[Sequence[int]], bool] = lambda _: False
    ) -> list[int]:
        """Up to ``limit`` most likely tokens after ``prompt``; a last token for which ``ends`` holds is kept.

        ``enough`` is asked after every token whether the answer may end there.
        """
        self._clear(len(prompt) + limit)
        for start in range(0, len(prompt), self._batch):
            logits = self._decode(prompt, start)
        answer: list[int] = []
        while True:
            answer.append(int(logits[-1].argmax()))
            if len(answer) == limit or self.ends(answer[-1]) or enough(answer):
                return answer
            logits = self._decode([*prompt, *answer], len(prompt) + len(answer) - 1)

    def step_seconds(self, count: int) -> list[float]:
        """Seconds for each of ``count`` tokens read one by one, as in generation; they are always the same ones."""
        self._clear(count)
        tokens = [index % self.vocabulary_size for index in range(1, count + 1)]
        seconds = []
        for index in range(count):
            began = time.perf_counter()
            self._decode(tokens[: index + 1], index)
            seconds.append(time.perf_counter() - began)
        return seconds

    def _load(self, path: Path, vocabulary_only: bool) -> Any:
        if not path.is_file():
            raise DataError(f"{path} is not there.")
        parameters = self._lib.llama_model_default_params()
        parameters.n_gpu_layers = 0
        parameters.vocab_only = vocabulary_only
        parameters.load_mode = self._lib.LLAMA_LOAD_MODE_NONE
        model = self._lib.llama_model_load_from_file(str(path).encode(), parameters)
        if not model:
            raise DataError(f"llama.cpp cannot load {path}: the file is damaged or of an unknown kind.")
        return model

    def _new_context(self, threads: int, kv: str) -> Any:
        parameters = self._lib.llama_context_default_params()
        parameters.n_ctx = self._context_size
        parameters.n_batch = parameters.n_ubatch = self._batch = min(512, self._context_size)
        parameters.n_seq_max = 1
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.type_k = parameters.type_v = KV_TYPES[kv]
        parameters.no_perf = True
        context = self._lib.llama_init_from_model(self._model, parameters)
        if not context:
            raise DataError(f"llama.cpp cannot make a context of {self._context_size} tokens for {self.path}.")
        return context

    def _load_adapter(self, path: Path) -> Any:
        adapter = self._lib.llama_adapter_lora_init(self._model, str(path).encode())
        if not adapter:
            raise DataError(f"llama.cpp cannot load the adapter {path}.")
        adapters = (self._lib.llama_adapter_lora_p_ctypes * 1)(adapter)
        scales = (ctypes.c_float * 1)(1.0)
        self._lib.llama_set_adapters_lora(self._context, adapters, 1, scales)
        return adapter

    def _clear(self, needed: int) -> None:
        if needed > self._context_size:
            raise ValueError(f"{needed} tokens do not fit into a context of {self._context_size}")
        self._lib.llama_memory_clear(self._lib.llama_get_memory(self._context), True)

    def _decode(self, tokens: Sequence[int], start: int) -> NDArray[np.float32]:
        part = tokens[start : start + self._batch]
        batch = self._lib.llama_batch_init(len(part), 0, 1)
        batch.n_tokens = len(part)
        for row, token in enumerate(part):
            batch.token[row], batch.pos[row] = token, start + row
            batch.n_seq_id[row], batch.seq_id[row][0], batch.logits[row] = 1, 0, 1
        status = self._lib.llama_decode(self._context, batch)
        self._lib.llama_batch_free(batch)
        if status != 0:
            raise DataError(f"llama.cpp failed on {self.path} (llama_decode: {status}).")
        pointer = self._lib.llama_get_logits(self._context)
        return np.ctypeslib.as_array(pointer, shape=(len(part), self.vocabulary_size)).copy()
