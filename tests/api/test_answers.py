import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.api.history import somebody_elses
from tests.api.test_chat import answer_of, send
from tests.servers import Backend


@pytest.fixture(scope="module")
def short_database(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture(scope="module")
def short_backend(
    endless_gguf: Any, short_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """A backend whose answers end after eight tokens, by length."""
    folder = tmp_path_factory.mktemp("short")
    with Backend(folder, short_database, endless_gguf, MAX_TOKENS="8") as backend:
        yield backend


@pytest.fixture
def client(short_backend: Backend) -> Iterator[httpx.Client]:
    with short_backend.client() as client:
        yield client


@pytest.fixture
def answer(client: httpx.Client, conversation: str) -> dict[str, Any]:
    """An answer that was cut off after eight tokens."""
    sent = send(client, conversation, "Write a function that adds two numbers")
    _, message = answer_of(client, sent["assistant_message"]["id"])
    assert (message["status"], message["finish_reason"], message["completion_tokens"]) == ("done", "length", 8)
    return message


def post(client: httpx.Client, message_id: str, action: str, **body: Any) -> httpx.Response:
    return client.post(f"/api/messages/{message_id}/{action}", json=body if action == "regenerate" else None)


def started(client: httpx.Client, message_id: str, action: str, **body: Any) -> dict[str, Any]:
    response = post(client, message_id, action, **body)
    assert response.status_code == 202, response.text
    result: dict[str, Any] = response.json()
    return result


def test_another_answer_is_a_sibling_of_the_first(client: httpx.Client, answer: dict[str, Any]) -> None:
    sent = started(client, answer["id"], "regenerate")
    _, other = answer_of(client, sent["assistant_message"]["id"])
    assert (other["parent_id"], other["id"] != answer["id"]) == (answer["parent_id"], True)
    assert sent["user_message"]["id"] == answer["parent_id"]
    assert other["cached_tokens"] > 0
    messages = client.get(f"/api/conversations/{answer['conversation_id']}").json()["messages"]
    assert [each["author"] for each in messages] == ["user", "assistant", "assistant"]
    assert messages[1] == answer


def test_asking_twice_with_the_same_key_is_one_answer(client: httpx.Client, answer: dict[str, Any]) -> None:
    key = str(uuid.uuid4())
    first = started(client, answer["id"], "regenerate", idempotency_key=key)["assistant_message"]["id"]
    assert started(client, answer["id"], "regenerate", idempotency_key=key)["assistant_message"]["id"] == first
    answer_of(client, first)
    assert started(client, answer["id"], "regenerate", idempotency_key=key)["assistant_message"]["id"] == first
    page = client.get(f"/api/conversations/{answer['conversation_id']}").json()
    assert len(page["messages"]) == 3


def test_an_answer_goes_on_in_the_same_message(client: httpx.Client, answer: dict[str, Any]) -> None:
    before = answer
    for tokens in (16, 24):
        sent = started(client, answer["id"], "continue")["assistant_message"]
        assert (sent["id"], sent["status"], sent["content"]) == (answer["id"], "queued", before["content"])
        text, after = answer_of(client, answer["id"])
        assert text == after["content"]
        assert text.startswith(before["content"])
        assert len(text) > len(before["content"])
        assert (after["completion_tokens"], after["created_at"]) == (tokens, answer["created_at"])
        assert after["duration_s"] > before["duration_s"]
        before = after
    page = client.get(f"/api/conversations/{answer['conversation_id']}").json()
    assert len(page["messages"]) == 2
    assert page["messages"][1] == before


def test_a_reader_from_before_gets_what_is_new(client: httpx.Client, answer: dict[str, Any]) -> None:
    started(client, answer["id"], "continue")
    text, message = answer_of(client, answer["id"], after=len(answer["content"]))
    assert answer["content"] + text == message["content"]


def test_a_stopped_answer_goes_on(endless_backend: Backend) -> None:
    with endless_backend.client() as client:
        page = client.post("/api/conversations", json={}).json()["id"]
        answer = send(client, page, "Write a long module")["assistant_message"]["id"]
        with client.stream("GET", f"/api/generations/{answer}/events") as response:
            next(line for line in response.iter_lines() if line.startswith("event: text"))
        client.post(f"/api/generations/{answer}/stop")
        stopped, message = answer_of(client, answer)
        assert (message["status"], stopped != "") == ("stopped", True)
        started(client, answer, "continue")
        refused = post(client, answer, "continue")
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        refused = post(client, answer, "regenerate")
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        with client.stream("GET", f"/api/generations/{answer}/events", params={"after": len(stopped)}) as response:
            next(line for line in response.iter_lines() if line.startswith("event: text"))
        client.post(f"/api/generations/{answer}/stop")
        text, _ = answer_of(client, answer)
        assert text.startswith(stopped)
        assert len(text) > len(stopped)


def test_a_complete_answer_does_not_go_on(backend: Backend) -> None:
    with backend.client() as client:
        page = client.post("/api/conversations", json={}).json()["id"]
        answer = send(client, page, "Write a function that adds two numbers")["assistant_message"]["id"]
        _, message = answer_of(client, answer)
        assert message["finish_reason"] == "stop"
        refused = post(client, answer, "continue")
        assert (refused.status_code, "complete" in refused.json()["detail"]) == (409, True)


def test_an_answer_that_was_replied_to_does_not_go_on(client: httpx.Client, answer: dict[str, Any]) -> None:
    reply = send(client, answer["conversation_id"], "and now?")
    answer_of(client, reply["assistant_message"]["id"])
    refused = post(client, answer["id"], "continue")
    assert (refused.status_code, "replied" in refused.json()["detail"]) == (409, True)
    answer_of(client, started(client, answer["id"], "regenerate")["assistant_message"]["id"])


@pytest.mark.parametrize("action", ["regenerate", "continue"])
def test_only_own_answers_are_written_again(
    client: httpx.Client, answer: dict[str, Any], short_database: str, action: str
) -> None:
    _, theirs = somebody_elses(short_database)
    assert post(client, theirs, action).status_code == 404
    assert post(client, str(uuid.uuid4()), action).status_code == 404
    refused = post(client, answer["parent_id"], action)
    assert (refused.status_code, "Only answers" in refused.json()["detail"]) == (400, True)
