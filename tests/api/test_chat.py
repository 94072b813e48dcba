import threading
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.servers import Backend, events, eventually

LONG = "Write a very long module with many functions, one after another."


def send(client: httpx.Client, conversation: str, content: str = LONG, **more: Any) -> dict[str, Any]:
    response = client.post(f"/api/conversations/{conversation}/messages", json={"content": content, **more})
    assert response.status_code == 202, response.text
    result: dict[str, Any] = response.json()
    return result


def answer_of(client: httpx.Client, message_id: str, after: int = 0) -> tuple[str, dict[str, Any]]:
    """Follow a generation as the browser does: the text it would show, and the final message."""
    text, last = "", 0
    with client.stream("GET", f"/api/generations/{message_id}/events", params={"after": after}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        for name, data, identity in events(response):
            if name == "snapshot":
                text = data["text"]
            elif name == "text":
                text += data["text"]
            elif name == "end":
                return text, data["message"]
            if identity is not None:
                assert int(identity) >= last
                last = int(identity)
    raise AssertionError("the stream ended without an end event")


def test_a_message_is_answered_streamed_and_stored(client: httpx.Client, conversation: str) -> None:
    sent = send(client, conversation, "Write a function that adds two numbers")
    text, message = answer_of(client, sent["assistant_message"]["id"])
    stored = client.get(f"/api/conversations/{conversation}").json()
    assert stored["title"] == "Write a function that adds two numbers"
    question, answer = stored["messages"]
    assert (question["content"], answer["content"]) == ("Write a function that adds two numbers", text)
    assert answer == message
    assert answer["status"] == "done"
    assert answer["model"] == "demo"
    assert answer["completion_tokens"] > 0
    assert answer["tokens_per_second"] > 0
    assert 0 < answer["time_to_first_token_s"] <= answer["duration_s"]


def test_everything_is_in_postgresql(client: httpx.Client, conversation: str, database_url: str) -> None:
    sent = send(client, conversation, "Write a function that adds two numbers")
    text, _ = answer_of(client, sent["assistant_message"]["id"])
    with psycopg.connect(plain_url(database_url)) as database:
        query = "SELECT author, content, status FROM messages WHERE conversation_id = %s ORDER BY created_at"
        rows = database.execute(query, [conversation]).fetchall()
        kept = "SELECT count(*) FROM generation_events WHERE message_id = %s"
        left = database.execute(kept, [sent["assistant_message"]["id"]]).fetchone()
    assert rows == [("user", "Write a function that adds two numbers", "done"), ("assistant", text, "done")]
    assert left == (0,)


def test_readers_that_leave_and_come_back_see_the_same_text(client: httpx.Client, conversation: str) -> None:
    message_id = send(client, conversation)["assistant_message"]["id"]
    seen, position = "", 0
    with client.stream("GET", f"/api/generations/{message_id}/events") as response:
        for name, data, identity in events(response):
            seen = data["text"] if name == "snapshot" else seen + data.get("text", "")
            position = int(identity or position)
            if len(seen) > 20:
                break
    assert position == len(seen)
    rest, message = answer_of(client, message_id, after=position)
    whole, _ = answer_of(client, message_id)
    assert seen + rest == whole == message["content"]


def test_two_readers_see_the_same(client: httpx.Client, conversation: str, backend: Backend) -> None:
    message_id = send(client, conversation)["assistant_message"]["id"]
    texts: list[str] = []

    def read() -> None:
        with backend.client() as own:
            texts.append(answer_of(own, message_id)[0])

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts[0] == texts[1] != ""


@pytest.fixture
def endless_client(endless_backend: Backend) -> Iterator[httpx.Client]:
    with endless_backend.client() as client:
        yield client


@pytest.fixture
def endless_answer(endless_client: httpx.Client) -> str:
    """Id of an answer under way that does not end by itself for a while."""
    conversation = endless_client.post("/api/conversations", json={}).json()["id"]
    identity: str = send(endless_client, conversation)["assistant_message"]["id"]
    return identity


def test_stop_keeps_what_is_written_and_frees_the_engine(
    endless_client: httpx.Client, endless_answer: str, endless_backend: Backend
) -> None:
    with endless_client.stream("GET", f"/api/generations/{endless_answer}/events") as response:
        next(data for name, data, _ in events(response) if data.get("text"))
    assert endless_client.post(f"/api/generations/{endless_answer}/stop").status_code == 202
    text, message = answer_of(endless_client, endless_answer)
    assert (message["status"], message["finish_reason"]) == ("stopped", "cancelled")
    assert text == message["content"] != ""
    eventually("the engine is free", lambda: endless_backend.metric("requests_in_system") == 0)


def test_an_answer_under_way_keeps_the_next_question_waiting(endless_client: httpx.Client, endless_answer: str) -> None:
    page = endless_client.get("/api/conversations").json()["items"][0]["id"]
    response = endless_client.post(f"/api/conversations/{page}/messages", json={"content": "and now?"})
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    endless_client.post(f"/api/generations/{endless_answer}/stop")
    answer_of(endless_client, endless_answer)


def test_deleting_a_conversation_stops_its_answer_and_leaves_nothing(
    endless_client: httpx.Client, endless_answer: str, endless_backend: Backend
) -> None:
    page = endless_client.get("/api/conversations").json()["items"][0]["id"]
    assert endless_client.delete(f"/api/conversations/{page}").status_code == 204
    assert endless_client.get(f"/api/conversations/{page}").status_code == 404
    assert endless_client.get(f"/api/generations/{endless_answer}/events").status_code == 404
    eventually("the engine is free", lambda: endless_backend.metric("requests_in_system") == 0)


def test_sending_twice_with_the_same_key_is_one_message(client: httpx.Client, conversation: str) -> None:
    key = str(uuid.uuid4())
    first = send(client, conversation, "Write hello world", idempotency_key=key)
    again = send(client, conversation, "Write hello world", idempotency_key=key)
    assert again["assistant_message"]["id"] == first["assistant_message"]["id"]
    answer_of(client, first["assistant_message"]["id"])
    assert len(client.get(f"/api/conversations/{conversation}").json()["messages"]) == 2


def test_the_second_turn_starts_from_the_cache(client: httpx.Client, conversation: str) -> None:
    answer_of(client, send(client, conversation, "Write a function that adds two numbers")["assistant_message"]["id"])
    sent = send(client, conversation, "Now subtract them")
    _, message = answer_of(client, sent["assistant_message"]["id"])
    assert message["cached_tokens"] >= 10
    assert sent["user_message"]["parent_id"] is not None


def test_a_prompt_longer_than_the_context_says_by_how_much(client: httpx.Client, conversation: str) -> None:
    response = client.post(f"/api/conversations/{conversation}/messages", json={"content": "word " * 5000})
    assert response.status_code == 400
    problem = response.json()
    assert problem["code"] == "context_length_exceeded"
    assert "shorten it by" in problem["detail"]
    assert client.get(f"/api/conversations/{conversation}").json()["messages"] == []


def test_feedback_is_kept_replaced_and_cleared(client: httpx.Client, conversation: str) -> None:
    sent = send(client, conversation, "Write a function that adds two numbers")
    message_id = sent["assistant_message"]["id"]
    answer_of(client, message_id)
    url = f"/api/messages/{message_id}/feedback"
    given = {"rating": 1, "tags": ["correct"], "comment": "fine", "correction": None}
    assert client.put(url, json=given).json() == given
    better: dict[str, Any] = {"rating": None, "tags": [], "comment": None, "correction": "def add(a, b): return a + b"}
    client.put(url, json=better)
    answer = client.get(f"/api/conversations/{conversation}").json()["messages"][1]
    assert answer["feedback"] == better
    assert client.delete(url).status_code == 204
    assert client.get(f"/api/conversations/{conversation}").json()["messages"][1]["feedback"] is None
    question = sent["user_message"]["id"]
    assert client.put(f"/api/messages/{question}/feedback", json={"rating": 1}).status_code == 400


def test_that_an_answer_was_copied_is_kept_from_the_first_time_on(client: httpx.Client, conversation: str) -> None:
    sent = send(client, conversation, "Write a function that adds two numbers")
    question, answer = sent["user_message"]["id"], sent["assistant_message"]["id"]
    answer_of(client, answer)

    def copied_at() -> str | None:
        exported = client.get(f"/api/conversations/{conversation}/export").json()["conversations"][0]["messages"]
        times: dict[str, str | None] = {each["id"]: each["copied_at"] for each in exported}
        assert times[question] is None
        return times[answer]

    assert copied_at() is None
    assert client.post(f"/api/messages/{answer}/copied").status_code == 204
    first = copied_at()
    assert first is not None
    assert client.post(f"/api/messages/{answer}/copied").status_code == 204
    assert copied_at() == first
    assert client.post(f"/api/messages/{question}/copied").status_code == 400
    assert client.post(f"/api/messages/{conversation}/copied").status_code == 404


def test_conversations_are_listed_newest_first_in_pages(client: httpx.Client) -> None:
    titles = [f"page test {number}" for number in range(3)]
    for title in titles:
        client.post("/api/conversations", json={"title": title})
    first = client.get("/api/conversations", params={"limit": 2}).json()
    assert [item["title"] for item in first["items"]] == titles[:0:-1]
    second = client.get("/api/conversations", params={"limit": 2, "before": first["next_before"]}).json()
    assert second["items"][0]["title"] == titles[0]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "content"),
        ({"content": ""}, "content"),
        ({"content": " \n "}, "content"),
        ({"content": 7}, "content"),
        ({"content": "nul \0"}, "content"),
        ({"content": "x", "parent_id": "none"}, "parent_id"),
        ({"content": "x", "colour": "red"}, "colour"),
    ],
)
def test_a_bad_message_is_refused_by_field(
    client: httpx.Client, conversation: str, body: dict[str, Any], param: str
) -> None:
    response = client.post(f"/api/conversations/{conversation}/messages", json=body)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["param"] == param


def test_half_a_surrogate_pair_is_refused(client: httpx.Client, conversation: str) -> None:
    url, headers = f"/api/conversations/{conversation}/messages", {"content-type": "application/json"}
    response = client.post(url, content=b'{"content": "\\ud800"}', headers=headers)
    assert response.status_code == 422
    assert "surrogate" in response.json()["detail"]
