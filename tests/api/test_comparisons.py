"""Blind comparisons: nothing tells who wrote which answer before the vote, and every interruption has a way out."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant.commands import openapi
from assistant.services.chat.win_rates import wilson
from tests.api.test_swaps import Versions
from tests.servers import Backend, events, eventually

NAMES = {"model-alpha", "model-beta"}
TELLING = (
    "model", "model_version_id", "prompt_tokens", "cached_tokens", "completion_tokens", "time_to_first_token_s",
    "tokens_per_second", "duration_s", "finished_at",
)  # fmt: skip
PROMPT = "Write a function that adds two numbers."


@pytest.fixture(scope="module")
def versions(new_database: Callable[[], str], endless_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Versions:
    """Two versions whose answers end at their length limit only."""
    folder = tmp_path_factory.mktemp("comparisons")
    other = folder / "other.gguf"
    other.write_bytes(endless_gguf.read_bytes() + b"\0")
    versions = Versions(new_database(), folder / "models")
    versions.add("model-alpha", endless_gguf)
    versions.add("model-beta", other)
    versions.promote("model-alpha")
    versions.challenge("model-beta")
    return versions


@pytest.fixture(scope="module")
def server(versions: Versions) -> Iterator[Backend]:
    with Backend(versions.folder.parent, versions.url, None) as backend:
        until_both(backend)
        yield backend


@pytest.fixture
def client(server: Backend) -> Iterator[httpx.Client]:
    with server.client() as client:
        client.delete("/api/conversations")
        yield client


def until_both(backend: Backend) -> None:
    with backend.client() as client:
        eventually("both are served", lambda: len(client.get("/api/models/served").json()["items"]) == 2)


def create(client: httpx.Client, max_tokens: int = 8) -> str:
    made = client.post("/api/conversations", json={"settings": {"max_tokens": max_tokens}})
    return str(made.json()["id"])


def begin(client: httpx.Client, conversation: str, **more: Any) -> dict[str, Any]:
    response = client.post(f"/api/conversations/{conversation}/comparisons", json={"content": PROMPT, **more})
    assert response.status_code == 202, response.text
    contest: dict[str, Any] = response.json()
    return contest


def follow(client: httpx.Client, message_id: str) -> list[tuple[str, dict[str, Any]]]:
    with client.stream("GET", f"/api/generations/{message_id}/events") as stream:
        return [(name, data) for name, data, _ in events(stream)]


def finished(client: httpx.Client, max_tokens: int = 8) -> tuple[str, dict[str, Any]]:
    """A conversation with two complete answers that wait for a vote."""
    conversation = create(client, max_tokens)
    contest = begin(client, conversation)
    for side in ("left", "right"):
        follow(client, contest[side]["id"])
    return conversation, contest


def act(client: httpx.Client, contest: dict[str, Any], what: str, **body: Any) -> httpx.Response:
    return client.post(f"/api/comparisons/{contest['comparison']['id']}/{what}", json=body or None)


def shown(client: httpx.Client, conversation: str) -> dict[str, Any]:
    page: dict[str, Any] = client.get(f"/api/conversations/{conversation}").json()
    return page


def served(client: httpx.Client) -> list[str]:
    return [each["name"] for each in client.get("/api/models/served").json()["items"]]


def message(page: dict[str, Any], message_id: str) -> dict[str, Any]:
    return next(each for each in page["messages"] if each["id"] == message_id)


def example(path: str) -> dict[str, Any]:
    """The one body that the description gives for a POST there."""
    content = openapi()["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    (only,) = content["examples"].values()
    body: dict[str, Any] = only["value"]
    return body


def test_the_examples_of_the_description_are_accepted(client: httpx.Client) -> None:
    contest = begin(client, create(client), **example("/api/conversations/{conversation_id}/comparisons"))
    for side in ("left", "right"):
        follow(client, contest[side]["id"])
    assert act(client, contest, "vote", **example("/api/comparisons/{comparison_id}/vote")).status_code == 200


def test_nothing_tells_who_wrote_what_before_the_vote(client: httpx.Client) -> None:
    conversation = create(client, 24)
    contest = begin(client, conversation)
    told: list[object] = [contest]
    for side in ("left", "right"):
        stream = follow(client, contest[side]["id"])
        assert not any(name == "reading" for name, _ in stream)
        assert {(data["tokens"], data["tokens_per_second"]) for name, data in stream if name == "text"} <= {(0, 0.0)}
        told.append(stream)
    told.append(shown(client, conversation))
    for path in (
        f"/api/conversations/{conversation}/export",
        f"/api/conversations/{conversation}/export?format=markdown",
        "/api/me/export",
        "/api/search?q=adds",
    ):
        told.append(client.get(path).text)
    assert not any(name in str(each) for name in NAMES for each in told)
    for side in ("left", "right"):
        answer = message(shown(client, conversation), contest[side]["id"])
        assert answer["status"] == "done"
        assert {name: answer[name] for name in TELLING} == dict.fromkeys(TELLING)


def test_the_vote_reveals_and_the_better_answer_goes_on(client: httpx.Client) -> None:
    for side, other in (("left", "right"), ("right", "left")):
        conversation, contest = finished(client)
        closed = act(client, contest, "vote", vote=side).json()
        assert (closed["vote"], closed["closed"]) == (side, True)
        assert {closed["left_model"], closed["right_model"]} == NAMES
        page = shown(client, conversation)
        assert page["comparisons"] == [closed]
        assert page["branch"] == [contest["user_message"]["id"], contest[side]["id"]]
        for each in (side, other):
            answer = message(page, contest[each]["id"])
            assert answer["model"] == closed[f"{each}_model"]
            assert answer["completion_tokens"] == 8
        sent = client.post(f"/api/conversations/{conversation}/messages", json={"content": "More"}).json()
        assert sent["user_message"]["parent_id"] == contest[side]["id"]
        follow(client, sent["assistant_message"]["id"])


def test_the_same_vote_twice_is_one_and_another_is_refused(client: httpx.Client) -> None:
    _, contest = finished(client)
    assert act(client, contest, "vote", vote="tie").json() == act(client, contest, "vote", vote="tie").json()
    for what, body in (("vote", {"vote": "left"}), ("end", {}), ("again", {})):
        assert act(client, contest, what, **body).status_code == 409


def test_the_sides_are_drawn_by_lot(client: httpx.Client) -> None:
    left: set[str] = set()
    for _ in range(60):
        _, contest = finished(client, max_tokens=1)
        left.add(act(client, contest, "end").json()["left_model"])
        if left == NAMES:
            return
    raise AssertionError(f"60 times the same side: {left}")


def test_the_second_waits_for_the_first(client: httpx.Client) -> None:
    conversation = create(client, 1500)
    contest = begin(client, conversation)
    left, right = contest["left"]["id"], contest["right"]["id"]
    eventually("the left one is written", lambda: message(shown(client, conversation), left)["status"] == "writing")
    assert message(shown(client, conversation), right)["status"] == "queued"
    client.post(f"/api/generations/{left}/stop")
    follow(client, left)
    eventually("the right one is written", lambda: message(shown(client, conversation), right)["status"] == "writing")
    act(client, contest, "end")
    follow(client, right)
    ended = message(shown(client, conversation), right)
    assert ended["status"] == "stopped"
    assert ended["duration_s"] < 30, "the wait for the other answer does not count"


def test_while_it_is_open_nothing_else_is_asked_there(client: httpx.Client) -> None:
    conversation, contest = finished(client)
    left = contest["left"]["id"]
    for path, body in (
        (f"/api/conversations/{conversation}/messages", {"content": "More"}),
        (f"/api/conversations/{conversation}/messages", {"content": "More", "parent_id": left}),
        (f"/api/messages/{left}/regenerate", {}),
        (f"/api/messages/{left}/continue", None),
    ):
        refused = client.post(path, json=body)
        assert refused.status_code == 409
        assert "vote, or end the comparison" in refused.json()["detail"]
    assert act(client, contest, "again").status_code == 409


def test_a_stopped_side_is_written_again_before_the_vote(client: httpx.Client) -> None:
    conversation = create(client, 1500)
    contest = begin(client, conversation)
    sides = [contest[side]["id"] for side in ("left", "right")]
    for each in sides:
        client.post(f"/api/generations/{each}/stop")
    for each in sides:
        follow(client, each)
    assert act(client, contest, "vote", vote="left").status_code == 409
    client.patch(f"/api/conversations/{conversation}", json={"settings": {"max_tokens": 4}})
    assert act(client, contest, "again").status_code == 202
    for each in sides:
        follow(client, each)
    assert {message(shown(client, conversation), each)["status"] for each in sides} == {"done"}
    assert act(client, contest, "vote", vote="bad").status_code == 200


def test_what_cannot_be_compared_is_refused(client: httpx.Client) -> None:
    conversation = create(client)
    for models in (["model-alpha", "model-alpha"], ["model-alpha", "champion"], ["model-alpha", "nobody"]):
        response = client.post(
            f"/api/conversations/{conversation}/comparisons", json={"content": "x", "models": models}
        )
        assert (response.status_code, response.json()["param"]) == (400, "models")
    assert shown(client, conversation)["messages"] == []


def test_the_same_key_again_is_one_comparison(client: httpx.Client) -> None:
    conversation = create(client)
    first, second = (begin(client, conversation, idempotency_key="k") for _ in range(2))
    assert first["comparison"]["id"] == second["comparison"]["id"]
    follow(client, first["right"]["id"])
    assert len(shown(client, conversation)["messages"]) == 3


def test_a_killed_server_leaves_a_comparison_that_can_be_finished(
    versions: Versions, client: httpx.Client, tmp_path: Path
) -> None:
    folder = {"SPOOL_DIR": str(tmp_path / "spool"), "KV_DIR": str(tmp_path / "kv")}
    with Backend(versions.folder.parent, versions.url, None, **folder) as doomed:
        until_both(doomed)
        with doomed.client() as there:
            conversation = create(there, 1500)
            contest = begin(there, conversation)
            left = contest["left"]["id"]
            eventually("it is written", lambda: message(shown(there, conversation), left)["status"] == "writing")
        doomed.kill()
        doomed.start()
        page = shown(client, conversation)
    assert {message(page, contest[side]["id"])["status"] for side in ("left", "right")} == {"interrupted"}
    client.patch(f"/api/conversations/{conversation}", json={"settings": {"max_tokens": 4}})
    assert act(client, contest, "again").status_code == 202
    for side in ("left", "right"):
        follow(client, contest[side]["id"])
    closed = act(client, contest, "vote", vote="right").json()
    assert {closed["left_model"], closed["right_model"]} == NAMES


def test_a_model_that_has_gone_is_no_dead_end(client: httpx.Client, versions: Versions) -> None:
    conversation = create(client, 1500)
    contest = begin(client, conversation)
    sides = [contest[side]["id"] for side in ("left", "right")]
    for each in sides:
        client.post(f"/api/generations/{each}/stop")
    for each in sides:
        follow(client, each)
    versions.end_challenge()
    eventually("the challenger has gone", lambda: served(client) == ["model-alpha"])
    assert act(client, contest, "again").status_code in (202, 409), "the one that is left may come first"
    for each in sides:
        client.post(f"/api/generations/{each}/stop")
        follow(client, each)
    assert not any(name in str(shown(client, conversation)["messages"]) for name in NAMES)
    closed = act(client, contest, "end").json()
    assert {closed["left_model"], closed["right_model"]} == NAMES
    versions.challenge("model-beta")
    eventually("it is back", lambda: served(client) == ["model-alpha", "model-beta"])


def test_admins_see_how_often_each_was_preferred(client: httpx.Client) -> None:
    votes = {"model-alpha": 0, "model-beta": 0}
    before = client.get("/api/admin/comparisons").json()["items"]
    counted = {each["model"]: each["wins"] for each in before} | {each["opponent"]: each["losses"] for each in before}
    for vote in ("left", "right", "right", "tie"):
        _, contest = finished(client, max_tokens=1)
        closed = act(client, contest, "vote", vote=vote).json()
        if vote != "tie":
            votes[closed[f"{vote}_model"]] += 1
    [row] = client.get("/api/admin/comparisons").json()["items"]
    assert {row["model"]: row["wins"], row["opponent"]: row["losses"]} == {
        name: counted.get(name, 0) + more for name, more in votes.items()
    }
    assert row["wins"] >= row["losses"]
    assert row["low"] <= row["rate"] <= row["high"]


def test_the_interval_is_wilsons() -> None:
    for (wins, votes), expected in {
        (8, 10): (0.490162, 0.943318), (0, 10): (0.0, 0.277533), (10, 10): (0.722467, 1.0), (1, 1): (0.206543, 1.0),
    }.items():  # fmt: skip
        assert wilson(wins, votes) == pytest.approx(expected, abs=1e-5)
