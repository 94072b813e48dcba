"""What goes into the engine and what comes out of it: token ids, never text."""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field


class Priority(enum.IntEnum):
    """Lower runs first."""

    AUTOCOMPLETE = 0
    CHAT = 1
    BATCH = 2


ONE_USERS_SHARE = 0.75
"""Of the places in a queue, so that nobody's script keeps everybody else out."""


class FinishReason(enum.StrEnum):
    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"
    ERROR = "error"
    UNMET = "unmet"
    """The grammar left no token that could come next."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Per-request sampler chain. ``temperature`` 0 is greedy; ``seed`` None is drawn at random.

    Neutral values: top_p 1, top_k 0, min_p 0, repeat_penalty 1, presence_penalty 0, frequency_penalty 0. ``infill``
    prefers the end of the text over an unlikely token, as llama.cpp's sampler of that name does.
    """

    temperature: float = 0.8
    top_p: float = 0.95
    top_k: int = 40
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    penalty_last_n: int = 64
    seed: int | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()
    infill: bool = False


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A prompt as token ids, with BOS where the model wants it, and the limits of its answer.

    ``grammar`` is GBNF with a rule ``root``. ``logprobs`` asks for the log probability of each token and of so many
    alternatives. ``adapter`` names a LoRA adapter of the model. Cached prefixes are shared within a ``scope``; the
    first ``public_tokens`` of the prompt, the system prompt's, may be shared with anybody.
    """

    id: str
    tokens: tuple[int, ...]
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    stop_tokens: frozenset[int] = frozenset()
    priority: Priority = Priority.CHAT
    fairness_key: str = ""
    grammar: str | None = None
    logprobs: int | None = None
    adapter: str | None = None
    scope: str = ""
    public_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds measured by the engine for one request, and token counts.

    ``cached_tokens`` are part of ``prompt_tokens``. Of ``drafted_tokens`` guessed by speculation ``accepted_tokens``
    were right, and are part of ``completion_tokens``.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    queued_s: float
    prefill_s: float
    decode_s: float
    drafted_tokens: int = 0
    accepted_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Queued:
    """Waiting: ``position`` requests are ahead (0 is next), the start is predicted in ``eta_s`` seconds."""

    position: int
    eta_s: float


@dataclass(frozen=True, slots=True)
class Prefill:
    """``done`` of ``total`` prompt tokens are in the KV cache."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Token:
    """One sampled token. A token in ``stop_tokens`` is not emitted: it finishes the request.

    ``logprob`` and ``top``, the most likely tokens with theirs, are natural logarithms before sampling filters; they
    are there when the request asked for them.
    """

    id: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every request. ``error`` is set when ``reason`` is ERROR or UNMET."""

    reason: FinishReason
    timings: Timings
    error: str | None = None


TokenEvent = Queued | Prefill | Token | Finished
Emit = Callable[[TokenEvent], None]
"""Called on the engine thread; must return at once and must not raise."""


class EngineError(Exception):
    """Base of what the engine raises."""


class QueueFullError(EngineError):
    """No room in the queue; ``retry_after_s`` is the predicted time until there is."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"the queue is full; room is expected in {retry_after_s:.0f} s")
        self.retry_after_s = retry_after_s


class PromptTooLongError(EngineError):
    """The prompt does not fit the context."""

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(f"the prompt has {tokens} tokens; the context holds {limit}")
        self.tokens = tokens
        self.limit = limit


class ModelLoadError(EngineError):
    """The file is not a model that this engine can run; the text says why."""


class EngineStoppedError(EngineError):
    """The engine has been closed or its thread has died."""


class UnknownModelError(EngineError):
    """No model is loaded under that key, or it is being retired."""


class InvalidRequestError(EngineError):
    """The request can never run: no tokens, ids outside the vocabulary, a bad limit, or an id already in use."""


class InvalidGrammarError(InvalidRequestError):
    """The grammar cannot be parsed; the text says why."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """What a request would meet with if it came now: seconds until its start, and from there to its first token.

    ``cached_tokens`` of its prompt need not be read.
    """

    cached_tokens: int
    wait_s: float
    reading_s: float


@dataclass(frozen=True, slots=True)
class EngineStats:
    """What the engine is doing, summed over its models. Counters only grow; the rest is the present.

    ``kv_cells_used`` belong to running requests, ``kv_cells_cached`` to idle prefixes that may be dropped at any time;
    what has been dropped is kept in ``kv_ram_bytes`` and ``kv_disk_bytes``.
    ``predicted_wait_s`` is what a chat request of average size submitted now would wait for its start.
    """

    active_model: str | None
    models: tuple[str, ...]
    running: int
    queue_depth: int
    predicted_wait_s: float
    kv_cells: int
    kv_cells_used: int
    kv_cells_cached: int
    kv_ram_bytes: int
    kv_disk_bytes: int
    steps: int
    prompt_tokens: int
    cached_tokens: int
    generated_tokens: int
    preemptions: int
    cancelled: int
    finished: int
    errors: int
    drafted_tokens: int
    accepted_tokens: int
    restored_tokens: int

    @property
    def in_system(self) -> int:
        """Accepted requests that have not finished."""
        return self.running + self.queue_depth
