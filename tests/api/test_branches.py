"""A question asked in another way stands beside the first, and the model reads what is above it and no more."""

import uuid
from typing import Any

import httpx
import pytest

from tests.api.history import somebody_elses
from tests.api.test_chat import answer_of, send


def exchange(client: httpx.Client, conversation: str, content: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """Ask, and wait for the answer; the question's id, and the answer."""
    sent = send(client, conversation, content, **more)
    _, answer = answer_of(client, sent["assistant_message"]["id"])
    return sent["user_message"]["id"], answer


def test_the_first_question_can_be_asked_in_another_way(client: httpx.Client, conversation: str) -> None:
    first, answer = exchange(client, conversation, "Write a function that adds two numbers")
    exchange(client, conversation, "Write tests for it")
    other, again = exchange(client, conversation, "Write a function that adds two numbers, please", beside_id=first)
    page = client.get(f"/api/conversations/{conversation}").json()
    assert page["branch"] == [other, again["id"]]
    assert {each["id"] for each in page["messages"] if each["parent_id"] is None} == {first, other}
    assert page["title"] == "Write a function that adds two numbers"
    assert abs(again["prompt_tokens"] - answer["prompt_tokens"]) < 8, "nothing of the other branch is read"


def test_a_later_question_keeps_what_is_above_it(client: httpx.Client, conversation: str) -> None:
    _, above = exchange(client, conversation, "Write a function that adds two numbers")
    second, _ = exchange(client, conversation, "Now subtract them")
    other, again = exchange(client, conversation, "Now multiply them", beside_id=second)
    messages = client.get(f"/api/conversations/{conversation}").json()["messages"]
    parents = {each["id"]: each["parent_id"] for each in messages}
    assert parents[second] == parents[other] == above["id"]
    assert again["cached_tokens"] > above["prompt_tokens"] - 2


@pytest.mark.parametrize("field", ["beside_id", "parent_id"])
def test_a_message_of_elsewhere_is_not_there(
    client: httpx.Client, conversation: str, database_url: str, field: str
) -> None:
    _, theirs = somebody_elses(database_url)
    for elsewhere in (theirs, str(uuid.uuid4())):
        body = {"content": "x", field: elsewhere}
        refused = client.post(f"/api/conversations/{conversation}/messages", json=body)
        assert (refused.status_code, refused.json()["param"]) == (404, field)


def test_only_one_place_and_only_beside_a_question(client: httpx.Client, conversation: str) -> None:
    question, answer = exchange(client, conversation, "Write a function that adds two numbers")
    url = f"/api/conversations/{conversation}/messages"
    for body in ({"beside_id": answer["id"]}, {"beside_id": question, "parent_id": answer["id"]}):
        refused = client.post(url, json={"content": "x", **body})
        assert (refused.status_code, refused.json()["param"]) == (400, "beside_id")
    assert len(client.get(f"/api/conversations/{conversation}").json()["messages"]) == 2
