"""Whether an answer is what its model writes greedily for its prompt: teacher forcing, alone, in another context.

An answer comes as text, as its caller saw it; several token sequences may spell it. It passes if one of them does of
which every token's logit lies within ``TOLERANCE`` of the highest at its place, and which has as many tokens as the
answer is said to have. So a token that was lost, doubled, or another request's has to be as likely as the model's own
choice to slip through.

Not covered: answers cut by a stop string, and sampled ones.
"""

import codecs
import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import llama_cpp
import numpy as np
from llama_cpp import Llama

from codellama_core.prompt import (
    CODELLAMA_TEMPLATE,
    ChatMessage,
    SpecialTokens,
    chat_tokens,
    infill_tokens,
)

TOLERANCE: Final = 0.5
"""Logits this close may change places: the server computes its rows in batches of other shapes, its KV is in 8 bits."""
GUESS: Final = 48
"""Tokens evaluated at once, in the hope that the text was spelled as its tokenizer would."""
MOST_EVALUATIONS: Final = 2000

Logits = np.ndarray[tuple[int], np.dtype[np.float32]]


@dataclass(frozen=True, slots=True)
class Claim:
    """An answer to be judged. ``tokens`` None: it was cut by its caller, so that nobody said how many there are.

    ``ended``: the model ended it by itself. ``stripped``: white space around it was dropped, as chats do.
    """

    prompt: tuple[int, ...]
    text: str
    tokens: int | None
    ended: bool = False
    stripped: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """``deviation`` is the largest distance from the highest logit on the best way found.

    Where none was found ``reached`` says how many characters could be explained.
    """

    passed: bool
    deviation: float
    reached: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """A beginning of a spelling: its tokens, how much of the text they are, and bytes that are no character yet."""

    tokens: tuple[int, ...] = ()
    matched: int = 0
    pending: bytes = b""
    deviation: float = 0.0


class Judge:
    """A model file in a context of its own, used for nothing else; attention and KV types are the soak server's."""

    def __init__(self, model: Path, *, threads: int = 1, kv_type: int = llama_cpp.GGML_TYPE_Q8_0) -> None:
        self._llama = Llama(
            str(model), n_ctx=0, n_threads=threads, n_threads_batch=threads, flash_attn=False, type_k=kv_type,
            logits_all=True, use_mmap=False, verbose=False,
        )  # fmt: skip
        self._pieces = [self._piece(token) for token in range(self._llama.n_vocab())]
        vocab = self._llama._model.vocab
        lib = llama_cpp.llama_cpp
        self._special = SpecialTokens(
            bos=self._llama.token_bos(), eos=self._llama.token_eos(), prefix=lib.llama_vocab_fim_pre(vocab),
            suffix=lib.llama_vocab_fim_suf(vocab), middle=lib.llama_vocab_fim_mid(vocab),
        )  # fmt: skip
        self._ends = [token for token in range(len(self._pieces)) if lib.llama_vocab_is_eog(vocab, token)]

    def close(self) -> None:
        self._llama.close()

    def text_prompt(self, text: str) -> tuple[int, ...]:
        return (self._special.bos, *self._tokenize(text))

    def chat_prompt(self, messages: Sequence[ChatMessage]) -> tuple[int, ...]:
        template = self._llama.metadata.get("tokenizer.chat_template", CODELLAMA_TEMPLATE)
        return tuple(chat_tokens(messages, self._tokenize, self._special, template))

    def infill_prompt(self, prefix: str, suffix: str) -> tuple[int, ...]:
        return tuple(infill_tokens(prefix, suffix, self._tokenize, self._special))

    def judge(self, claim: Claim) -> Verdict:
        """Look for a spelling of the text that the model could have written; the likeliest tokens first."""
        return Search(self, claim).run()

    def logits_after(self, claim: Claim, tokens: Sequence[int], guess: Sequence[int]) -> list[Logits]:
        """Logits after the prompt with ``tokens``, and after each token of ``guess``."""
        wanted = [*claim.prompt, *tokens, *guess]
        held = list(self._llama.input_ids[: self._llama.n_tokens])
        common = 0
        while common < min(len(held), len(wanted) - len(guess) - 1) and held[common] == wanted[common]:
            common += 1
        self._llama.n_tokens = common
        self._llama.eval(wanted[common:])
        first = len(wanted) - len(guess) - 1
        return [self._llama.scores[row] for row in range(first, len(wanted))]

    def spell(self, text: str) -> list[int]:
        """How the tokenizer would spell ``text`` in the middle of a line."""
        sentinel = "☺"
        return self._tokenize(sentinel + text)[len(self._tokenize(sentinel)) :]

    def piece(self, token: int) -> bytes:
        return self._pieces[token]

    def is_end(self, token: int) -> bool:
        return token in self._ends

    def end_deviation(self, logits: Logits) -> float:
        """How far below the highest logit the best end token is."""
        return float(logits.max() - logits[self._ends].max())

    def _tokenize(self, text: str) -> list[int]:
        return list(self._llama.tokenize(text.encode(), add_bos=False, special=False))

    def _piece(self, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        size = llama_cpp.llama_token_to_piece(self._llama._model.vocab, token, buffer, len(buffer), 0, False)
        return bytes(buffer.raw[: max(size, 0)])


class Search:
    """Depth first through the spellings of one answer."""

    def __init__(self, judge: Judge, claim: Claim) -> None:
        self._judge = judge
        self._claim = claim
        self._furthest = Way()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def run(self) -> Verdict:
        ways = [Way()]
        for _ in range(MOST_EVALUATIONS):
            if not ways:
                break
            found = self._follow(ways.pop(), ways)
            if found is not None:
                return Verdict(True, found.deviation, found.matched)
        return self._refusal(exhausted=bool(ways))

    def _follow(self, way: Way, others: list[Way]) -> Way | None:
        """Go on as the tokenizer would spell it, for as long as that is the only way; then note the ways there are."""
        rest = self._claim.text[way.matched :]
        guess = [] if way.pending else self._judge.spell(rest[: 8 * GUESS])[:GUESS]
        for place, logits in enumerate(self._judge.logits_after(self._claim, way.tokens, guess)):
            if self._is_whole(way, logits):
                return way
            steps = self._steps(way, logits)
            if place == len(guess) or len(steps) != 1 or steps[0].tokens[-1] != guess[place]:
                others.extend(reversed(steps))
                return None
            way = steps[0]
        return None

    def _steps(self, way: Way, logits: Logits) -> list[Way]:
        """The way with one more token: those the model might have chosen and the text allows, the likeliest first."""
        if way.matched > self._furthest.matched or not self._furthest.tokens:
            self._furthest = way
        if len(way.tokens) == self._claim.tokens:
            return []
        highest = float(logits.max())
        near = [int(token) for token in np.nonzero(logits >= highest - TOLERANCE)[0]]
        near.sort(key=lambda token: -logits[token])
        steps = [self._with(way, token, highest - float(logits[token])) for token in near]
        return [step for step in steps if step is not None]

    def _with(self, way: Way, token: int, deviation: float) -> Way | None:
        """None if the text does not go on like this."""
        if self._judge.is_end(token):
            return None
        self._decoder.setstate((way.pending, 0))
        matched = self._match(way.matched, self._decoder.decode(self._judge.piece(token)))
        if matched is None:
            return None
        pending = self._decoder.getstate()[0]
        return Way((*way.tokens, token), matched, pending, max(way.deviation, deviation))

    def _match(self, matched: int, more: str) -> int | None:
        """How much of the text is explained with ``more`` after ``matched`` characters."""
        text, more = self._claim.text, more.replace("\0", "\ufffd")
        if self._claim.stripped and matched == 0:
            more = more.lstrip()
        if text.startswith(more, matched):
            return matched + len(more)
        rest = text[matched:]
        if self._claim.stripped and more.startswith(rest) and more[len(rest) :].isspace():
            return len(text)
        return None

    def _is_whole(self, way: Way, logits: Logits) -> bool:
        """Whether the way is all of the answer, and the model could have ended there if it did."""
        claim = self._claim
        if claim.tokens is None:
            return way.matched == len(claim.text)
        self._decoder.setstate((way.pending, 0))
        last = self._match(way.matched, self._decoder.decode(b"", final=True))
        if len(way.tokens) != claim.tokens or last != len(claim.text):
            return False
        return not claim.ended or self._judge.end_deviation(logits) <= TOLERANCE

    def _refusal(self, *, exhausted: bool) -> Verdict:
        """What stands where no way goes on, and how far the nearest token that would fit is from the highest."""
        way, text = self._furthest, self._claim.text
        if exhausted:
            return Verdict(False, 0.0, way.matched, f"no spelling found within {MOST_EVALUATIONS} evaluations")
        (logits,) = self._judge.logits_after(self._claim, way.tokens, ())
        fitting = [token for token in range(len(logits)) if self._with(way, token, 0.0) is not None]
        deviation = float(logits.max() - logits[fitting].max()) if fitting else float("inf")
        reason = (
            f"{text[way.matched : way.matched + 20]!r} after {len(way.tokens)} tokens is {deviation:.2f} below what "
            f"the model would have written; {self._claim.tokens} tokens were announced"
        )
        return Verdict(False, deviation, way.matched, reason)
