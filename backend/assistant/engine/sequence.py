"""The state of one request inside the engine."""

from assistant.engine.drafts import PromptLookup
from assistant.engine.model import Grammar, Owner, Sampler
from assistant.engine.prefix_cache import Held
from assistant.engine.prefixes import Stored
from assistant.engine.types import Emit, Finished, FinishReason, GenerateRequest, Timings

AGEING_S = 60.0
"""Seconds of waiting that are worth one class of priority, so that nobody starves."""


class Sequence:
    """Prompt and answer as one list of tokens, of which the first ``computed`` are in KV cells.

    A sequence that lacks one token is decoding, one that lacks more is reading its prompt; after a preemption it reads
    prompt and answer again. ``seq_id`` is None while it waits. ``simulated_s`` is the wait foreseen for it,
    ``announced`` whether it has heard of its position.
    """

    __slots__ = (
        "accepted",
        "admitted_at",
        "announced",
        "cached",
        "computed",
        "drafted",
        "emit",
        "first_token_at",
        "generated",
        "grammar",
        "held",
        "last_step",
        "looked_up",
        "lookup",
        "number",
        "request",
        "sampler",
        "seq_id",
        "simulated_s",
        "stored",
        "submitted_at",
        "tokens",
        "urgency",
    )

    def __init__(
        self, request: GenerateRequest, emit: Emit, submitted_at: float, number: int, grammar: Grammar | None = None,
        simulated_s: float = 0.0,
    ) -> None:  # fmt: skip
        self.request = request
        self.emit = emit
        self.submitted_at = submitted_at
        self.number = number
        self.grammar = grammar
        self.simulated_s = simulated_s
        self.tokens = list(request.tokens)
        self.held = Held(self.tokens, Owner(request.adapter, request.scope), request.public_tokens)
        self.lookup = PromptLookup()
        self.stored: Stored | None = None
        self.looked_up = False
        self.announced = False
        self.computed = 0
        self.cached = 0
        self.generated = 0
        self.drafted = 0
        self.accepted = 0
        self.seq_id: int | None = None
        self.sampler: Sampler | None = None
        self.admitted_at: float | None = None
        self.first_token_at: float | None = None
        self.last_step = 0
        self.urgency: int = request.priority

    @property
    def outstanding(self) -> int:
        """Tokens that are not in KV cells yet."""
        return len(self.tokens) - self.computed

    @property
    def cost(self) -> int:
        """Tokens that it takes at most, prompt and answer."""
        return len(self.tokens) + self.tokens_left

    @property
    def decoding(self) -> bool:
        return self.generated > 0 and self.outstanding == 1

    @property
    def tokens_left(self) -> int:
        return self.request.max_tokens - self.generated

    @property
    def rank(self) -> tuple[int, int]:
        """Lower runs first and is preempted last."""
        return (self.urgency, self.number)

    def age(self, now: float) -> int:
        """Priority by now: waiting makes a request more urgent by one class every ``AGEING_S``."""
        self.urgency = max(self.request.priority - int((now - self.submitted_at) // AGEING_S), 0)
        return self.urgency

    def admit(self, seq_id: int, cached: int, now: float) -> None:
        """The sequence has a place in the cache, ``cached`` of its tokens already in cells."""
        self.seq_id = seq_id
        self.computed = cached
        if self.admitted_at is None:
            self.admitted_at = now
            self.cached = cached

    def preempt(self) -> None:
        """The sequence has lost its place; what it has sampled stays."""
        self.seq_id = None
        self.computed = 0
        self.looked_up = False

    def restart(self) -> None:
        """What was restored for it is no good: everything has to be read."""
        self.computed = self.cached = 0

    def append(self, token: int, now: float) -> None:
        """Take a sampled token."""
        self.tokens.append(token)
        self.generated += 1
        if self.first_token_at is None:
            self.first_token_at = now

    def finish(self, reason: FinishReason, now: float, error: str | None = None) -> Finished:
        """Close the sampler and sum up."""
        for each in (self.sampler, self.grammar):
            if each is not None:
                each.close()
        self.sampler = self.grammar = None
        return Finished(reason, self._timings(now), error)

    def _timings(self, now: float) -> Timings:
        admitted = now if self.admitted_at is None else self.admitted_at
        first = now if self.first_token_at is None else self.first_token_at
        return Timings(
            prompt_tokens=len(self.request.tokens),
            cached_tokens=self.cached,
            completion_tokens=self.generated,
            queued_s=admitted - self.submitted_at,
            prefill_s=first - admitted,
            decode_s=now - first,
            drafted_tokens=self.drafted,
            accepted_tokens=self.accepted,
        )
