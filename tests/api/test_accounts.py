import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.servers import Backend

EMAIL, PASSWORD = "admin@example.org", "correct horse battery"


@pytest.fixture(scope="module")
def server(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, str]]:
    url = new_database()
    folder = tmp_path_factory.mktemp("accounts")
    environment = {"AUTH_MODE": "accounts", "ENGINE": "mock", "ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": PASSWORD}
    with Backend(folder, url, None, **environment) as backend:
        yield backend, url


@pytest.fixture
def client(server: tuple[Backend, str]) -> Iterator[httpx.Client]:
    with server[0].client() as client:
        client.headers["Origin"] = server[0].url
        yield client


def sign_in(client: httpx.Client, password: str = PASSWORD) -> httpx.Response:
    return client.post("/api/auth/login", json={"email": EMAIL, "password": password})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/me"),
        ("GET", "/api/conversations"),
        ("POST", "/api/conversations"),
        ("GET", "/api/models"),
        ("POST", "/api/models/rollback"),
        ("GET", "/api/training/runs"),
        ("POST", "/v1/chat/completions"),
        ("GET", "/v1/models"),
        ("POST", "/chat"),
        ("POST", "/generate"),
    ],
)
def test_nothing_is_open_to_strangers(client: httpx.Client, method: str, path: str) -> None:
    assert client.request(method, path, json={}).status_code == 401


def test_signing_in_opens_and_signing_out_closes(client: httpx.Client) -> None:
    assert sign_in(client).json()["role"] == "admin"
    cookie = client.cookies.jar.__iter__().__next__()
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert client.get("/api/me").json()["email"] == EMAIL
    assert client.post("/api/auth/logout").status_code == 204
    assert client.get("/api/me").status_code == 401


def test_a_wrong_password_and_an_unknown_address_look_the_same(client: httpx.Client) -> None:
    wrong = sign_in(client, "wrong password here")
    unknown = client.post("/api/auth/login", json={"email": "who@example.org", "password": PASSWORD})
    assert (wrong.status_code, wrong.json()["detail"]) == (unknown.status_code, unknown.json()["detail"])
    assert wrong.status_code == 401


def test_another_sites_script_cannot_write_with_the_cookie(client: httpx.Client) -> None:
    sign_in(client)
    foreign = client.post("/api/conversations", json={}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    del client.headers["Origin"]
    assert client.post("/api/conversations", json={}).status_code == 403


def test_an_api_key_works_until_it_is_revoked(server: tuple[Backend, str], tmp_path: Path) -> None:
    backend, url = server
    command = [sys.executable, "-m", "assistant", "keys", "create", "--name", "ci", "--email", EMAIL]
    made = subprocess.run(command, env={"DATABASE_URL": url}, capture_output=True, text=True, check=True)
    key = made.stdout.strip()
    headers = {"Authorization": f"Bearer {key}"}
    assert httpx.get(f"{backend.url}/v1/models", headers=headers).status_code == 200
    with psycopg.connect(plain_url(url), autocommit=True) as database:
        assert database.execute("SELECT count(*) FROM api_keys WHERE key_hash = %s", [key]).fetchone() == (0,)
        database.execute("UPDATE api_keys SET revoked_at = now()")
    refused = httpx.get(f"{backend.url}/v1/models", headers=headers)
    assert (refused.status_code, refused.json()["error"]["type"]) == (401, "authentication_error")


def test_conversations_of_others_are_not_there(client: httpx.Client, server: tuple[Backend, str]) -> None:
    sign_in(client)
    mine = client.post("/api/conversations", json={"title": "mine"}).json()["id"]
    with psycopg.connect(plain_url(server[1]), autocommit=True) as database:
        database.execute(
            "INSERT INTO users (id, email, name, role) VALUES (gen_random_uuid(), 'o@example.org', 'O', 'member')"
        )
        database.execute(
            "UPDATE conversations SET user_id = (SELECT id FROM users WHERE email = 'o@example.org') WHERE id = %s",
            [mine],
        )
    for method in ("GET", "DELETE"):
        assert client.request(method, f"/api/conversations/{mine}").status_code == 404
    assert client.patch(f"/api/conversations/{mine}", json={"title": "x"}).status_code == 404
    assert client.post(f"/api/conversations/{mine}/messages", json={"content": "x"}).status_code == 404
    assert mine not in client.get("/api/conversations").text
