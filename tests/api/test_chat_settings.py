"""Settings of a conversation: stored, honoured, refused where they cannot be, and exported."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.history import export
from tests.api.test_swaps import Versions
from tests.servers import Backend, events, eventually

DEFAULTS = {"system_prompt": None, "temperature": None, "top_p": None, "max_tokens": None, "model": None}


@pytest.fixture(scope="module")
def all_versions(
    new_database: Callable[[], str], demo_gguf: Path, tmp_path_factory: pytest.TempPathFactory
) -> Versions:
    """The demo model as champion; the same weights in other clothes are there to be its challenger."""
    folder = tmp_path_factory.mktemp("settings")
    other = folder / "other.gguf"
    other.write_bytes(demo_gguf.read_bytes() + b"\0")
    versions = Versions(new_database(), folder / "models")
    versions.add("demo", demo_gguf)
    versions.add("other", other)
    versions.promote("demo")
    versions.challenge("other")
    return versions


@pytest.fixture(scope="module")
def server(all_versions: Versions) -> Iterator[Backend]:
    with Backend(all_versions.folder.parent, all_versions.url, None, MAX_TOKENS="64") as backend:
        yield backend


@pytest.fixture
def client(server: Backend, all_versions: Versions) -> Iterator[httpx.Client]:
    all_versions.challenge("other")
    with server.client() as client:
        eventually("both are served", lambda: names(client) == ["demo", "other"])
        yield client


def names(client: httpx.Client) -> list[str]:
    return [each["name"] for each in client.get("/api/models/served").json()["items"]]


def create(client: httpx.Client, **settings: Any) -> str:
    response = client.post("/api/conversations", json={"settings": settings})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def send(client: httpx.Client, conversation: str, content: str = "Write a function that adds.") -> httpx.Response:
    return client.post(f"/api/conversations/{conversation}/messages", json={"content": content})


def answer(client: httpx.Client, conversation: str, content: str = "Write a function that adds.") -> dict[str, Any]:
    response = send(client, conversation, content)
    assert response.status_code == 202, response.text
    message = response.json()["assistant_message"]
    with client.stream("GET", f"/api/generations/{message['id']}/events") as stream:
        ended = [data["message"] for name, data, _ in events(stream) if name == "end"]
    assert ended[0]["model"] == message["model"]
    return dict(ended[0])


def test_a_conversation_begins_with_the_defaults_and_lists_leave_settings_out(client: httpx.Client) -> None:
    made = client.post("/api/conversations", json={}).json()
    assert made["settings"] == DEFAULTS
    assert "settings" not in client.get("/api/conversations").json()["items"][0]


def test_what_is_left_out_stays_and_null_is_the_default_again(client: httpx.Client) -> None:
    identity = create(client, temperature=0.7, top_p=0.5)
    path = f"/api/conversations/{identity}"
    client.patch(path, json={"settings": {"temperature": None, "max_tokens": 8}})
    client.patch(path, json={"title": "Renamed"})
    expected = DEFAULTS | {"top_p": 0.5, "max_tokens": 8}
    assert client.get(path).json()["settings"] == expected


def test_the_length_is_honoured(client: httpx.Client) -> None:
    ended = answer(client, create(client, max_tokens=3))
    assert (ended["completion_tokens"], ended["finish_reason"]) == (3, "length")


def test_the_system_prompt_is_read_by_the_model(client: httpx.Client) -> None:
    plain = answer(client, create(client, max_tokens=1))["prompt_tokens"]
    told = answer(client, create(client, max_tokens=1, system_prompt="Answer with code only."))["prompt_tokens"]
    assert told > plain


def test_temperature_zero_says_the_same_twice(client: httpx.Client) -> None:
    texts = {answer(client, create(client, max_tokens=24, temperature=0))["content"] for _ in range(2)}
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"temperature": 2.1}, "settings.temperature"),
        ({"top_p": 0}, "settings.top_p"),
        ({"max_tokens": 0}, "settings.max_tokens"),
        ({"max_tokens": 65}, "settings.max_tokens"),
        ({"system_prompt": "  "}, "settings.system_prompt"),
        ({"model": "nobody"}, "settings.model"),
        ({"top_k": 3}, "settings.top_k"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(client: httpx.Client, settings: dict[str, Any], param: str) -> None:
    made = client.post("/api/conversations", json={"settings": settings})
    changed = client.patch(f"/api/conversations/{create(client)}", json={"settings": settings})
    for response in (made, changed):
        assert response.status_code in (400, 422)
        assert response.json()["param"] == param
    assert client.get(f"/api/conversations/{create(client)}").json()["settings"] == DEFAULTS


def test_the_chosen_model_answers(client: httpx.Client) -> None:
    assert answer(client, create(client, max_tokens=1))["model"] == "demo"
    assert answer(client, create(client, max_tokens=1, model="challenger"))["model"] == "other"


def test_a_choice_is_kept_by_name_and_the_champion_is_followed(client: httpx.Client) -> None:
    kept = {
        asked: client.get(f"/api/conversations/{create(client, model=asked)}").json()["settings"]["model"]
        for asked in ("champion", "default", "challenger", "demo")
    }
    assert kept == {"champion": None, "default": None, "challenger": "other", "demo": "demo"}


def test_a_model_that_is_no_longer_served_is_never_replaced_by_another(
    client: httpx.Client, all_versions: Versions
) -> None:
    identity = create(client, max_tokens=1, model="other")
    all_versions.end_challenge()
    eventually("the challenger is gone", lambda: names(client) == ["demo"])
    refused = send(client, identity)
    assert refused.status_code == 409
    problem = refused.json()
    assert (problem["code"], problem["param"]) == ("model_not_served", "model")
    assert "'other'" in problem["detail"]
    assert "choose 'demo'" in problem["detail"]
    assert client.get(f"/api/conversations/{identity}").json()["messages"] == []
    client.patch(f"/api/conversations/{identity}", json={"settings": {"model": None}})
    assert answer(client, identity)["model"] == "demo"


def test_settings_survive_export_and_import(client: httpx.Client) -> None:
    settings = {"system_prompt": "Be brief.", "temperature": 0.5, "top_p": 0.25, "max_tokens": 8, "model": "other"}
    file = client.get(f"/api/conversations/{create(client, **settings)}/export").json()
    assert file["conversations"][0]["settings"] == settings
    again = client.post("/api/conversations/import", json=export(*file["conversations"])).json()["conversations"][0]
    assert client.get(f"/api/conversations/{again['id']}").json()["settings"] == settings


def test_members_see_what_may_be_asked_for(client: httpx.Client) -> None:
    served = client.get("/api/models/served").json()
    assert [(each["name"], each["alias"], each["demo"]) for each in served["items"]] == [
        ("demo", "champion", True), ("other", "challenger", True),
    ]  # fmt: skip
    assert served["defaults"] == {"temperature": 0.2, "top_p": 0.95, "max_tokens": 64}
