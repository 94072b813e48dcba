"""Items as token rows, cut to the length limit at turn or statement boundaries, with what is learned marked."""

import ast
import itertools
import math
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from codellama_core.models import Split
from codellama_core.prompt import ChatMessage, chat_tokens
from finetuning.base_model import BaseModel
from finetuning.errors import DataError
from finetuning.infill import Tokens, common_prefix, holes, infill_row
from finetuning.items import Chat, Code, Continuation, Infill, Item, Source


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence. The loss is on ``ids[first:]``; ``kind`` is chat, code, continuation or infill."""

    source: Source
    source_id: uuid.UUID
    group: str
    kind: str
    split: Split
    ids: tuple[int, ...]
    first: int

    @property
    def sha256(self) -> str:
        """Identity of the row: its ids and which of them are learned."""
        return sha256(f"{self.first}:{','.join(map(str, self.ids))}".encode()).hexdigest()


class RowMaker:
    """Makes rows for one model."""

    def __init__(self, base: BaseModel, max_tokens: int, infills_per_1000_tokens: float) -> None:
        self._tokenize = base.vocabulary.tokenize
        self._special = base.vocabulary.special
        self._template = base.template
        self._max = max_tokens
        self._infills = infills_per_1000_tokens if self._special.end_of_infill is not None else 0.0

    def rows(self, item: Item, split: Split) -> Iterator[Row]:
        """The rows of an item; none when it does not fit into the length limit even when cut.

        Raises DataError when a row would teach nothing or a target lacks its end token.
        """
        makers: dict[type, Callable[[Item], Iterator[tuple[str, Tokens]]]] = {
            Chat: self._chat,
            Code: self._code,
            Continuation: self._continuation,
            Infill: self._infill,
        }
        for kind, tokens in makers[type(item.content)](item):
            if not 0 < tokens.first < len(tokens.ids):
                raise DataError(f"A {kind} row of {item.source} {item.source_id} has nothing to learn.")
            if kind in ("chat", "infill") and tokens.ids[-1] not in (self._special.eos, self._special.end_of_infill):
                raise DataError(f"A {kind} row of {item.source} {item.source_id} lacks its end token.")
            ids = tuple(tokens.ids)
            yield Row(item.source, item.source_id, item.group, kind, split, ids, tokens.first)

    def _chat(self, item: Item) -> Iterator[tuple[str, Tokens]]:
        assert isinstance(item.content, Chat)
        turns = list(item.content.prompt)
        while turns:
            tokens = self._chat_tokens(turns, item.content.answer)
            if len(tokens.ids) <= self._max:
                yield "chat", tokens
                return
            turns = _without_oldest_exchange(turns)

    def _chat_tokens(self, turns: list[ChatMessage], answer: str) -> Tokens:
        prompt = chat_tokens(turns, self._tokenize, self._special, self._template)
        answered = [*turns, ChatMessage("assistant", answer)]
        whole = chat_tokens(answered, self._tokenize, self._special, self._template)
        return Tokens(whole, common_prefix(prompt, whole))

    def _code(self, item: Item) -> Iterator[tuple[str, Tokens]]:
        assert isinstance(item.content, Code)
        content = item.content
        pieces = list(self._pieces(content))
        for number, ids in enumerate(pieces):
            end = [self._special.eos] if number == len(pieces) - 1 else []
            yield "code", Tokens([self._special.bos, *ids, *end], 1)
        count = math.ceil(self._infills * sum(map(len, pieces)) / 1000)
        for number, hole in enumerate(holes(content.text, content.language, count, item.group)):
            tokens = infill_row(hole, self._tokenize, self._special, suffix_first=number % 2 == 1)
            if len(tokens.ids) <= self._max:
                yield "infill", tokens

    def _pieces(self, content: Code) -> Iterator[list[int]]:
        """A file's ids in pieces that fit, cut between top-level statements; a longer statement is cut anywhere."""
        room, text, size = self._max - 2, "", 0
        for block in [*_blocks(content), ""]:
            tokens = len(self._tokenize(block))
            if text and (size + tokens > room or not block):
                ids = list(self._tokenize(text))
                yield from (ids[start : start + room] for start in range(0, len(ids), room))
                text, size = "", 0
            text, size = text + block, size + tokens

    def _continuation(self, item: Item) -> Iterator[tuple[str, Tokens]]:
        assert isinstance(item.content, Continuation)
        prompt = [self._special.bos, *self._tokenize(item.content.prompt)]
        whole = [self._special.bos, *self._tokenize(item.content.prompt + item.content.answer)]
        first = common_prefix(prompt, whole)
        dropped = max(0, len(whole) - self._max)
        if first < len(whole) and dropped < first:
            yield "continuation", Tokens([whole[0], *whole[1 + dropped :]], first - dropped)

    def _infill(self, item: Item) -> Iterator[tuple[str, Tokens]]:
        assert isinstance(item.content, Infill)
        if self._special.end_of_infill is None:
            return
        tokens = infill_row(item.content, self._tokenize, self._special, suffix_first=False)
        if len(tokens.ids) <= self._max:
            yield "infill", tokens


def _without_oldest_exchange(turns: list[ChatMessage]) -> list[ChatMessage]:
    """The turns without the oldest question and answer; a system turn stays. Empty when only one question is left."""
    system = [turn for turn in turns[:1] if turn.role == "system"]
    rest = turns[len(system) + 1 :]
    while rest and rest[0].role != "user":
        rest = rest[1:]
    return [*system, *rest] if rest else []


def _blocks(content: Code) -> list[str]:
    """A file in pieces between which it may be cut: top-level statements of Python, else lines."""
    lines = content.text.splitlines(keepends=True)
    starts = _statement_lines(content.text) if content.language == "python" else None
    if starts is None:
        return lines
    cuts = sorted({0, *(line - 1 for line in starts), len(lines)})
    return ["".join(lines[a:b]) for a, b in itertools.pairwise(cuts)]


def _statement_lines(text: str) -> list[int] | None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    return [min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))]) for node in tree.body]
