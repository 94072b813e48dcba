"""What the engine needs of a model; ``llama.py`` has the real one, the tests a scripted one."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from assistant.engine.types import EngineError, Sampling


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive tokens of one sequence for one decode; ``start`` is the position of the first.

    The logits of the last ``outputs`` rows are computed, so that a sampler can be run on them. The last ``drafted``
    tokens are guesses: their cells stay only if sampling agrees.
    """

    seq_id: int
    start: int
    tokens: Sequence[int]
    outputs: int
    drafted: int = 0


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


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a prefix is: cells are shared within one adapter and one scope, and public prefixes within one adapter."""

    adapter: str | None = None
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Save:
    """Copy the cells of a sequence, which hold ``tokens``, out to where they outlast eviction."""

    seq_id: int
    owner: Owner
    public: int
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Restore:
    """Fill the empty sequence with the saved cells known as ``entry``."""

    seq_id: int
    entry: int


@dataclass(frozen=True, slots=True)
class KvCosts:
    """Seconds that a cell costs: ``held``, in each step, whosever it is, and ``moved``, out of the context and back.

    ``pieces`` is what each run of neighbouring cells costs that is moved out: the tokens of streams that are written
    together lie in turn.
    """

    held: float = 0.0
    moved: float = 0.0
    pieces: float = 0.0

    def in_us(self) -> dict[str, float]:
        """In microseconds, for the log."""
        return {name: round(seconds * 1e6, 1) for name, seconds in asdict(self).items()}


KvOp = Truncate | Copy | Save | Restore
Saved = bytes | bytearray | memoryview


class DecodeError(EngineError):
    """A decode failed; the cells of its sequences are in an unknown state and have to be emptied."""


class UnmetGrammarError(EngineError):
    """No token can go on with what the grammar asks for, or to find one takes too long."""


class Grammar(Protocol):
    """A parsed grammar with the state of one answer. Belongs to the sampler it is given to."""

    def close(self) -> None: ...


class Sampler(Protocol):
    """The sampler chain of one request, with its random state and the tokens its penalties have seen."""

    def sample(self, row: int) -> int:
        """Draw the next token from the logits of a row of the last decode, and remember it.

        Raises UnmetGrammarError when the grammar leaves no token.
        """
        ...

    def close(self) -> None: ...


class Vocabulary(Protocol):
    """Text to token ids and back. Safe to use from any thread, also after its model has been closed."""

    @property
    def size(self) -> int: ...
    @property
    def longest(self) -> int:
        """Bytes of the longest token."""
        ...

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

    def parse_grammar(self, text: str) -> Grammar:
        """A grammar in GBNF with a rule ``root``, at its beginning. Raises InvalidGrammarError."""
        ...


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

    @property
    def n_drafts_max(self) -> int:
        """The most guessed tokens in one decode; 0 where rows before the last have no logits."""
        ...

    @property
    def kv_costs(self) -> KvCosts:
        """As ``tune`` has measured them; nothing where a row is no slower for the cells of others."""
        ...

    @property
    def kv_layout(self) -> str:
        """How cells are kept: what was saved from one layout fits no other."""
        ...

    def tune(self, clock: Callable[[], float]) -> None:
        """Measure ways to compute that differ from machine to machine, and keep the fastest. Empties the cells."""
        ...

    @property
    def size_bytes(self) -> int:
        """Bytes of weights, which every decode reads."""
        ...

    def apply(self, op: Truncate | Copy) -> None: ...

    def save(self, seq_id: int) -> Saved:
        """The cells of a sequence as bytes."""
        ...

    def restore(self, seq_id: int, saved: Saved) -> bool:
        """Fill an empty sequence with saved cells. False: they do not fit; the sequence is still empty."""
        ...

    def add_adapter(self, name: str, path: Path) -> None:
        """Load a LoRA adapter. Raises ModelLoadError."""
        ...

    def remove_adapter(self, name: str) -> None: ...

    def use_adapter(self, name: str | None) -> None:
        """Let the next decodes run with an adapter that has been added, or without one."""
        ...

    def decode(self, spans: Sequence[Span]) -> bool:
        """Run the rows of all spans in one batch.

        False: not enough KV cells, and nothing has changed. Raises DecodeError.
        """
        ...

    def new_sampler(self, sampling: Sampling, history: Sequence[int], grammar: Grammar | None = None) -> Sampler:
        """A chain whose penalties have seen ``history``, the prompt; it closes ``grammar`` with itself."""
        ...

    def logprobs(self, row: int, token: int, top: int) -> tuple[float, tuple[tuple[int, float], ...]]:
        """Log probability of a token at a row of the last decode, and of the ``top`` most likely ones."""
        ...

    def close(self) -> None:
        """Free context and weights. The vocabulary stays usable."""
        ...
