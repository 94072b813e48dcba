"""Prompts of a wanted size in tokens: made-up code, the same in every run."""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import llama_cpp
from llama_cpp import Llama

# fmt: off
WORDS: Final = (
    "add", "alpha", "apply", "batch", "beta", "build", "cache", "check", "close", "count", "create", "data",
    "default", "delta", "entry", "error", "event", "field", "file", "filter", "first", "format", "gamma", "group",
    "handle", "header", "index", "input", "item", "join", "key", "last", "length", "level", "limit", "line", "list",
    "load", "map", "match", "merge", "message", "method", "mode", "name", "node", "number", "object", "offset",
    "open", "option", "order", "output", "page", "parse", "path", "point", "process", "queue", "range", "read",
    "record", "remove", "reset", "result", "rows", "save", "scale", "search", "select", "send", "size", "sort",
    "source", "split", "start", "state", "step", "store", "string", "sum", "table", "target", "test", "text", "time",
    "token", "total", "trace", "tree", "update", "user", "value", "view", "width", "window", "word", "write",
)
# fmt: on
END_PIECE: Final = "▁<EOT>"


class Prompts:
    """Text by the vocabulary of a model file. The file's weights are not loaded."""

    def __init__(self, model: Path) -> None:
        self._llama = Llama(str(model), vocab_only=True, verbose=False)
        self.context = int(self._llama.metadata["llama.context_length"])
        """Tokens that the model was trained to read at most."""
        self.name = self._llama.metadata.get("general.name", model.stem)
        self.size = self._llama.n_vocab()
        self.ends = self._ends()
        """Tokens that end an answer, say nothing, or are part of a character: a gap is a token's, not a character's."""

    @property
    def is_noise(self) -> bool:
        """Whether the file's weights are random, so that what it writes has nothing to do with its prompt."""
        return str(self.name).startswith("random")

    def endless(self) -> dict[str, float]:
        """A ``logit_bias`` that keeps answers from ending before their limit."""
        return {str(token): -100.0 for token in self.ends}

    def tokens(self, text: str) -> list[int]:
        """Token ids of plain text, without BOS."""
        return list(self._llama.tokenize(text.encode(), add_bos=False, special=False))

    def with_bos(self, text: str) -> list[int]:
        """Token ids of a prompt, as the servers read it."""
        return [self._llama.token_bos(), *self.tokens(text)]

    def text(self, seed: str, tokens: int) -> str:
        """Made-up code of at most so many tokens, and a few less at most."""
        lines = _code(random.Random(seed))
        text = ""
        while len(self.tokens(longer := text + next(lines))) <= tokens:
            text = longer
        for word in _words(random.Random(f"{seed} tail")):
            if len(self.tokens(longer := f"{text} {word}")) > tokens:
                return text
            text = longer
        raise AssertionError("words never end")

    def _ends(self) -> tuple[int, ...]:
        vocab = self._llama._model.vocab
        lib = llama_cpp.llama_cpp
        silent = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_UNKNOWN | lib.LLAMA_TOKEN_ATTR_BYTE
        return tuple(
            token
            for token in range(self.size)
            if lib.llama_vocab_is_eog(vocab, token)
            or lib.llama_vocab_get_attr(vocab, token) & silent
            or lib.llama_vocab_get_text(vocab, token) == END_PIECE.encode()
        )


def copy_grammar(tokens: Sequence[int]) -> str:
    """A GBNF grammar that allows exactly these tokens, in this order (llama.cpp grammars/README.md, "Tokens")."""
    return "root ::= " + " ".join(f"<[{token}]>" for token in tokens)


def _words(rng: random.Random) -> Iterator[str]:
    while True:
        yield rng.choice(WORDS)


def _code(rng: random.Random) -> Iterator[str]:
    """Lines of functions with made-up names."""
    words = _words(rng)
    while True:
        name, one, two = next(words), next(words), next(words)
        yield f"def {name}_{next(words)}({one}, {two}={rng.randrange(100)}):\n"
        for _ in range(rng.randrange(2, 6)):
            yield f"    {next(words)} = {one}.{next(words)}({two}, {rng.randrange(1000)}) + {next(words)}\n"
        yield f"    return {next(words)}\n\n\n"
