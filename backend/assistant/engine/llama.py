"""The real model: llama.cpp through llama-cpp-python's low-level calls. The only engine module that knows it.

Whoever needs ggml's CPU variants loads them before the first call here; nothing happens on import.
Return codes of llama_decode: https://github.com/ggml-org/llama.cpp/blob/master/include/llama.h.
"""

import ctypes
import functools
import random
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp
import numpy as np

from assistant.engine.batch import Batch
from assistant.engine.gguf_header import check_is_language_model, read_header
from assistant.engine.model import Copy, DecodeError, KvOp, Span, Truncate
from assistant.engine.native_log import NativeLog
from assistant.engine.types import EngineError, ModelLoadError, Sampling

_lib: Any = llama_cpp.llama_cpp

KV_TYPES = {"f16": _lib.GGML_TYPE_F16, "q8_0": _lib.GGML_TYPE_Q8_0}


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """``n_ctx`` KV cells are shared by ``n_seq_max`` sequences, running and cached; ``threads`` from the CPU quota.

    ``n_batch`` is the most rows of a step. ``kv_type`` is f16 or q8_0.
    """

    n_ctx: int = 8192
    n_seq_max: int = 16
    n_batch: int = 512
    threads: int = 1
    kv_type: str = "q8_0"
    flash_attention: bool = True


@functools.cache
def init_backend() -> NativeLog:
    """Start llama.cpp once per process and send its log to the logger ``llama.cpp``. Called by ``load_model``."""
    log = NativeLog()
    # llama.cpp keeps the pointer for good, and so does the log
    log.callback = _lib.llama_log_callback(log.write)
    _lib.llama_log_set(log.callback, None)
    _lib.llama_backend_init()
    return log


def system_info() -> str:
    """What llama.cpp was built for and has found: instruction sets, in its own words."""
    init_backend()
    return str(_lib.llama_print_system_info().decode())


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


class LlamaVocabulary:
    """The vocabulary of a file, loaded apart from the weights so that it outlives them. Any thread."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._vocab = _lib.llama_model_get_vocab(handle)
        weakref.finalize(self, _lib.llama_model_free, handle).atexit = False
        self.size: int = _lib.llama_vocab_n_tokens(self._vocab)
        self.bos = self._id(_lib.llama_vocab_bos)
        self.eos = self._id(_lib.llama_vocab_eos)
        self.add_bos = bool(_lib.llama_vocab_get_add_bos(self._vocab))
        self.eot = self._id(_lib.llama_vocab_eot, "▁<EOT>")
        self.fim_prefix = self._id(_lib.llama_vocab_fim_pre, "▁<PRE>")
        self.fim_suffix = self._id(_lib.llama_vocab_fim_suf, "▁<SUF>")
        self.fim_middle = self._id(_lib.llama_vocab_fim_mid, "▁<MID>")
        ends = {token for token in range(self.size) if _lib.llama_vocab_is_eog(self._vocab, token)}
        self.eog = frozenset(ends | ({self.eot} if self.eot is not None else set()))
        self._pieces: dict[int, bytes] = {}

    def tokenize(self, text: str) -> list[int]:
        """Token ids of plain text: no BOS is added, and control tokens written out in it stay text."""
        return self._tokenize(text, special=False)

    def tokenize_special(self, text: str) -> list[int]:
        """Token ids of text of our own making, in which control tokens written out are meant; no BOS is added."""
        return self._tokenize(text, special=True)

    def token_to_bytes(self, token: int) -> bytes:
        """The bytes a token stands for; nothing for control tokens."""
        piece = self._pieces.get(token)
        if piece is None:
            piece = self._pieces[token] = self._piece(token)
        return piece

    def is_eog(self, token: int) -> bool:
        """Whether the token ends a generation."""
        return token in self.eog

    def _tokenize(self, text: str, *, special: bool) -> list[int]:
        data = text.encode(errors="replace")
        room = len(data) + 8
        tokens = (ctypes.c_int32 * room)()
        count = _lib.llama_tokenize(self._vocab, data, len(data), tokens, room, False, special)
        if count < 0:
            raise EngineError(f"a text of {len(data)} bytes could not be tokenized")
        return tokens[:count]

    def _piece(self, token: int) -> bytes:
        if not 0 <= token < self.size:
            raise ValueError(f"token {token} is not in the vocabulary of {self.size}")
        buffer = ctypes.create_string_buffer(256)
        size = _lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
        if size < 0:
            buffer = ctypes.create_string_buffer(-size)
            size = _lib.llama_token_to_piece(self._vocab, token, buffer, len(buffer), 0, False)
        return buffer.raw[:size]

    def _id(self, getter: Any, text: str | None = None) -> int | None:
        token: int = getter(self._vocab)
        if token >= 0:
            return token
        return self._find(text) if text else None

    def _find(self, text: str) -> int | None:
        """A token by its text: older CodeLlama files do not say which their control tokens are."""
        wanted = text.encode()
        found = (token for token in range(self.size) if _lib.llama_vocab_get_text(self._vocab, token) == wanted)
        return next(found, None)


class LlamaSampler:
    """A llama.cpp sampler chain for one request."""

    def __init__(self, context: int, chain: int) -> None:
        self._context = context
        self._chain: int | None = chain

    def sample(self, row: int) -> int:
        """Draw from the logits of a row of the last decode; the chain remembers the token for its penalties."""
        if self._chain is None:
            raise RuntimeError("the sampler has been closed")
        return int(_lib.llama_sampler_sample(self._chain, self._context, row))

    def close(self) -> None:
        """Free the chain."""
        if self._chain is not None:
            _lib.llama_sampler_free(self._chain)
            self._chain = None


class LlamaModel:
    """Weights and one context, with the batch that its steps are filled into."""

    def __init__(self, handle: int, vocabulary: LlamaVocabulary, options: ModelOptions) -> None:
        self.vocabulary = vocabulary
        self.description = _text(_lib.llama_model_desc, handle)
        self.metadata = _metadata(handle)
        template = _lib.llama_model_chat_template(handle, None)
        self.chat_template: str | None = template.decode() if template else None
        self.n_ctx_train: int = _lib.llama_model_n_ctx_train(handle)
        self.size_bytes: int = _lib.llama_model_size(handle)
        self._model: int | None = handle
        self._context = self._new_context(handle, options)
        self._memory = _lib.llama_get_memory(self._context)
        self.n_ctx: int = _lib.llama_n_ctx(self._context)
        self.n_seq_max: int = options.n_seq_max
        self.n_batch: int = _lib.llama_n_batch(self._context)
        self._batch = Batch(self.n_batch, _lib.llama_batch)

    def set_threads(self, threads: int) -> None:
        """Change the number of threads, for example after a warm-up with one."""
        _lib.llama_set_n_threads(self._context, threads, threads)

    def apply(self, op: KvOp) -> None:
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

    def logits(self, row: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """A copy of the logits of a row of the last decode that had ``logits`` set. For tests and evaluation."""
        pointer = _lib.llama_get_logits_ith(self._context, row)
        if not pointer:
            raise ValueError(f"row {row} of the last decode has no logits")
        return np.ctypeslib.as_array(pointer, (self.vocabulary.size,)).copy()

    def new_sampler(self, sampling: Sampling, history: Sequence[int]) -> LlamaSampler:
        """A sampler chain in llama.cpp's usual order: bias, penalties, top-k, top-p, min-p, temperature, draw."""
        chain = _lib.llama_sampler_chain_init(_lib.llama_sampler_chain_default_params())
        for stage in self._stages(sampling):
            _lib.llama_sampler_chain_add(chain, stage)
        if sampling.penalty_last_n > 0:
            for token in history[-sampling.penalty_last_n :]:
                _lib.llama_sampler_accept(chain, token)
        return LlamaSampler(self._context, chain)

    def close(self) -> None:
        """Free context and weights. The vocabulary stays usable."""
        if self._model is None:
            return
        _lib.llama_free(self._context)
        _lib.llama_model_free(self._model)
        self._model = None

    def _stages(self, sampling: Sampling) -> list[int]:
        stages = []
        if sampling.logit_bias:
            biases = (_lib.llama_logit_bias * len(sampling.logit_bias))(*sampling.logit_bias)
            stages.append(_lib.llama_sampler_init_logit_bias(self.vocabulary.size, len(biases), biases))
        penalties = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
        if penalties != (1.0, 0.0, 0.0):
            last_n = sampling.penalty_last_n
            stages.append(_lib.llama_sampler_init_penalties(self.vocabulary.size, last_n, *penalties))
        if sampling.temperature <= 0:
            return [*stages, _lib.llama_sampler_init_greedy()]
        if sampling.top_k > 0:
            stages.append(_lib.llama_sampler_init_top_k(sampling.top_k))
        if sampling.top_p < 1:
            stages.append(_lib.llama_sampler_init_top_p(sampling.top_p, 1))
        if sampling.min_p > 0:
            stages.append(_lib.llama_sampler_init_min_p(sampling.min_p, 1))
        seed = random.getrandbits(32) if sampling.seed is None else sampling.seed & 0xFFFFFFFF
        return [*stages, _lib.llama_sampler_init_temp(sampling.temperature), _lib.llama_sampler_init_dist(seed)]

    @staticmethod
    def _new_context(model: int, options: ModelOptions) -> int:
        params = _lib.llama_context_default_params()
        params.n_ctx = options.n_ctx
        params.n_batch = params.n_ubatch = min(options.n_batch, options.n_ctx)
        params.n_seq_max = options.n_seq_max
        params.n_outputs_max = max(options.n_seq_max, 1)
        params.n_threads = params.n_threads_batch = options.threads
        params.kv_unified = True
        kind = _lib.LLAMA_FLASH_ATTN_TYPE_ENABLED if options.flash_attention else _lib.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.flash_attn_type = kind
        params.type_k = params.type_v = KV_TYPES[options.kv_type]
        context: int | None = _lib.llama_init_from_model(model, params)
        if not context:
            _lib.llama_model_free(model)
            raise ModelLoadError(f"no context of {options.n_ctx} tokens could be made: {init_backend().take_errors()}")
        return context


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
