"""What may be learned from: consent, ratings, deletion, branches."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func
from sqlalchemy.orm import Session

from codellama_core.models import Author, ChatSettings, Conversation, Document, MessageStatus, TrainingExclusion
from codellama_core.prompt import ChatMessage, ContextFile, with_files
from finetuning.items import Chat, Code, Continuation, Infill, Item, Source
from finetuning.sources import read_items
from tests.fine_tuning.world import World


def found(world: World) -> tuple[list[Item], Counter[str]]:
    items, rejections = read_items(world.engine)
    return items, Counter(rejection.reason for rejection in rejections)


def test_a_correction_is_learned_instead_of_the_answer(world: World) -> None:
    world.feedback(world.answered("add", "return a"), rating=-1, correction="return a + b")
    items, _ = found(world)
    assert [(item.source, item.content) for item in items] == [
        (Source.CORRECTION, Chat((ChatMessage("user", "add"),), "return a + b"))
    ]


def test_a_liked_answer_is_learned_and_an_unrated_one_is_not(world: World) -> None:
    world.feedback(world.answered("one", "1"), rating=1)
    world.answered("two", "2")
    world.answered("three", "copied, which is no consent", copied_at=func.now())
    items, _ = found(world)
    assert [(item.source, item.target) for item in items] == [(Source.RATING, "1")]


def test_a_disliked_answer_is_never_a_target_even_if_others_like_it(world: World) -> None:
    answer = world.answered("one", "bad answer")
    world.feedback(answer, rating=-1)
    world.feedback(answer, rating=1)
    world.call({"messages": [{"role": "user", "content": "x"}]}, "bad answer", accepted=True)
    items, reasons = found(world)
    assert items == []
    assert reasons == {"thumbs_down": 3}


@pytest.mark.parametrize("who", ["owner", "rater"])
def test_nothing_of_somebody_who_opted_out_is_learned(world: World, who: str) -> None:
    out = world.user(consent=False)
    answer = world.answered("q", "a", user=out if who == "owner" else None)
    world.feedback(answer, correction="better", user=out if who == "rater" else None)
    world.call({"prompt": "x"}, "y", accepted=True, user_id=out)
    world.document("a.py", "x = 1\n", user_id=out)
    items, reasons = found(world)
    assert items == []
    assert reasons == {"no_consent": 3}


def test_the_prompt_has_the_conversations_own_system_prompt(world: World) -> None:
    conversation = world.conversation(world.user(), settings=ChatSettings(system_prompt="Be brief."))
    asked = world.message(conversation, Author.USER, "Why?")
    world.feedback(world.message(conversation, Author.ASSISTANT, "Because.", asked), rating=1)
    items, _ = found(world)
    prompt = (ChatMessage("system", "Be brief."), ChatMessage("user", "Why?"))
    assert [item.content for item in items] == [Chat(prompt, "Because.")]


def test_the_prompt_has_the_files_that_the_model_read(world: World) -> None:
    conversation = world.conversation(world.user())
    asked = world.message(conversation, Author.USER, "Why?")
    world.attachment(asked, "a.py", "a = 1\n")
    world.attachment(asked, "b.py", "b = 2\n")
    world.feedback(world.message(conversation, Author.ASSISTANT, "Because.", asked), rating=1)
    items, _ = found(world)
    files = [ContextFile("a = 1\n", "a.py"), ContextFile("b = 2\n", "b.py")]
    assert [item.content for item in items] == [Chat((ChatMessage("user", with_files("Why?", files)),), "Because.")]


def test_a_deleted_conversation_and_an_erased_document_are_gone(world: World) -> None:
    world.feedback(world.answered("q", "a"), rating=1)
    world.document("a.py", "x = 1\n", tombstoned_at=func.now())
    world.document("copy_of_a.py", "x = 1\n")
    with Session(world.engine) as session, session.begin():
        session.query(Conversation).delete()
    items, reasons = found(world)
    assert items == []
    assert reasons == {"tombstoned": 2}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"status": MessageStatus.INTERRUPTED}, "unfinished"),
        ({"status": MessageStatus.STOPPED}, "unfinished"),
        ({"finish_reason": "length"}, "cut_off"),
    ],
)
def test_half_an_answer_is_not_learned_but_its_correction_is(world: World, values: dict[str, Any], reason: str) -> None:
    world.feedback(world.answered("q", "half an ans", **values), rating=1)
    world.feedback(world.answered("q", "half an ans", **values), correction="whole")
    items, reasons = found(world)
    assert [item.target for item in items] == ["whole"]
    assert reasons == {reason: 1}


def test_what_an_admin_has_excluded_is_not_learned_and_everything_else_is(world: World) -> None:
    excluded = world.feedback(world.answered("q", "a"), correction="better")
    world.feedback(world.answered("other", "b"), correction="best")
    with Session(world.engine) as session, session.begin():
        session.add(TrainingExclusion(source_kind="correction", source_id=excluded))
    items, reasons = found(world)
    assert [item.target for item in items] == ["best"]
    assert reasons == {"excluded": 1}


def test_the_prompt_is_the_branch_above_the_answer(world: World) -> None:
    chat = world.conversation(world.user())
    system = world.message(chat, Author.SYSTEM, "Be brief.")
    first = world.message(chat, Author.USER, "first", system)
    reply = world.message(chat, Author.ASSISTANT, "reply", first)
    world.message(chat, Author.USER, "another branch", reply)
    second = world.message(chat, Author.USER, "second", reply)
    world.feedback(world.message(chat, Author.ASSISTANT, "end", second), rating=1)
    ((item,), _) = found(world)
    assert isinstance(item.content, Chat)
    assert [(turn.role, turn.content) for turn in item.content.prompt] == [
        ("system", "Be brief."),
        ("user", "first"),
        ("assistant", "reply"),
        ("user", "second"),
    ]


def test_only_accepted_calls_are_learned_each_in_its_form(world: World) -> None:
    world.call({"messages": [{"role": "user", "content": "hi"}]}, "hello", accepted=True)
    world.call({"prompt": "def f("}, "x):", accepted=True)
    world.call({"prompt": "def f(", "suffix": "\n"}, "x):", accepted=True)
    world.call({"input_prefix": "a", "input_suffix": "c"}, "b", accepted=True)
    world.call({"tools": []}, "b", accepted=True)
    world.call({"prompt": "no"}, "no", accepted=False)
    world.call({"prompt": "no"}, "no", accepted=None)
    items, reasons = found(world)
    assert [type(item.content) for item in items] == [Chat, Continuation, Infill, Infill]
    assert reasons == {"unknown_prompt": 1}


def test_documents_come_with_their_language_and_one_group_a_file(world: World) -> None:
    world.document("b.py", "y = 2\n")
    world.document("a.rs", "fn main() {}\n", language="rust")
    items, _ = found(world)
    assert [item.content for item in items] == [Code("fn main() {}\n", "rust"), Code("y = 2\n", "python")]
    assert [item.group for item in items] == ["file:repo/a.rs", "file:repo/b.py"]


def test_documents_under_a_license_that_is_not_allowed_are_not_learned_from(world: World) -> None:
    world.document("a.py", "x = 1\n", license="GPL-3.0-or-later")
    world.document("b.py", "y = 2\n", license="MIT")
    items, reasons = found(world)
    assert [item.group for item in items] == ["file:repo/b.py"]
    assert reasons == {"license": 1}


def test_reading_changes_nothing(world: World) -> None:
    world.document("a.py", "x = 1\n")
    assert read_items(world.engine) == read_items(world.engine)
    with Session(world.engine) as session:
        assert session.query(Document).count() == 1
