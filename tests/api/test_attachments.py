"""Files that are attached to a question: stored with it, read by the model, gone with it."""

from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.api.test_chat import answer_of, send

CODE = "def add(a, b):\n    return a - b\n"
FILES = [{"name": "src/add.py", "content": CODE}, {"name": "notes.md", "content": "```\nfenced\n```\n"}]


def tokens(client: httpx.Client, sent: dict[str, Any]) -> int:
    count: int = answer_of(client, sent["assistant_message"]["id"])[1]["prompt_tokens"]
    return count


def test_files_are_kept_with_the_question_and_opened_again(client: httpx.Client, conversation: str) -> None:
    sent = send(client, conversation, "What is wrong?", attachments=FILES)
    listed = sent["user_message"]["attachments"]
    assert [(each["name"], each["size"]) for each in listed] == [("src/add.py", 32), ("notes.md", 15)]
    answer_of(client, sent["assistant_message"]["id"])
    question, answer = client.get(f"/api/conversations/{conversation}").json()["messages"]
    assert (question["content"], question["attachments"], answer["attachments"]) == ("What is wrong?", listed, [])
    opened = client.get(f"/api/attachments/{listed[0]['id']}").json()
    assert opened == {"id": listed[0]["id"], "name": "src/add.py", "content": CODE}


def test_the_model_reads_them_in_every_answer_and_in_what_follows(client: httpx.Client, conversation: str) -> None:
    bare = tokens(client, send(client, client.post("/api/conversations", json={}).json()["id"], "What is wrong?"))
    sent = send(client, conversation, "What is wrong?", attachments=FILES)
    whole = tokens(client, sent)
    assert whole > bare + 20
    again = client.post(f"/api/messages/{sent['assistant_message']['id']}/regenerate", json={}).json()
    assert again["user_message"]["attachments"] == sent["user_message"]["attachments"]
    assert tokens(client, again) == whole
    assert tokens(client, send(client, conversation, "And now?")) > whole


def test_another_way_to_ask_has_the_files_that_are_sent_with_it(client: httpx.Client, conversation: str) -> None:
    sent = send(client, conversation, "What is wrong?", attachments=FILES)
    whole, question = tokens(client, sent), sent["user_message"]["id"]
    other = send(client, conversation, "What is wrong?", beside_id=question, attachments=FILES[:1])
    assert [each["name"] for each in other["user_message"]["attachments"]] == ["src/add.py"]
    assert tokens(client, other) < whole


def test_the_same_key_again_says_what_was_attached(client: httpx.Client, conversation: str) -> None:
    first = send(client, conversation, "What is wrong?", attachments=FILES, idempotency_key="one")
    again = send(client, conversation, "What is wrong?", attachments=FILES, idempotency_key="one")
    assert again["user_message"] == first["user_message"]
    answer_of(client, first["assistant_message"]["id"])


def kept(database_url: str) -> int:
    with psycopg.connect(plain_url(database_url)) as database:
        row = database.execute("SELECT count(*) FROM attachments").fetchone()
    assert row is not None
    return int(row[0])


def test_they_are_gone_with_the_conversation(client: httpx.Client, conversation: str, database_url: str) -> None:
    before = kept(database_url)
    answer_of(client, send(client, conversation, "What?", attachments=FILES)["assistant_message"]["id"])
    assert kept(database_url) == before + 2
    client.delete(f"/api/conversations/{conversation}")
    assert kept(database_url) == before


def test_what_does_not_fit_is_refused_and_leaves_nothing(
    client: httpx.Client, conversation: str, database_url: str
) -> None:
    before = kept(database_url)
    body = {"content": "What?", "attachments": [{"name": "long.py", "content": CODE * 2000}]}
    refused = client.post(f"/api/conversations/{conversation}/messages", json=body)
    assert (refused.status_code, refused.json()["code"]) == (400, "context_length_exceeded")
    assert client.get(f"/api/conversations/{conversation}").json()["messages"] == []
    assert kept(database_url) == before


def test_markdown_shows_the_files_as_the_model_read_them(client: httpx.Client, conversation: str) -> None:
    sent = send(client, conversation, "What is wrong?", attachments=FILES)
    answer_of(client, sent["assistant_message"]["id"])
    text = client.get(f"/api/conversations/{conversation}/export", params={"format": "markdown"}).text
    assert (
        f"File src/add.py:\n```py\n{CODE}```\n\nFile notes.md:\n````md\n```\nfenced\n```\n````\n\nWhat is wrong?"
        in text
    )


REFUSED: list[tuple[Callable[[], list[Any]], str]] = [
    (lambda: [{"name": "a.bin", "content": "\x7fELF\x01\x02"}], "attachments.0.content"),
    (lambda: [{"name": "a.bin", "content": "nul \0"}], "attachments.0.content"),
    (lambda: [{"name": "a.txt", "content": ""}], "attachments.0.content"),
    (lambda: [{"name": "a.txt", "content": "x" * 256_001}], "attachments.0.content"),
    (lambda: [{"name": "a.txt", "content": "x" * 200_000}] * 3, "attachments"),
    (lambda: [FILES[0]] * 21, "attachments"),
    (lambda: [{"name": "", "content": "x"}], "attachments.0.name"),
    (lambda: [{"name": "two\nlines", "content": "x"}], "attachments.0.name"),
    (lambda: [{"name": "n" * 201, "content": "x"}], "attachments.0.name"),
    (lambda: [{**FILES[0], "colour": "red"}], "attachments.0.colour"),
    (lambda: ["a.py"], "attachments.0"),
]


@pytest.mark.parametrize("path", ["messages", "estimate"])
@pytest.mark.parametrize(("files", "param"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_what_is_no_text_or_too_much_is_refused_by_name(
    client: httpx.Client, conversation: str, path: str, files: Callable[[], list[Any]], param: str
) -> None:
    body = {"content": "What?", "attachments": files()}
    refused = client.post(f"/api/conversations/{conversation}/{path}", json=body)
    assert (refused.status_code, refused.json()["param"]) == (422, param), refused.text


def test_fifty_megabytes_are_refused_with_a_sentence(client: httpx.Client, conversation: str) -> None:
    body = {"content": "What?", "attachments": [{"name": "big.txt", "content": "x" * 50_000_000}]}
    refused = client.post(f"/api/conversations/{conversation}/messages", json=body)
    assert (refused.status_code, refused.json()["detail"]) == (
        413,
        "The body is larger than 10 MiB; send less at once.",
    )
