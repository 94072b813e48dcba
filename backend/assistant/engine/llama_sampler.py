"""Sampler chains of llama.cpp, with a grammar beside the chain where there is one."""

import ctypes
import random
import time
from collections.abc import Sequence
from typing import Any

import llama_cpp.llama_cpp
import numpy as np
import numpy.typing as npt

from assistant.engine.llama_vocabulary import LlamaGrammar, LlamaVocabulary
from assistant.engine.model import UnmetGrammarError
from assistant.engine.types import Sampling

_lib: Any = llama_cpp.llama_cpp

Logits = npt.NDArray[np.float32]
SLOWEST_S = 1.0
"""CPU seconds that a grammar may take for one token; ambiguous ones take many times longer with each."""
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


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


class GrammarSampler:
    """A chain that draws first and asks the grammar after; only a refused token costs a look at the whole vocabulary.

    ``silent`` tokens are never drawn: a grammar would take their names for text.
    """

    def __init__(self, context: int, chain: int, grammar: LlamaGrammar, size: int, silent: Sequence[int]) -> None:
        self._context = context
        self._chain: int | None = chain
        self._grammar = grammar
        self._silent = np.array(silent, np.int32)
        self._candidates = np.zeros(size, _CANDIDATE)

    def sample(self, row: int) -> int:
        """Draw a token that the grammar allows. Raises UnmetGrammarError when there is none, or it takes too long."""
        if self._chain is None:
            raise RuntimeError("the sampler has been closed")
        began = time.thread_time()
        logits = row_logits(self._context, row, len(self._candidates))
        token = self._draw(self._fill(logits))
        if not self._allowed(token):
            everything = self._fill(logits)
            _lib.llama_sampler_apply(self._grammar.handle, ctypes.byref(everything))
            if not np.isfinite(self._candidates["logit"]).any():
                raise UnmetGrammarError("no token can go on with what the grammar asks for")
            token = self._draw(everything)
        _lib.llama_sampler_accept(self._chain, token)
        _lib.llama_sampler_accept(self._grammar.handle, token)
        if time.thread_time() - began > SLOWEST_S:
            raise UnmetGrammarError("the grammar is too ambiguous: it takes too long to say which token may come next")
        return token

    def close(self) -> None:
        """Free the chain and the grammar."""
        if self._chain is not None:
            _lib.llama_sampler_free(self._chain)
            self._chain = None
            self._grammar.close()

    def _fill(self, logits: Logits) -> Any:
        self._candidates["id"] = np.arange(len(self._candidates))
        self._candidates["logit"] = logits
        self._candidates["logit"][self._silent] = -np.inf
        return _array(self._candidates)

    def _draw(self, candidates: Any) -> int:
        _lib.llama_sampler_apply(self._chain, ctypes.byref(candidates))
        return int(candidates.data[candidates.selected].id)

    def _allowed(self, token: int) -> bool:
        one = np.array([(token, 0.0, 0.0)], _CANDIDATE)
        array = _array(one)
        _lib.llama_sampler_apply(self._grammar.handle, ctypes.byref(array))
        return bool(np.isfinite(one["logit"][0]))


def new_chain(sampling: Sampling, vocabulary: LlamaVocabulary, history: Sequence[int]) -> int:
    """A chain in llama.cpp's usual order: bias, penalties, top-k, top-p, min-p, infill, temperature, draw."""
    chain: int = _lib.llama_sampler_chain_init(_lib.llama_sampler_chain_default_params())
    for stage in _stages(sampling, vocabulary):
        _lib.llama_sampler_chain_add(chain, stage)
    if sampling.penalty_last_n > 0:
        for token in history[-sampling.penalty_last_n :]:
            _lib.llama_sampler_accept(chain, token)
    return chain


def row_logits(context: int, row: int, size: int) -> Logits:
    """The logits of a row of the last decode, in llama.cpp's own memory; valid until the next one."""
    pointer = _lib.llama_get_logits_ith(context, row)
    if not pointer:
        raise ValueError(f"row {row} of the last decode has no logits")
    return np.ctypeslib.as_array(pointer, (size,))


def log_softmax(logits: Logits) -> npt.NDArray[np.float64]:
    """Natural log probabilities."""
    shifted = logits.astype(np.float64) - float(logits.max())
    normalized: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return normalized


def _array(candidates: npt.NDArray[np.void]) -> Any:
    pointer = ctypes.cast(candidates.ctypes.data, _lib.llama_token_data_p)
    return _lib.llama_token_data_array(data=pointer, size=len(candidates), selected=-1, sorted=False)


def _stages(sampling: Sampling, vocabulary: LlamaVocabulary) -> list[int]:
    stages, size = [], vocabulary.size
    if sampling.logit_bias:
        biases = (_lib.llama_logit_bias * len(sampling.logit_bias))(*sampling.logit_bias)
        stages.append(_lib.llama_sampler_init_logit_bias(size, len(biases), biases))
    penalties = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
    if penalties != (1.0, 0.0, 0.0):
        stages.append(_lib.llama_sampler_init_penalties(size, sampling.penalty_last_n, *penalties))
    if sampling.temperature <= 0:
        return [*stages, _lib.llama_sampler_init_greedy()]
    if sampling.top_k > 0:
        stages.append(_lib.llama_sampler_init_top_k(sampling.top_k))
    if sampling.top_p < 1:
        stages.append(_lib.llama_sampler_init_top_p(sampling.top_p, 1))
    if sampling.min_p > 0:
        stages.append(_lib.llama_sampler_init_min_p(sampling.min_p, 1))
    if sampling.infill:
        stages.append(_lib.llama_sampler_init_infill(vocabulary.handle))
    seed = random.getrandbits(32) if sampling.seed is None else sampling.seed & 0xFFFFFFFF
    return [*stages, _lib.llama_sampler_init_temp(sampling.temperature), _lib.llama_sampler_init_dist(seed)]
