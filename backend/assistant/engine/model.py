"""What the engine needs of a model; ``llama.py`` has the real one, the tests a scripted one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from assistant.engine.types import EngineError, Sampling


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive tokens of one sequence for one decode; ``start`` is the position of the first.

    With ``logits`` the last row's logits are computed, so that a sampler can be run on it.
    """

    seq_id: int
    start: int
    tokens: Sequence[int]
    logits: bool


@dataclass(frozen=True, slots=True)
class Truncate:
    """Keep the first ``length`` cells of a sequence; 0 empties it."""

    seq_id: int
    length: int


@dataclass(frozen=True, slots=True)
class Copy:
    """Let the empty sequence ``target`` share the first ``length`` cells of ``source``."""

    source: int
    target: int
    length: int


KvOp = Truncate | Copy


class DecodeError(EngineError):
    """A decode failed; the cells of its sequences are in an unknown state and have to be emptied."""


class Sampler(Protocol):
    """The sampler chain of one request, with its random state and the tokens its penalties have seen."""

    def sample(self, row: int) -> int:
        """Draw the next token from the logits of a row of the last decode, and remember it."""
        ...

    def close(self) -> None: ...


class Vocabulary(Protocol):
    """Text to token ids and back. Safe to use from any thread, also after its model has been closed."""

    @property
    def size(self) -> int: ...
    @property
    def bos(self) -> int | None: ...
    @property
    def eos(self) -> int | None: ...
    @property
    def eot(self) -> int | None: ...
    @property
    def add_bos(self) -> bool: ...
    @property
    def eog(self) -> frozenset[int]: ...
    @property
    def fim_prefix(self) -> int | None: ...
    @property
    def fim_suffix(self) -> int | None: ...
    @property
    def fim_middle(self) -> int | None: ...

    def tokenize(self, text: str) -> list[int]:
        """Token ids of plain text: no BOS is added, and control tokens written out in it stay text."""
        ...

    def token_to_bytes(self, token: int) -> bytes:
        """The bytes a token stands for; nothing for control tokens."""
        ...

    def is_eog(self, token: int) -> bool: ...


class Model(Protocol):
    """Weights and one context. Used by one thread at a time: the loader's until it is added, then the engine's."""

    @property
    def vocabulary(self) -> Vocabulary: ...
    @property
    def n_ctx(self) -> int:
        """KV cells, shared by all sequences."""
        ...

    @property
    def n_ctx_train(self) -> int: ...
    @property
    def n_seq_max(self) -> int: ...
    @property
    def n_batch(self) -> int:
        """The most rows in one decode."""
        ...

    @property
    def chat_template(self) -> str | None: ...
    @property
    def description(self) -> str: ...
    @property
    def metadata(self) -> dict[str, str]: ...

    def apply(self, op: KvOp) -> None: ...

    def decode(self, spans: Sequence[Span]) -> bool:
        """Run the rows of all spans in one batch.

        False: not enough KV cells, and nothing has changed. Raises DecodeError.
        """
        ...

    def new_sampler(self, sampling: Sampling, history: Sequence[int]) -> Sampler:
        """A chain whose penalties have seen ``history``, the prompt."""
        ...

    def close(self) -> None:
        """Free context and weights. The vocabulary stays usable."""
        ...
