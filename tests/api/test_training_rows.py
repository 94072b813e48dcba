import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.api.test_chat import answer_of, send

ROW = "INSERT INTO training_rows (id, run_id, source_kind, source_id, sha256, split, kept, reason) VALUES " \
    "(%s, %s, %s, %s, '', %s, %s, %s)"  # fmt: skip


@pytest.fixture
def run_id(database_url: str) -> Iterator[str]:
    identity = str(uuid.uuid4())
    with psycopg.connect(plain_url(database_url), autocommit=True) as database:
        columns = "(id, state, stage, base_model, settings)"
        database.execute(f"INSERT INTO training_runs {columns} VALUES (%s, 'published', 'x', 'b', '{{}}')", [identity])
        yield identity
        database.execute("DELETE FROM training_runs WHERE id = %s", [identity])


def add_row(
    database_url: str, run_id: str, kind: str, source: str, split: str | None = "train", reason: str | None = None
) -> None:
    with psycopg.connect(plain_url(database_url), autocommit=True) as database:
        database.execute(ROW, [str(uuid.uuid4()), run_id, kind, source, split, reason is None, reason])


def rows(client: httpx.Client, run_id: str, **params: Any) -> list[dict[str, Any]]:
    response = client.get(f"/api/training/runs/{run_id}/rows", params=params)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


def test_a_row_leads_back_to_what_was_asked_and_what_was_to_be_learned(
    client: httpx.Client, conversation: str, database_url: str, run_id: str
) -> None:
    message = send(client, conversation, "Write a function that adds two numbers")["assistant_message"]["id"]
    answer_of(client, message)
    client.put(f"/api/messages/{message}/feedback", json={"rating": -1, "correction": "def add(a, b): ..."})
    client.post("/api/admin/documents", json={"repo": "rows", "files": [{"path": "x.py", "content": "x = 1"}]})
    with psycopg.connect(plain_url(database_url)) as database:
        feedback = database.execute("SELECT id FROM feedback WHERE message_id = %s", [message]).fetchone()
        document = database.execute("SELECT id FROM documents WHERE repo = 'rows'").fetchone()
    assert feedback
    assert document
    add_row(database_url, run_id, "correction", feedback[0])
    add_row(database_url, run_id, "document", document[0], "gate")
    add_row(database_url, run_id, "rating", str(uuid.uuid4()), None, "thumbs_down")
    found = {row["source_kind"]: row for row in rows(client, run_id)}
    assert found["correction"]["question"] == "Write a function that adds two numbers"
    assert found["correction"]["answer"] == "def add(a, b): ..."
    assert (found["document"]["question"], found["document"]["answer"]) == ("rows/x.py", "x = 1")
    assert (found["correction"]["conversation_id"], found["correction"]["message_id"]) == (conversation, message)
    me = client.get("/api/me").json()["email"]
    assert found["correction"]["who"] == found["document"]["who"] == me
    assert found["document"]["conversation_id"] is None
    gone = [found["rating"][name] for name in ("question", "answer", "who", "at", "conversation_id")]
    assert gone == [None] * 5, "its source is gone"
    assert [row["source_kind"] for row in rows(client, run_id, kept=False)] == ["rating"]
    assert [row["source_kind"] for row in rows(client, run_id, split="gate")] == ["document"]
    assert [row["source_kind"] for row in rows(client, run_id, source="correction")] == ["correction"]
    assert [row["reason"] for row in rows(client, run_id, reason="thumbs_down")] == ["thumbs_down"]


def test_a_conversation_is_named_to_its_owner_only(
    client: httpx.Client, conversation: str, database_url: str, run_id: str
) -> None:
    message = send(client, conversation, "Something of mine")["assistant_message"]["id"]
    answer_of(client, message)
    client.put(f"/api/messages/{message}/feedback", json={"rating": 1})
    with psycopg.connect(plain_url(database_url), autocommit=True) as database:
        feedback = database.execute("SELECT id FROM feedback WHERE message_id = %s", [message]).fetchone()
        assert feedback
        add_row(database_url, run_id, "rating", feedback[0])
        assert [row["conversation_id"] for row in rows(client, run_id)] == [conversation]
        other = uuid.uuid4()
        columns = "(id, email, name, role)"
        database.execute(f"INSERT INTO users {columns} VALUES (%s, 'o@example.org', 'O', 'member')", [other])
        database.execute("UPDATE conversations SET user_id = %s WHERE id = %s", [other, conversation])
    (row,) = rows(client, run_id)
    assert (row["conversation_id"], row["message_id"]) == (None, None)
    assert row["question"] == "Something of mine", "what was rated is what admins judge"


def test_rows_are_counted_by_kind_and_reason(client: httpx.Client, database_url: str, run_id: str) -> None:
    for reason in (None, None, "secret"):
        split = None if reason else "train"
        add_row(database_url, run_id, "document", str(uuid.uuid4()), split, reason)
    counts = client.get(f"/api/training/runs/{run_id}/rows/counts").json()["items"]
    kind = {"source_kind": "document"}
    assert counts == [
        {**kind, "split": "train", "kept": True, "reason": None, "rows": 2},
        {**kind, "split": None, "kept": False, "reason": "secret", "rows": 1},
    ]
    assert client.get(f"/api/training/runs/{uuid.uuid4()}/rows/counts").status_code == 404


def test_a_source_leads_to_the_runs_that_met_it_and_the_versions_that_came_of_them(
    client: httpx.Client, database_url: str, run_id: str
) -> None:
    source, version = str(uuid.uuid4()), str(uuid.uuid4())
    for split in ("train", "train", "gate"):
        add_row(database_url, run_id, "document", source, split)
    add_row(database_url, run_id, "document", source, None, "near_duplicate")
    add_row(database_url, run_id, "document", str(uuid.uuid4()))
    path = f"/api/training/sources/document/{source}/uses"
    (use,) = client.get(path).json()["items"]
    assert (use["run_id"], use["state"], use["version"]) == (run_id, "published", None)
    assert (use["splits"], use["reasons"]) == ({"train": 2, "gate": 1}, {"near_duplicate": 1})
    with psycopg.connect(plain_url(database_url), autocommit=True) as database:
        columns = "(id, name, path, sha256, size_bytes, state, run_id)"
        values = [version, version, version, version, run_id]
        database.execute(f"INSERT INTO model_versions {columns} VALUES (%s, %s, %s, %s, 1, 'rejected', %s)", values)
        try:
            made = {"id": version, "name": version, "state": "rejected", "aliases": []}
            assert client.get(path).json()["items"] == [{**use, "version": made}]
            assert client.get(f"/api/training/runs/{run_id}").json()["version"] == made
            (listed,) = (run for run in client.get("/api/training/runs").json()["items"] if run["id"] == run_id)
            assert listed["version"] == made
        finally:
            database.execute("DELETE FROM model_versions WHERE id = %s", [version])
    assert client.get(f"/api/training/sources/document/{uuid.uuid4()}/uses").json() == {"items": []}
    assert client.get(f"/api/training/sources/rumour/{source}/uses").status_code == 422


def test_a_list_of_runs_goes_without_the_curves(client: httpx.Client, database_url: str, run_id: str) -> None:
    report = '{"curve": {"train": [[1, 2.0]]}, "steps": 1}'
    with psycopg.connect(plain_url(database_url), autocommit=True) as database:
        values = [f'{{"train": {report}}}', report, run_id]
        database.execute("UPDATE training_runs SET stages = %s, progress = %s WHERE id = %s", values)
    (listed,) = (run for run in client.get("/api/training/runs").json()["items"] if run["id"] == run_id)
    assert (listed["stages"], listed["progress"]) == ({"train": {"steps": 1}}, {"steps": 1})
    assert client.get(f"/api/training/runs/{run_id}").json()["progress"]["curve"] == {"train": [[1, 2.0]]}


def test_an_excluded_source_is_marked_until_it_is_included_again(
    client: httpx.Client, database_url: str, run_id: str
) -> None:
    source = str(uuid.uuid4())
    add_row(database_url, run_id, "interaction", source)
    path = f"/api/training/exclusions/interaction/{source}"
    for _ in range(2):
        assert client.put(path).status_code == 204
    assert [row["excluded"] for row in rows(client, run_id)] == [True]
    for _ in range(2):
        assert client.delete(path).status_code == 204
    assert [row["excluded"] for row in rows(client, run_id)] == [False]
    acts = [entry["action"] for entry in client.get("/api/admin/audit", params={"limit": 4}).json()["items"]]
    assert acts == ["training.include"] * 2 + ["training.exclude"] * 2


def test_rows_come_page_by_page(client: httpx.Client, database_url: str, run_id: str) -> None:
    for _ in range(5):
        add_row(database_url, run_id, "rating", str(uuid.uuid4()))
    first = client.get(f"/api/training/runs/{run_id}/rows", params={"limit": 3}).json()
    rest = client.get(f"/api/training/runs/{run_id}/rows", params={"after": first["next_after"]}).json()
    assert rest["next_after"] is None
    assert len({row["id"] for row in first["items"] + rest["items"]}) == 5


def test_a_run_or_kind_that_does_not_exist_is_said_so(client: httpx.Client, run_id: str) -> None:
    assert client.get(f"/api/training/runs/{uuid.uuid4()}/rows").status_code == 404
    refused = client.get(f"/api/training/runs/{run_id}/rows", params={"source": "rumour"})
    assert (refused.status_code, refused.json()["param"]) == (422, "source")
