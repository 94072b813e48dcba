import asyncio
import json
import uuid
from datetime import timedelta
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assistant.services.database import Database
from assistant.services.history import exports
from codellama_core.database import plain_url
from tests.api.history import BEGIN, chain, conversation, export, message, somebody_elses, take_in


@pytest.fixture
def client(mock_client: httpx.Client) -> httpx.Client:
    return mock_client


PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
FIGURES = st.fixed_dictionaries(
    {
        "finish_reason": st.sampled_from([None, "stop", "length"]),
        "model": st.none() | PLAIN,
        "prompt_tokens": st.none() | st.integers(0, 2**31 - 1),
        "cached_tokens": st.none() | st.integers(0, 2**31 - 1),
        "completion_tokens": st.none() | st.integers(0, 2**31 - 1),
        "time_to_first_token_s": st.none() | st.floats(0, 1e6),
        "tokens_per_second": st.none() | st.floats(0, 1e6),
        "duration_s": st.none() | st.floats(0, 1e6),
        "copied_at": st.none() | st.just(BEGIN.isoformat().replace("+00:00", "Z")),
        "feedback": st.none()
        | st.fixed_dictionaries(
            {
                "rating": st.sampled_from([None, 1, -1]),
                "tags": st.lists(PLAIN.filter(bool), max_size=3),
                "comment": st.none() | PLAIN,
                "correction": st.none() | PLAIN.filter(bool),
            }
        ),
    }
)


NAME = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
SOURCE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
FILES = st.lists(st.fixed_dictionaries({"name": NAME, "content": SOURCE}), max_size=3)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """A conversation of any shape, its messages in any order."""
    messages: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 12))):
        parent = draw(st.none() | st.sampled_from(messages)) if messages else None
        figures = draw(FIGURES)
        author = draw(st.sampled_from(["user", "assistant", "system"]))
        at = draw(st.integers(0, 3))  # many at the same time
        later = (BEGIN + timedelta(seconds=number // 4 + at)).isoformat()
        if parent is not None:
            later = max(later, parent["created_at"])
        fixed = message(parent and parent["id"], draw(PLAIN), author=author, created_at=later)
        files = draw(FILES) if author == "user" else []
        messages.append({**fixed, **figures, "attachments": files})
    more = {"folder": draw(st.none() | st.sampled_from(["a", "b c"])), "archived": draw(st.booleans())}
    return conversation(draw(st.permutations(messages)), draw(PLAIN), **more)


def exported(client: httpx.Client, path: str = "/api/conversations/export", **query: Any) -> dict[str, Any]:
    response = client.get(path, params=query)
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


def shape(page: dict[str, Any]) -> dict[str, Any]:
    """A conversation without ids: each message with the contents of those above it."""
    above = {each["id"]: each for each in page["messages"]}

    def path(each: dict[str, Any]) -> list[str]:
        parent = each["parent_id"]
        return [*(path(above[parent]) if parent else []), each["content"]]

    described = [
        json.dumps({**each, "id": None, "parent_id": None, "path": path(each), "created_at": None}, sort_keys=True)
        for each in page["messages"]
    ]
    fixed = {name: page[name] for name in ("title", "folder", "archived", "pinned")}
    return {**fixed, "messages": sorted(described)}


@given(pages=st.lists(trees(), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_goes_out_comes_in_and_goes_out_the_same(client: httpx.Client, pages: list[dict[str, Any]]) -> None:
    client.delete("/api/conversations")
    take_in(client, *pages)
    first = exported(client)
    assert [shape(each) for each in first["conversations"]] == [
        shape(
            {"pinned": False, **page, "messages": [{"error": None, "finished_at": None, **m} for m in page["messages"]]}
        )
        for page in pages
    ]
    client.delete("/api/conversations")
    take_in(client, *first["conversations"])
    second = exported(client)
    assert [shape(each) for each in second["conversations"]] == [shape(each) for each in first["conversations"]]
    times = [[m["created_at"] for m in each["messages"]] for each in first["conversations"]]
    assert [[m["created_at"] for m in each["messages"]] for each in second["conversations"]] == times
    old = {each["id"] for page in first["conversations"] for each in (page, *page["messages"])}
    assert old.isdisjoint(each["id"] for page in second["conversations"] for each in (page, *page["messages"]))


def test_one_conversation_is_exported_alone_with_its_figures(client: httpx.Client) -> None:
    figures = {"model": "their model", "completion_tokens": 7, "duration_s": 1.5, "finish_reason": "stop"}
    question = message(None, "ask")
    answer = message(question["id"], "answer", author="assistant", minute=1, **figures)
    page, _ = take_in(client, conversation([question, answer], "One"), conversation([], "Two"))
    response = client.get(f"/api/conversations/{page}/export")
    assert response.headers["content-disposition"] == f'attachment; filename="conversation-{page}.json"'
    (alone,) = response.json()["conversations"]
    assert (response.json()["version"], alone["title"]) == (1, "One")
    stored = alone["messages"][1]
    assert {name: stored[name] for name in figures} == figures
    assert client.get(f"/api/conversations/{page}").json()["messages"][1]["model"] == "their model"


def test_markdown_has_the_newest_branch(client: httpx.Client) -> None:
    messages = chain(130)
    left = message(messages[0]["id"], "the branch not taken", minute=1)
    (page,) = take_in(client, conversation([*messages, left], "A title"))
    response = client.get(f"/api/conversations/{page}/export", params={"format": "markdown"})
    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    assert response.text.startswith("# A title\n\n## You\n\nturn 0\n\n## Assistant\n\nturn 1\n")
    assert response.text.endswith("turn 129\n")
    assert "not taken" not in response.text


def test_an_export_holds_a_few_rows_at_a_time(client: httpx.Client, database: str) -> None:
    (page,) = take_in(client, conversation(chain(exports.BATCH * 3 + 1)))
    with psycopg.connect(plain_url(database)) as connection:
        row = connection.execute("SELECT user_id FROM conversations WHERE id = %s", [page]).fetchone()
    assert row is not None

    async def read() -> list[str]:
        opened = Database(database)
        try:
            return [entry.view.message.content async for entry in exports.messages_of(opened, row[0], uuid.UUID(page))]
        finally:
            await opened.close()

    assert asyncio.run(read()) == [f"turn {number}" for number in range(exports.BATCH * 3 + 1)]


def test_nobody_elses_rows_are_exported(client: httpx.Client, database: str) -> None:
    theirs, _ = somebody_elses(database)
    assert exported(client)["conversations"] == []
    for kind in ("json", "markdown"):
        assert client.get(f"/api/conversations/{theirs}/export", params={"format": kind}).status_code == 404


def test_an_import_never_touches_rows_that_are_there(client: httpx.Client, database: str) -> None:
    theirs, answer = somebody_elses(database)
    reply = message(answer, "reply")
    refused = client.post("/api/conversations/import", json=export(conversation([reply])))
    assert (refused.status_code, refused.json()["param"]) == (400, "conversations.0.messages.0.parent_id")
    copy = conversation([message(None, "mine", id=answer)], id=theirs)
    assert take_in(client, copy) != [theirs]
    with psycopg.connect(plain_url(database)) as connection:
        kept = connection.execute("SELECT content FROM messages WHERE id = %s", [answer]).fetchone()
    assert kept == ("their secret",)


def test_imported_answers_are_done_and_no_generations_of_ours(client: httpx.Client, database: str) -> None:
    question = message(None, "ask")
    answer = message(question["id"], "half an ans", author="assistant", status="writing", model="demo", minute=1)
    (page,) = take_in(client, conversation([question, answer]))
    with psycopg.connect(plain_url(database)) as connection:
        query = "SELECT status, instance_id, model_version_id FROM messages WHERE conversation_id = %s"
        assert set(connection.execute(query, [page])) == {("done", None, None)}


def test_times_of_the_future_become_now(client: httpx.Client) -> None:
    at = "2999-01-01T00:00:00Z"
    take_in(client, conversation([message(None, created_at=at)], created_at=at, updated_at=at))
    (page,) = exported(client)["conversations"]
    assert max(page["created_at"], page["updated_at"], page["messages"][0]["created_at"]) < "2900"


def cyclic() -> dict[str, Any]:
    one, two = message(None), message(None)
    one["parent_id"], two["parent_id"] = two["id"], one["id"]
    return conversation([message(None), one, two])


def doubled() -> dict[str, Any]:
    one = message(None)
    return conversation([one, one])


def alone() -> dict[str, Any]:
    one = message(None)
    return conversation([{**one, "parent_id": one["id"]}])


FILE = {"name": "a.py", "content": "a = 1"}
PLACE = "conversations.0.messages"


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (export(cyclic()), 400, f"{PLACE}.1.parent_id"),
        (export(alone()), 400, f"{PLACE}.0.parent_id"),
        (export(doubled()), 400, f"{PLACE}.1.id"),
        (export(conversation([message(str(uuid.uuid4()))])), 400, f"{PLACE}.0.parent_id"),
        (export(*(conversation([message(None) for _ in range(7000)]) for _ in range(3))), 400, "conversations"),
        (export(*(conversation([]) for _ in range(1001))), 422, "conversations"),
        ({**export(), "version": 2}, 422, "version"),
        ({**export(), "format": "other"}, 422, "format"),
        ({**export(), "colour": "red"}, 422, "colour"),
        (export(conversation([message(None, status="thinking")])), 422, f"{PLACE}.0.status"),
        (export(conversation([message(None, author="root")])), 422, f"{PLACE}.0.author"),
        (export(conversation([message(None, user_id="x")])), 422, f"{PLACE}.0.user_id"),
        (export(conversation([message(None, duration_s=-1)])), 422, f"{PLACE}.0.duration_s"),
        (export(conversation([message(None, created_at="2026-01-01T00:00:00")])), 422, f"{PLACE}.0.created_at"),
        (export(conversation([], created_at="1999-12-31T00:00:00Z")), 422, "conversations.0.created_at"),
        (export(conversation([], folder="x" * 61)), 422, "conversations.0.folder"),
        (export(conversation([message(None, "nul \0")])), 422, f"{PLACE}.0.content"),
        (export(conversation([message(None, author="assistant", attachments=[FILE])])), 400, f"{PLACE}.0.attachments"),
        (
            export(conversation([message(None, attachments=[{**FILE, "name": " "}])])),
            422,
            f"{PLACE}.0.attachments.0.name",
        ),
    ],
)
def test_a_bad_file_is_refused_by_its_place_and_leaves_nothing(
    client: httpx.Client, body: dict[str, Any], status: int, param: str
) -> None:
    response = client.post("/api/conversations/import", json=body)
    assert (response.status_code, response.json()["param"]) == (status, param)
    assert exported(client)["conversations"] == []


def test_a_huge_file_is_refused(client: httpx.Client) -> None:
    body = export(*(conversation([message(None, "x" * 1_000_000)]) for _ in range(11)))
    assert client.post("/api/conversations/import", json=body).status_code == 413
