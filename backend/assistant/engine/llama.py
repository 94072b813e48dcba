"""The real model: llama.cpp through llama-cpp-python's low-level calls. Only ``llama*.py`` know it.

Whoever needs ggml's CPU variants loads them before the first call here; nothing happens on import.
Return codes of llama_decode: https://github.com/ggml-org/llama.cpp/blob/master/include/llama.h.
"""

import contextlib
import ctypes
import logging
import mmap
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp
import numpy as np

from assistant.engine.batch import Batch
from assistant.engine.gguf_header import check_is_language_model, read_header
from assistant.engine.llama_sampler import GrammarSampler, LlamaSampler, Logits, log_softmax, new_chain, row_logits
from assistant.engine.llama_vocabulary import LlamaGrammar, LlamaVocabulary, init_backend
from assistant.engine.model import Copy, DecodeError, Grammar, KvCosts, Saved, Span, Truncate
from assistant.engine.self_test import DEPTH, measure_attention
from assistant.engine.types import ModelLoadError, Sampling

logger = logging.getLogger(__name__)
_lib: Any = llama_cpp.llama_cpp

KV_TYPES = {"f16": _lib.GGML_TYPE_F16, "q8_0": _lib.GGML_TYPE_Q8_0}
_TUNED: dict[str, tuple[bool, KvCosts]] = {}
"""By the description of a model, what ``tune`` has found in this process: flash attention or not, and the costs."""
CLEARLY = 0.9
"""How much faster flash attention has to be: saved prefixes fit one kind, so the choice has to be a stable one."""
OBVIOUS = (0.6, 1.4)
"""Ratios beyond which one comparison is enough; between them the median of ``COMPARISONS`` decides."""
COMPARISONS = 3
DRAFTS = 31
"""Rows beside one of each sequence for which logits can be computed in one decode."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """``n_ctx`` KV cells are shared by ``n_seq_max`` sequences, running and cached; ``threads`` from the CPU quota.

    ``n_batch`` is the most rows of a step. ``kv_type`` is f16 or q8_0; without flash attention llama.cpp keeps V
    transposed, which only f16 can be. ``flash_attention`` None: without, until ``tune`` finds that it is faster.
    """

    n_ctx: int = 8192
    n_seq_max: int = 16
    n_batch: int = 512
    threads: int = 1
    kv_type: str = "q8_0"
    flash_attention: bool | None = None


def load_model(path: Path | str, options: ModelOptions) -> "LlamaModel":
    """Load a GGUF file. Blocks for seconds to minutes; call it on a thread of its own.

    Raises ModelLoadError with a sentence that says what is wrong with the file or the options.
    """
    path = Path(path)
    if options.kv_type not in KV_TYPES:
        raise ModelLoadError(f"KV type {options.kv_type} is not one of {', '.join(KV_TYPES)}")
    check_is_language_model(path, read_header(path))
    init_backend().take_errors()
    vocabulary = LlamaVocabulary(_load_file(path, vocab_only=True))
    return LlamaModel(_load_file(path, vocab_only=False), vocabulary, options)


def _load_file(path: Path, *, vocab_only: bool) -> int:
    params = _lib.llama_model_default_params()
    # no mmap: weights are repacked anyway, and a file truncated under a mapping is a SIGBUS
    params.load_mode = _lib.LLAMA_LOAD_MODE_NONE
    params.n_gpu_layers = 0
    params.vocab_only = vocab_only
    handle: int | None = _lib.llama_model_load_from_file(str(path).encode(), params)
    if not handle:
        raise ModelLoadError(f"{path} cannot be loaded: {init_backend().take_errors()}")
    return handle


class LlamaModel:
    """Weights and one context, with the batch that its steps are filled into."""

    _context: int
    _memory: int
    _options: ModelOptions

    def __init__(self, handle: int, vocabulary: LlamaVocabulary, options: ModelOptions) -> None:
        self.vocabulary = vocabulary
        self.description = _text(_lib.llama_model_desc, handle)
        self.metadata = _metadata(handle)
        template = _lib.llama_model_chat_template(handle, None)
        self.chat_template: str | None = template.decode() if template else None
        self.n_ctx_train: int = _lib.llama_model_n_ctx_train(handle)
        self.size_bytes: int = _lib.llama_model_size(handle)
        self._model: int | None = handle
        flash, costs = _TUNED.get(self.description, (None, KvCosts()))
        if options.flash_attention is None:
            options = replace(options, flash_attention=flash)
        self.kv_costs = KvCosts() if options.flash_attention else costs
        self._open_context(options)
        self.n_ctx: int = _lib.llama_n_ctx(self._context)
        self.n_seq_max: int = options.n_seq_max
        self.n_batch: int = _lib.llama_n_batch(self._context)
        self.n_drafts_max = min(DRAFTS, self.n_batch - 1)
        self._adapters: dict[str, int] = {}
        self._adapter: str | None = None
        self._batch = Batch(self.n_batch, _lib.llama_batch)

    @property
    def kv_layout(self) -> str:
        """Type of K, and how V is kept."""
        return f"{self._options.kv_type}{'-flash' if self._options.flash_attention else ''}"

    def tune(self, clock: Callable[[], float]) -> None:
        """Find out what cells cost, and whether flash attention is faster, unless a model like this one has.

        Flash attention skips the cells of other sequences: they cost nothing.
        """
        if self._options.flash_attention or self.description in _TUNED or self.n_seq_max < 2:
            return
        plain = measure_attention(self, clock, with_costs=True)
        faster = self._options.flash_attention is None and self._flash_to_plain(plain.step_s, clock) < CLEARLY
        self.kv_costs = KvCosts() if faster else plain.costs
        _TUNED[self.description] = faster, self.kv_costs
        self._options = replace(self._options, flash_attention=faster)
        if faster:
            _lib.llama_free(self._context)
            self._open_context(self._options)
        logger.info(
            "attention: %s", "flash" if faster else "plain",
            extra={"plain_ms": round(plain.step_s * 1e3, 1), "cells_us": plain.costs.in_us()},
        )  # fmt: skip

    def _flash_to_plain(self, plain_s: float, clock: Callable[[], float]) -> float:
        """Time with flash attention to that without, which was just ``plain_s``; the former in a small context beside.

        They take turns, because a machine's speed can change by half from one second to the next.
        """
        plain, options = (self._context, self._memory), self._options
        self._open_context(replace(options, n_ctx=min(options.n_ctx, 2 * DEPTH), flash_attention=True))
        flash, ratios = (self._context, self._memory), list[float]()
        try:
            while True:
                ratios.append(measure_attention(self, clock, with_costs=False).step_s / plain_s)
                if len(ratios) == COMPARISONS or not OBVIOUS[0] < ratios[0] < OBVIOUS[1]:
                    break
                self._context, self._memory = plain
                plain_s = measure_attention(self, clock, with_costs=False).step_s
                self._context, self._memory = flash
        finally:
            _lib.llama_free(flash[0])
            self._context, self._memory, self._options = *plain, options
        logger.info("flash attention has been tried", extra={"to_plain": [round(ratio, 2) for ratio in ratios]})
        return statistics.median(ratios)

    def set_threads(self, threads: int) -> None:
        """Change the number of threads, for example after a warm-up with one."""
        _lib.llama_set_n_threads(self._context, threads, threads)

    def apply(self, op: Truncate | Copy) -> None:
        """Carry out one cache operation."""
        match op:
            case Truncate(seq_id, length):
                _lib.llama_memory_seq_rm(self._memory, seq_id, length, -1)
            case Copy(source, target, length):
                _lib.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def decode(self, spans: Sequence[Span]) -> bool:
        """Run the rows of all spans in one batch. False: no KV cells, nothing has changed. Raises DecodeError."""
        code = _lib.llama_decode(self._context, self._batch.fill(spans))
        if code == 0:
            return True
        if code == 1:
            return False
        reason = {-1: "an invalid batch", 2: "aborted"}.get(code, "a fatal error")
        raise DecodeError(f"llama_decode: {reason} (code {code}): {init_backend().take_errors()}")

    def logits(self, row: int) -> Logits:
        """A copy of the logits of a row of the last decode that had an output. For tests and evaluation."""
        return row_logits(self._context, row, self.vocabulary.size).copy()

    def logprobs(self, row: int, token: int, top: int) -> tuple[float, tuple[tuple[int, float], ...]]:
        """Log probability of a token at a row of the last decode, and of the ``top`` most likely ones."""
        values = log_softmax(row_logits(self._context, row, self.vocabulary.size))
        top = min(top, len(values))
        best = np.argpartition(values, len(values) - top)[len(values) - top :] if top else np.empty(0, int)
        ranked = sorted(best.tolist(), key=lambda each: -values[each])
        return float(values[token]), tuple([(each, float(values[each])) for each in ranked])

    def save(self, seq_id: int) -> Saved:
        """The cells of a sequence as bytes, in llama.cpp's own format."""
        size = _lib.llama_state_seq_get_size(self._context, seq_id)
        data = _large_buffer(size)
        buffer = (ctypes.c_uint8 * size).from_buffer(data)
        written = _lib.llama_state_seq_get_data(self._context, buffer, size, seq_id)
        return memoryview(data)[:written]

    def restore(self, seq_id: int, saved: Saved) -> bool:
        """Fill an empty sequence with saved cells. False: they do not fit; the sequence is still empty."""
        data = np.frombuffer(saved, np.uint8)
        pointer = data.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        read = _lib.llama_state_seq_set_data(self._context, pointer, len(data), seq_id)
        if read == 0:
            init_backend().take_errors()
            _lib.llama_memory_seq_rm(self._memory, seq_id, 0, -1)
        return bool(read)

    def add_adapter(self, name: str, path: Path) -> None:
        """Load a LoRA adapter. Raises ModelLoadError."""
        log = init_backend()
        log.take_errors()
        handle: int | None = _lib.llama_adapter_lora_init(self._model, str(path).encode())
        if not handle:
            raise ModelLoadError(f"{path} cannot be used as an adapter of this model: {log.take_errors()}")
        self._adapters[name] = handle

    def remove_adapter(self, name: str) -> None:
        """Let go of an adapter."""
        if self._adapter == name:
            self.use_adapter(None)
        _lib.llama_adapter_lora_free(self._adapters.pop(name))

    def use_adapter(self, name: str | None) -> None:
        """Let the next decodes run with an adapter, or without one. A change costs a new compute graph."""
        if name == self._adapter:
            return
        chosen = [] if name is None else [self._adapters[name]]
        handles = (_lib.llama_adapter_lora_p_ctypes * len(chosen))(*chosen)
        scales = (ctypes.c_float * len(chosen))(*(1.0 for _ in chosen))
        if _lib.llama_set_adapters_lora(self._context, handles, len(chosen), scales) != 0:
            raise DecodeError(f"adapter {name} could not be set: {init_backend().take_errors()}")
        self._adapter = name

    def new_sampler(
        self, sampling: Sampling, history: Sequence[int], grammar: Grammar | None = None
    ) -> LlamaSampler | GrammarSampler:
        """A chain whose penalties have seen ``history``; it closes ``grammar`` with itself."""
        chain = new_chain(sampling, self.vocabulary, history)
        if isinstance(grammar, LlamaGrammar):
            size, silent = self.vocabulary.size, self.vocabulary.silent
            return GrammarSampler(self._context, chain, grammar, size, silent)
        return LlamaSampler(self._context, chain)

    def close(self) -> None:
        """Free context and weights. The vocabulary stays usable."""
        if self._model is None:
            return
        _lib.llama_free(self._context)
        _lib.llama_model_free(self._model)
        self._model = None

    def _open_context(self, options: ModelOptions) -> None:
        params = _lib.llama_context_default_params()
        params.n_ctx = options.n_ctx
        params.n_batch = params.n_ubatch = min(options.n_batch, options.n_ctx)
        params.n_seq_max = options.n_seq_max
        params.n_outputs_max = options.n_seq_max + DRAFTS
        params.n_threads = params.n_threads_batch = options.threads
        params.kv_unified = True
        kind = _lib.LLAMA_FLASH_ATTN_TYPE_ENABLED if options.flash_attention else _lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.flash_attn_type = kind
        params.type_k = KV_TYPES[options.kv_type]
        params.type_v = KV_TYPES[options.kv_type if options.flash_attention else "f16"]
        context: int | None = _lib.llama_init_from_model(self._model, params)
        if not context:
            _lib.llama_model_free(self._model)
            self._model = None
            raise ModelLoadError(f"no context of {options.n_ctx} tokens could be made: {init_backend().take_errors()}")
        self._context, self._memory, self._options = context, _lib.llama_get_memory(context), options


def _large_buffer(size: int) -> mmap.mmap:
    """Memory in huge pages where there are any: touching some hundred MiB page by page takes longer than copying."""
    memory = mmap.mmap(-1, max(size, 1), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def _text(getter: Any, *args: object) -> str:
    buffer = ctypes.create_string_buffer(256)
    size = getter(*args, buffer, len(buffer))
    if size >= len(buffer):
        buffer = ctypes.create_string_buffer(size + 1)
        getter(*args, buffer, len(buffer))
    return buffer.value.decode(errors="replace")


def _metadata(model: int) -> dict[str, str]:
    count = _lib.llama_model_meta_count(model)
    keys = [_text(_lib.llama_model_meta_key_by_index, model, index) for index in range(count)]
    return {key: _text(_lib.llama_model_meta_val_str_by_index, model, index) for index, key in enumerate(keys)}
