"""Stand-ins at the seams of the product: a scripted model with a virtual clock."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from assistant.engine.model import Copy, DecodeError, Grammar, KvCosts, Saved, Span, Truncate, UnmetGrammarError
from assistant.engine.types import InvalidGrammarError, ModelLoadError, Sampling

NextToken = Callable[[Sequence[int]], int]
FIRST_BYTE = 16


class VirtualClock:
    """Seconds that pass only when somebody says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakeVocabulary:
    """One token a byte after 16 control tokens."""

    size = FIRST_BYTE + 256
    longest = 1
    bos: int | None = 1
    eos: int | None = 2
    eot: int | None = 3
    add_bos = True
    eog = frozenset({2, 3})
    fim_prefix: int | None = 4
    fim_suffix: int | None = 5
    fim_middle: int | None = 6

    def tokenize(self, text: str) -> list[int]:
        return [FIRST_BYTE + byte for byte in text.encode()]

    def token_to_bytes(self, token: int) -> bytes:
        return bytes([token - FIRST_BYTE]) if token >= FIRST_BYTE else b""

    def is_eog(self, token: int) -> bool:
        return token in self.eog

    def parse_grammar(self, text: str) -> "FakeGrammar":
        """The grammar of a scripted model is the text that it allows."""
        if not text:
            raise InvalidGrammarError("an empty grammar")
        return FakeGrammar(text)


class FakeGrammar:
    """Allows the bytes of one text, then the end."""

    open_grammars = 0

    def __init__(self, text: str) -> None:
        self.allowed = [FIRST_BYTE + byte for byte in text.encode()] + [2]
        FakeGrammar.open_grammars += 1

    def close(self) -> None:
        FakeGrammar.open_grammars -= 1


def mixed(tokens: Sequence[int]) -> int:
    """A next token that depends on every token before it and on its place."""
    value = 7
    for token in tokens:
        value = (value * 31 + token + 1) % 1_000_003
    return FIRST_BYTE + value % 256


def copying(tokens: Sequence[int]) -> int:
    """A next token that depends on every token before it, and mostly repeats the one four places back."""
    value = mixed(tokens)
    return tokens[-4] if len(tokens) >= 4 and value % 4 else value


def answering(text: str, prompt_length: int) -> NextToken:
    """A script that writes ``text`` after a prompt of that many tokens, then ends."""
    data = text.encode()

    def next_token(tokens: Sequence[int]) -> int:
        place = len(tokens) - prompt_length
        return FIRST_BYTE + data[place] if place < len(data) else 2

    return next_token


class FakeSampler:
    """Takes the scripted token of a row, or what the grammar says must come."""

    def __init__(self, model: "FakeModel", grammar: Grammar | None = None) -> None:
        self._model = model
        self._grammar = grammar
        model.open_samplers += 1

    def sample(self, row: int) -> int:
        token = self._model.outputs[row]
        if isinstance(self._grammar, FakeGrammar):
            if not self._grammar.allowed:
                raise UnmetGrammarError("nothing is allowed any more")
            return self._grammar.allowed.pop(0)
        return token

    def close(self) -> None:
        self._model.open_samplers -= 1
        if self._grammar is not None:
            self._grammar.close()


class FakeModel:
    """A model whose cells hold tokens and whose logits are a function of all tokens of the sequence.

    It checks what llama.cpp would silently get wrong: positions without a gap, sharing into empty sequences only,
    logits asked for before they are sampled. ``errors`` are raised by the next decodes, one each; a decode with a token
    of ``poison`` always fails; each decode advances ``clock`` by ``row_s`` a row. Tokens depend on the adapter in use.
    """

    description = "scripted"
    chat_template: str | None = None
    size_bytes = 1_000_000
    kv_layout = "numbers"

    def __init__(
        self,
        *,
        n_ctx: int = 64,
        n_seq_max: int = 4,
        n_batch: int = 32,
        n_ctx_train: int = 4096,
        next_token: NextToken = mixed,
        clock: VirtualClock | None = None,
        row_s: float = 0.01,
        n_drafts_max: int = 8,
        kv_costs: KvCosts | None = None,
    ) -> None:
        self.vocabulary = FakeVocabulary()
        self.n_ctx = n_ctx
        self.n_seq_max = n_seq_max
        self.n_batch = n_batch
        self.n_ctx_train = n_ctx_train
        self.metadata: dict[str, str] = {"general.architecture": "scripted"}
        self.next_token = next_token
        self.clock = clock or VirtualClock()
        self.row_s = row_s
        self.held: dict[int, list[tuple[int, int]]] = {}
        self.outputs: dict[int, int] = {}
        self.steps: list[list[Span]] = []
        self.errors: list[Exception] = []
        self.poison: set[int] = set()
        self.n_drafts_max = n_drafts_max
        self.kv_costs = kv_costs or KvCosts()
        self.adapters: set[str] = set()
        self.adapter: str | None = None
        self.saves = 0
        self.tuned = 0
        self.restores = 0
        self.refusals = 0
        self.open_samplers = 0
        self.closed = False
        self._cell = 0

    @property
    def cells_used(self) -> int:
        """Cells in use, those shared by several sequences counted once."""
        return len({cell for held in self.held.values() for cell, _ in held})

    def tune(self, clock: Callable[[], float]) -> None:
        self.tuned += 1

    def tokens(self, seq_id: int) -> list[int]:
        return [token for _, token in self.held.get(seq_id, [])]

    def apply(self, op: Truncate | Copy) -> None:
        match op:
            case Truncate(seq_id, length):
                self.held[seq_id] = self.held.get(seq_id, [])[:length]
            case Copy(source, target, length):
                if self.held.get(target) or length > len(self.held[source]):
                    raise AssertionError(f"{op} into {self.tokens(target)}")
                self.held[target] = self.held[source][:length]

    def decode(self, spans: Sequence[Span]) -> bool:
        rows = sum(len(span.tokens) for span in spans)
        if self.closed or not spans or rows > self.n_batch or len({span.seq_id for span in spans}) < len(spans):
            raise AssertionError(f"a bad batch of {rows} rows")
        if self.errors:
            raise self.errors.pop(0)
        if any(token in self.poison for span in spans for token in span.tokens):
            raise DecodeError("poison")
        if self.refusals or self.cells_used + rows > self.n_ctx:
            self.refusals = max(self.refusals - 1, 0)
            return False
        self.clock.advance(self.row_s * rows)
        self.steps.append(list(spans))
        self._fill(spans)
        return True

    def _fill(self, spans: Sequence[Span]) -> None:
        self.outputs = {}
        row = 0
        for span in spans:
            held = self.held.setdefault(span.seq_id, [])
            if span.start != len(held) or not 0 <= span.seq_id < self.n_seq_max:
                raise DecodeError(f"{span} after {len(held)} tokens")
            for token in span.tokens:
                self._cell += 1
                held.append((self._cell, token))
            row += len(span.tokens)
            for back in range(span.outputs):
                self.outputs[row - 1 - back] = self._next(self.tokens(span.seq_id)[: len(held) - back])

    def _next(self, tokens: Sequence[int]) -> int:
        return self.next_token(tokens if self.adapter is None else [len(self.adapter), *tokens])

    def save(self, seq_id: int) -> Saved:
        self.saves += 1
        return json.dumps(self.tokens(seq_id)).encode()

    def restore(self, seq_id: int, saved: Saved) -> bool:
        if self.held.get(seq_id):
            raise AssertionError(f"restoring over {self.tokens(seq_id)}")
        tokens = json.loads(bytes(saved))
        if self.cells_used + len(tokens) > self.n_ctx:
            return False
        self.restores += 1
        self.held[seq_id] = []
        for token in tokens:
            self._cell += 1
            self.held[seq_id].append((self._cell, token))
        return True

    def add_adapter(self, name: str, path: Path) -> None:
        if not path.is_file():
            raise ModelLoadError(f"{path} cannot be used")
        self.adapters.add(name)

    def remove_adapter(self, name: str) -> None:
        self.adapters.remove(name)

    def use_adapter(self, name: str | None) -> None:
        if name is not None and name not in self.adapters:
            raise AssertionError(f"no adapter {name}")
        self.adapter = name

    def new_sampler(self, sampling: Sampling, history: Sequence[int], grammar: Grammar | None = None) -> FakeSampler:
        return FakeSampler(self, grammar)

    def logprobs(self, row: int, token: int, top: int) -> tuple[float, tuple[tuple[int, float], ...]]:
        return -0.5, tuple((self.outputs[row] + place, -0.5 - place) for place in range(top))

    def close(self) -> None:
        if self.open_samplers:
            raise AssertionError("closed with samplers in use")
        self.closed = True
