"""What a question costs is known before it is sent, and is what it then costs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.test_attachments import CODE, FILES
from tests.api.test_chat import answer_of, send
from tests.servers import Backend


def estimate(client: httpx.Client, conversation: str | None, content: str, **more: Any) -> dict[str, Any]:
    path = f"{conversation}/estimate" if conversation else "estimate"
    response = client.post(f"/api/conversations/{path}", json={"content": content, **more})
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


@pytest.mark.parametrize("files", [[], FILES], ids=["bare", "with files"])
def test_a_question_takes_the_tokens_that_were_foreseen(
    client: httpx.Client, conversation: str, files: list[dict[str, str]]
) -> None:
    question = "Write a function that adds two numbers"
    fresh = estimate(client, None, question, attachments=files)
    seen = estimate(client, conversation, question, attachments=files)
    assert fresh["prompt"] == seen["prompt"]
    _, answer = answer_of(client, send(client, conversation, question, attachments=files)["assistant_message"]["id"])
    assert seen["prompt"] == {"tokens": answer["prompt_tokens"], "at_least": False}
    assert (seen["over_tokens"], seen["exact"], seen["wait_s"]) == (0, True, 0.0)
    assert seen["reading_s"] > 0
    assert seen["limit_tokens"] == 4095 or seen["limit_tokens"] == client.get("/api/me").json()["context_tokens"] - 1
    parts = seen["content"]["tokens"] + sum(each["tokens"] for each in seen["attachments"])
    assert abs(parts - seen["prompt"]["tokens"]) < 20
    then = estimate(client, conversation, "Now subtract them")
    assert then["cached_tokens"] >= answer["prompt_tokens"] - 1
    _, second = answer_of(client, send(client, conversation, "Now subtract them")["assistant_message"]["id"])
    assert (then["prompt"]["tokens"], then["cached_tokens"]) == (second["prompt_tokens"], second["cached_tokens"])


def test_a_system_prompt_counts(client: httpx.Client) -> None:
    system = "Answer in one line. " * 20
    fresh = estimate(client, None, "Hello", settings={"system_prompt": system})
    conversation = client.post("/api/conversations", json={"settings": {"system_prompt": system}}).json()["id"]
    assert estimate(client, conversation, "Hello")["prompt"] == fresh["prompt"]
    assert fresh["prompt"]["tokens"] > estimate(client, None, "Hello")["prompt"]["tokens"] + 20


def test_a_model_that_is_not_served_is_named(client: httpx.Client) -> None:
    response = client.post("/api/conversations/estimate", json={"content": "Hello", "settings": {"model": "gpt-5"}})
    assert (response.status_code, response.json()["param"]) == (400, "settings.model")
    assert "gpt-5" in response.json()["detail"]


def test_an_edit_far_up_says_how_much_is_read_again(client: httpx.Client, conversation: str) -> None:
    first = send(client, conversation, "Write a function that adds two numbers", attachments=FILES)
    answer_of(client, first["assistant_message"]["id"])
    edited = estimate(
        client, conversation, "Write one that subtracts", beside_id=first["user_message"]["id"],
        attachments=[{"name": "other.py", "content": CODE * 10}],
    )  # fmt: skip
    assert edited["cached_tokens"] < edited["prompt"]["tokens"] / 2
    kept = estimate(
        client, conversation, "Write one that subtracts", beside_id=first["user_message"]["id"], attachments=FILES
    )
    assert kept["cached_tokens"] > kept["prompt"]["tokens"] / 2, "the files are read before the question"


def test_what_is_too_long_says_by_how_much_and_what_it_is(client: httpx.Client, conversation: str) -> None:
    files = [{"name": "long.py", "content": CODE * 400}, FILES[0]]
    seen = estimate(client, conversation, "What is wrong?", attachments=files)
    body = {"content": "What is wrong?", "attachments": files}
    refused = client.post(f"/api/conversations/{conversation}/messages", json=body).json()["detail"]
    assert refused.endswith(f"shorten it by {seen['over_tokens']}.")
    assert seen["attachments"][0]["tokens"] > seen["over_tokens"] > 0
    assert seen["attachments"][1]["tokens"] < 40
    assert (seen["cached_tokens"], seen["wait_s"], seen["reading_s"]) == (None, None, None)


def test_what_is_never_counted_says_so(client: httpx.Client) -> None:
    seen = estimate(client, None, "a" * 200_000, attachments=[{"name": "a", "content": "a" * 256_000}])
    assert seen["prompt"]["at_least"]
    assert seen["over_tokens"] > 0


def test_asking_takes_no_place_and_stores_nothing(backend: Backend, client: httpx.Client, conversation: str) -> None:
    before = backend.metric("prompt_tokens_total")
    for _ in range(5):
        estimate(client, conversation, "What is wrong?", attachments=FILES)
    assert backend.metric("prompt_tokens_total") == before
    assert client.get(f"/api/conversations/{conversation}").json()["messages"] == []


def test_a_message_of_elsewhere_is_not_there(client: httpx.Client, conversation: str) -> None:
    for field in ("parent_id", "beside_id"):
        body = {"content": "x", field: conversation}
        refused = client.post(f"/api/conversations/{conversation}/estimate", json=body)
        assert (refused.status_code, refused.json()["param"]) == (404, field)


def test_who_has_no_engine_answers_what_it_can(new_database: Callable[[], str], tmp_path: Path) -> None:
    with Backend(tmp_path, new_database(), None, ENGINE="mock") as backend, backend.client() as client:
        seen = estimate(client, None, "word " * 100)
        assert (seen["exact"], seen["cached_tokens"], seen["wait_s"], seen["limit_tokens"]) == (False, None, 0.0, 4096)
        assert estimate(client, None, "word " * 10_000)["over_tokens"] > 0
