from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.api.people import ENVIRONMENT, PASSWORD, browser, failures_until_slowed_down, member, signed_in
from tests.servers import Backend, eventually

NEW = "another long password"


@pytest.fixture(scope="module")
def server(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, str]]:
    url = new_database()
    with Backend(tmp_path_factory.mktemp("me"), url, None, **ENVIRONMENT) as backend:
        yield backend, url


@pytest.fixture
def someone(server: tuple[Backend, str], request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """A member of the test's own."""
    with signed_in(server[0]) as admin, member(server[0], admin, f"{hash(request.node.name):x}@example.org") as client:
        yield client


def test_a_new_password_ends_all_other_sessions_and_keeps_this_one(
    server: tuple[Backend, str], someone: httpx.Client
) -> None:
    email = someone.get("/api/me").json()["email"]
    with signed_in(server[0], email, PASSWORD) as elsewhere:
        before = dict(someone.cookies)
        wrong = someone.post("/api/me/password", json={"current": "not my password", "new": NEW})
        assert (wrong.status_code, wrong.json()["param"]) == (400, "current")
        assert someone.post("/api/me/password", json={"current": PASSWORD, "new": NEW}).status_code == 200
        assert someone.get("/api/me").status_code == 200
        assert dict(someone.cookies) != before
        assert elsewhere.get("/api/me").status_code == 401
    with signed_in(server[0], email, NEW):
        pass


def test_somebody_elses_open_browser_does_not_let_one_guess_the_password(someone: httpx.Client) -> None:
    guess = {"current": "a guess", "new": NEW}
    assert failures_until_slowed_down(lambda: someone.post("/api/me/password", json=guess)) >= 10


def test_name_and_consent_are_ones_own_to_change(someone: httpx.Client) -> None:
    assert someone.get("/api/me").json()["training_consent"] is True
    changed = someone.patch("/api/me", json={"training_consent": False}).json()
    assert changed["training_consent"] is False
    renamed = someone.patch("/api/me", json={"name": " Grace "}).json()
    assert (renamed["name"], renamed["training_consent"]) == ("Grace", False)
    refused = someone.patch("/api/me", json={"role": "admin"})
    assert (refused.status_code, refused.json()["param"]) == (422, "role")


def test_a_key_is_shown_once_works_at_once_and_is_closed_for_good(
    server: tuple[Backend, str], someone: httpx.Client
) -> None:
    made = someone.post("/api/me/keys", json={"name": "editor", "requests_per_minute": 5})
    key = made.json()["key"]
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.get(f"{server[0].url}/v1/models", headers=headers)
    assert answer.status_code == 200
    listed = someone.get("/api/me/keys")
    assert key not in listed.text
    (item,) = listed.json()["items"]
    assert item["prefix"] == key[: len(item["prefix"])]
    assert item["last_used_at"] is not None
    assert item["requests_per_minute"] == 5
    with psycopg.connect(plain_url(server[1])) as database:
        assert database.execute("SELECT count(*) FROM api_keys WHERE key_hash = %s", [key]).fetchone() == (0,)
    assert someone.delete(f"/api/me/keys/{item['id']}").status_code == 204
    assert httpx.get(f"{server[0].url}/v1/models", headers=headers).status_code == 401
    assert someone.delete(f"/api/me/keys/{item['id']}").status_code == 404
    assert someone.get("/api/me/keys").json()["items"] == []


def test_deleting_oneself_needs_the_address_and_the_password_and_leaves_nothing(
    server: tuple[Backend, str], someone: httpx.Client
) -> None:
    me = someone.get("/api/me").json()
    conversation = someone.post("/api/conversations", json={"title": "mine"}).json()["id"]
    key = someone.post("/api/me/keys", json={"name": "ci"}).json()["key"]
    for body, param in (
        ({"email": "other@example.org", "password": PASSWORD}, "email"),
        ({"email": me["email"]}, "password"),
        ({"email": me["email"], "password": "wrong"}, "password"),
    ):
        refused = someone.request("DELETE", "/api/me", json=body)
        assert (refused.status_code, refused.json()["param"]) == (400, param)
    gone = someone.request("DELETE", "/api/me", json={"email": me["email"].upper(), "password": PASSWORD})
    assert gone.status_code == 204
    assert someone.get("/api/me").status_code == 401
    with browser(server[0]) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        assert client.get("/v1/models").status_code == 401
    with psycopg.connect(plain_url(server[1])) as database:
        query = "SELECT count(*) FROM conversations WHERE id = %s"
        assert database.execute(query, [conversation]).fetchone() == (0,)


def test_the_export_has_everything_and_nothing_of_others(server: tuple[Backend, str], someone: httpx.Client) -> None:
    conversation = someone.post("/api/conversations", json={}).json()["id"]
    sent = someone.post(f"/api/conversations/{conversation}/messages", json={"content": "A question"}).json()
    with someone.stream("GET", f"/api/generations/{sent['assistant_message']['id']}/events") as events:
        events.read()
    someone.post("/api/prompts", json={"title": "Mine", "content": "Explain this."})
    key = someone.post("/api/me/keys", json={"name": "ci"}).json()["key"]
    someone.post("/v1/completions", json={"prompt": "def f():", "max_tokens": 2})
    with signed_in(server[0]) as admin:
        admin.post("/api/prompts", json={"title": "The admin's", "content": "Secret."})
        admin.post("/v1/completions", json={"prompt": "admin only", "max_tokens": 2})

    def recorded() -> bool:
        return len(someone.get("/api/me/export").json()["api_calls"]) == 1

    eventually("the call is recorded", recorded)
    response = someone.get("/api/me/export")
    assert "attachment" in response.headers["Content-Disposition"]
    mine = response.json()
    assert mine["account"]["email"] == someone.get("/api/me").json()["email"]
    assert [prompt["title"] for prompt in mine["prompts"]] == ["Mine"]
    assert [call["prompt"] for call in mine["api_calls"]] == [{"text": "def f():"}]
    (exported,) = mine["conversations"]["conversations"]
    assert exported["messages"][0]["content"] == "A question"
    assert [each["name"] for each in mine["api_keys"]] == ["ci"]
    assert key not in response.text
    assert "admin only" not in response.text
    imported = someone.post("/api/conversations/import", json=mine["conversations"])
    assert imported.status_code == 201, imported.text
