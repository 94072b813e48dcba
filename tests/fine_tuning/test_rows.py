"""From items to tokens: what is learned, where it ends, how it is cut."""

import uuid

import pytest

from codellama_core.models import Split
from codellama_core.prompt import ChatMessage, chat_tokens, infill_tokens, without_leading_space
from finetuning.base_model import BaseModel
from finetuning.infill import holes
from finetuning.items import Chat, Code, Content, Continuation, Infill, Item, Source
from finetuning.rows import Row, RowMaker

SOURCE = '''"""A module."""

import os


def first(path: str) -> int:
    """How big it is, in ümläut bytes."""
    return os.stat(path).st_size


class Second:
    def third(self) -> None:
        for name in os.listdir("."):
            print(name, first(name))
'''
ASK = ChatMessage("user", "Write add(a, b).")


def rows(demo: BaseModel, content: Content, max_tokens: int = 512, infills: float = 20.0) -> list[Row]:
    item = Item(Source.DOCUMENT, uuid.uuid4(), "group", content)
    return list(RowMaker(demo, max_tokens, infills).rows(item, Split.TRAIN))


def decoded(demo: BaseModel, ids: tuple[int, ...] | list[int]) -> str:
    return str(demo.vocabulary.processor.decode(list(ids)))


def test_of_a_chat_only_the_answer_and_its_end_are_learned(demo: BaseModel) -> None:
    (row,) = rows(demo, Chat((ASK,), "return a + b"))
    prompt = chat_tokens([ASK], demo.vocabulary.tokenize, demo.vocabulary.special, demo.template)
    assert list(row.ids[: row.first]) == prompt
    assert decoded(demo, row.ids[row.first :]).strip() == "return a + b"
    assert row.ids[-1] == demo.vocabulary.special.eos


def test_a_long_chat_loses_its_oldest_exchange_and_keeps_the_system_turn(demo: BaseModel) -> None:
    old = (ChatMessage("user", "old " * 100), ChatMessage("assistant", "older " * 100))
    (row,) = rows(demo, Chat((ChatMessage("system", "Be brief."), *old, ASK), "yes"), max_tokens=128)
    text = decoded(demo, row.ids)
    assert "Be brief." in text
    assert "Write add" in text
    assert "older" not in text


def test_what_does_not_fit_even_alone_is_not_a_row(demo: BaseModel) -> None:
    assert rows(demo, Chat((ASK,), "word " * 500), max_tokens=128) == []


def test_a_file_is_learned_whole_in_pieces_that_fit(demo: BaseModel) -> None:
    pieces = [row for row in rows(demo, Code(SOURCE * 5, "python"), max_tokens=128) if row.kind == "code"]
    assert len(pieces) > 1
    assert all(len(row.ids) <= 128 and row.ids[0] == demo.vocabulary.special.bos and row.first == 1 for row in pieces)
    assert "".join(decoded(demo, row.ids[1:]) for row in pieces).split() == (SOURCE * 5).split()
    assert [row.ids[-1] == demo.vocabulary.special.eos for row in pieces] == [False] * (len(pieces) - 1) + [True]


def test_infill_rows_alternate_between_the_two_formats_and_learn_the_middle(demo: BaseModel) -> None:
    special = demo.vocabulary.special
    found = [row for row in rows(demo, Code(SOURCE, "python")) if row.kind == "infill"]
    assert len(found) >= 2
    for number, row in enumerate(found):
        suffix_first = row.ids[2] == special.suffix
        assert suffix_first is (number % 2 == 1)
        assert row.ids[:2] == (special.bos, special.prefix)
        assert row.ids[-1] == special.end_of_infill
        assert decoded(demo, row.ids[row.first : -1]).strip() in SOURCE


def test_prefix_suffix_middle_is_the_prompt_that_serving_builds(demo: BaseModel) -> None:
    tokenize, special = demo.vocabulary.tokenize, demo.vocabulary.special
    (row,) = rows(demo, Infill("def f(", "):\n    pass\n", "x, y"))
    prompt = infill_tokens("def f(", "):\n    pass\n", tokenize, special)
    assert list(row.ids) == [*prompt, *without_leading_space(tokenize, "x, y"), special.end_of_infill]
    assert row.first == len(prompt)


def test_a_long_continuation_loses_the_start_of_its_prompt(demo: BaseModel) -> None:
    (row,) = rows(demo, Continuation("x = 1\n" * 200, "y = 2\n"), max_tokens=64)
    assert len(row.ids) == 64
    assert decoded(demo, row.ids[row.first :]) == "y = 2\n"


@pytest.mark.parametrize("text", [SOURCE, SOURCE.replace("\n", "\r\n"), "def broken(:\n    return 1\n" * 5])
def test_a_hole_and_its_surroundings_are_the_file(text: str) -> None:
    found = holes(text, "python", 50, "seed")
    assert found
    assert all(hole.prefix + hole.answer + hole.suffix == text for hole in found)
    assert found == holes(text, "python", 50, "seed")


def test_holes_are_chosen_by_syntax_where_there_is_one() -> None:
    middles = {hole.answer for hole in holes(SOURCE, "python", 50, "seed")}
    assert "return os.stat(path).st_size" in middles
    assert "os.stat(path)" in middles
