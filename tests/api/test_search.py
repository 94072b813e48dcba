from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.api.history import chain, conversation, message, somebody_elses, take_in
from tests.api.test_chat import answer_of, send
from tests.servers import Backend, eventually


@pytest.fixture
def client(mock_client: httpx.Client) -> httpx.Client:
    return mock_client


def hits(client: httpx.Client, q: str, **query: Any) -> list[dict[str, Any]]:
    response = client.get("/api/search", params={"q": q, **query})
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


def test_a_hit_says_where_and_what(client: httpx.Client) -> None:
    page, *_ = take_in(client, conversation([message(None, "use parse_token_stream(x) here")], "Parse it"))
    (hit,) = hits(client, "parse_token_stream")
    assert (hit["conversation_id"], hit["title"], hit["author"]) == (page, "Parse it", "user")
    (start, end), text = hit["highlights"][0], hit["snippet"]
    assert text[start:end] == "parse_token_stream"
    (hit,) = hits(client, "parse ")
    assert hit["title_highlights"] == [[0, 5]]


def test_questions_and_answers_are_found_as_soon_as_they_are_written(client: httpx.Client) -> None:
    page = client.post("/api/conversations", json={}).json()["id"]
    sent = send(client, page, "What is a trampoline?")
    assert [hit["message_id"] for hit in hits(client, "trampoline")] == [sent["user_message"]["id"]]
    assert [hit["author"] for hit in hits(client, "greet")] == []
    answer_of(client, sent["assistant_message"]["id"])
    eventually("the answer is found", lambda: [hit["author"] for hit in hits(client, "greet")] == ["assistant"])


@pytest.mark.parametrize("q", ["common ", "common", "comm", "common number", '"common number"'])
def test_pages_are_newest_first_and_complete_over_years(client: httpx.Client, q: str) -> None:
    begin = datetime(2024, 1, 31, tzinfo=UTC)
    times = [(begin + timedelta(days=20 * (number // 3))).isoformat() for number in range(60)]
    messages = [message(None, f"common number {n}", created_at=at) for n, at in enumerate(times)]
    take_in(client, conversation(messages))
    found: list[dict[str, Any]] = []
    query: dict[str, Any] = {"q": q, "limit": 7}
    while True:
        answer = client.get("/api/search", params=query).json()
        found += answer["items"]
        if answer["next_before"] is None:
            break
        query["before"] = answer["next_before"]
    assert len({hit["message_id"] for hit in found}) == len(found) == 60
    moments = [datetime.fromisoformat(hit["created_at"]) for hit in found]
    assert moments == sorted(moments, reverse=True)


def test_one_s_own_messages_only(client: httpx.Client, database: str) -> None:
    somebody_elses(database, "zanzibar")
    assert hits(client, "zanzibar") == []
    take_in(client, conversation([message(None, "zanzibar too")]))
    assert [hit["snippet"] for hit in hits(client, "zanzibar")] == ["zanzibar too"]


def test_a_title_is_found_also_after_renaming(client: httpx.Client) -> None:
    (page,) = take_in(client, conversation(chain(2), "quicksilver"))
    assert [hit["snippet"] for hit in hits(client, "quicksilver")] == ["turn 0"]
    client.patch(f"/api/conversations/{page}", json={"title": "mercury"})
    assert hits(client, "quicksilver") == []
    assert [hit["conversation_id"] for hit in hits(client, "mercury")] == [page]


def test_what_is_deleted_is_not_found(client: httpx.Client, database: str) -> None:
    (page,) = take_in(client, conversation([message(None, "ephemeral")]))
    assert len(hits(client, "ephemeral")) == 1
    client.delete(f"/api/conversations/{page}")
    assert hits(client, "ephemeral") == []
    with psycopg.connect(plain_url(database)) as connection:
        orphans = "SELECT count(*) FROM message_search s LEFT JOIN messages m ON m.id = s.message_id WHERE m.id IS NULL"
        assert connection.execute(orphans).fetchone() == (0,)


@pytest.mark.parametrize("q", ["...", '""', "(", " ", "_"])
def test_a_query_without_a_word_is_refused_by_name(client: httpx.Client, q: str) -> None:
    response = client.get("/api/search", params={"q": q})
    assert (response.status_code, response.json()["param"]) == (400, "q")


@pytest.mark.parametrize("q", ["a'b", "a\\b", "a & !b | c:*", "a <-> b", "%s", "🐍 snake", "it's \"open", "x:A"])
def test_no_query_is_taken_for_an_expression(client: httpx.Client, q: str) -> None:
    hits(client, q)


def test_streaming_answers_are_not_indexed_until_they_are_done(fresh_database_url: str, tmp_path: Path) -> None:
    slow = Backend(tmp_path, fresh_database_url, None, ENGINE="mock", MOCK_TOKENS_PER_SECOND="4")
    with slow, slow.client() as client:
        page = client.post("/api/conversations", json={}).json()["id"]
        answer = send(client, page, "Write a class")["assistant_message"]["id"]

        def stored() -> str:
            return str(client.get(f"/api/conversations/{page}").json()["messages"][1]["content"])

        eventually("some of it is stored", lambda: "answer comes" in stored())
        assert hits(client, "answer comes") == [], "half a minute of it is still to come"
        client.post(f"/api/generations/{answer}/stop")
        eventually("the stopped answer is found", lambda: [hit["message_id"] for hit in hits(client, "answer comes")])
