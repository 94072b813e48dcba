"""The vocabulary of a GGUF file, and grammars over it."""

import ctypes
import functools
import weakref
from typing import Any

import llama_cpp.llama_cpp

from assistant.engine.gbnf_check import check_gbnf
from assistant.engine.native_log import NativeLog
from assistant.engine.types import EngineError, InvalidGrammarError

_lib: Any = llama_cpp.llama_cpp


@functools.cache
def init_backend() -> NativeLog:
    """Start llama.cpp once per process and send its log to the logger ``llama.cpp``."""
    log = NativeLog()
    # llama.cpp keeps the pointer for good, and so does the log
    log.callback = _lib.llama_log_callback(log.write)
    _lib.llama_log_set(log.callback, None)
    _lib.llama_backend_init()
    return log


class LlamaGrammar:
    """A grammar sampler of llama.cpp."""

    def __init__(self, handle: int) -> None:
        self.handle: int | None = handle

    def close(self) -> None:
        """Free it."""
        if self.handle is not None:
            _lib.llama_sampler_free(self.handle)
            self.handle = None


class LlamaVocabulary:
    """The vocabulary of a file, loaded apart from the weights so that it outlives them. Any thread."""

    def __init__(self, handle: int) -> None:
        self._model = handle
        self.handle = _lib.llama_model_get_vocab(handle)
        weakref.finalize(self, _lib.llama_model_free, handle).atexit = False
        self.size: int = _lib.llama_vocab_n_tokens(self.handle)
        self.bos = self._id(_lib.llama_vocab_bos)
        self.eos = self._id(_lib.llama_vocab_eos)
        self.add_bos = bool(_lib.llama_vocab_get_add_bos(self.handle))
        self.eot = self._id(_lib.llama_vocab_eot, "▁<EOT>")
        self.fim_prefix = self._id(_lib.llama_vocab_fim_pre, "▁<PRE>")
        self.fim_suffix = self._id(_lib.llama_vocab_fim_suf, "▁<SUF>")
        self.fim_middle = self._id(_lib.llama_vocab_fim_mid, "▁<MID>")
        ends = {token for token in range(self.size) if _lib.llama_vocab_is_eog(self.handle, token)}
        self.eog = frozenset(ends | ({self.eot} if self.eot is not None else set()))
        self._pieces: dict[int, bytes] = {}

    @functools.cached_property
    def silent(self) -> list[int]:
        """Tokens without text that do not end a generation in llama.cpp's eyes: no grammar may choose them."""
        ends = {token for token in self.eog if _lib.llama_vocab_is_eog(self.handle, token)}
        return [token for token in range(self.size) if token not in ends and not self.token_to_bytes(token)]

    @functools.cached_property
    def longest(self) -> int:
        """Bytes of the longest token."""
        return max(len(self.token_to_bytes(token)) for token in range(self.size))

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

    def parse_grammar(self, text: str) -> LlamaGrammar:
        """A grammar in GBNF with a rule ``root``, at its beginning. Raises InvalidGrammarError."""
        check_gbnf(text)
        log = init_backend()
        log.take_errors()
        handle: int | None = _lib.llama_sampler_init_grammar(self.handle, text.encode(errors="replace"), b"root")
        if not handle:
            raise InvalidGrammarError(f"the grammar cannot be used: {log.take_errors()}")
        return LlamaGrammar(handle)

    def _tokenize(self, text: str, *, special: bool) -> list[int]:
        data = text.encode(errors="replace")
        room = len(data) + 8
        tokens = (ctypes.c_int32 * room)()
        count = _lib.llama_tokenize(self.handle, data, len(data), tokens, room, False, special)
        if count < 0:
            raise EngineError(f"a text of {len(data)} bytes could not be tokenized")
        return tokens[:count]

    def _piece(self, token: int) -> bytes:
        if not 0 <= token < self.size:
            raise ValueError(f"token {token} is not in the vocabulary of {self.size}")
        buffer = ctypes.create_string_buffer(256)
        size = _lib.llama_token_to_piece(self.handle, token, buffer, len(buffer), 0, False)
        if size < 0:
            buffer = ctypes.create_string_buffer(-size)
            size = _lib.llama_token_to_piece(self.handle, token, buffer, len(buffer), 0, False)
        return buffer.raw[:size]

    def _id(self, getter: Any, text: str | None = None) -> int | None:
        token: int = getter(self.handle)
        if token >= 0:
            return token
        return self._find(text) if text else None

    def _find(self, text: str) -> int | None:
        """A token by its text: older CodeLlama files do not say which their control tokens are."""
        wanted = text.encode()
        found = (token for token in range(self.size) if _lib.llama_vocab_get_text(self.handle, token) == wanted)
        return next(found, None)
