import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.api.people import ADMIN_EMAIL, ADMIN_PASSWORD, ENVIRONMENT, browser, failures_until_slowed_down
from tests.servers import Backend

EMAIL, PASSWORD = ADMIN_EMAIL, ADMIN_PASSWORD


@pytest.fixture(scope="module")
def server(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, str]]:
    url = new_database()
    folder = tmp_path_factory.mktemp("accounts")
    with Backend(folder, url, None, **ENVIRONMENT) as backend:
        yield backend, url


@pytest.fixture
def client(server: tuple[Backend, str]) -> Iterator[httpx.Client]:
    with server[0].client() as client:
        client.headers["Origin"] = server[0].url
        yield client


def sign_in(client: httpx.Client, password: str = PASSWORD) -> httpx.Response:
    return client.post("/api/auth/login", json={"email": EMAIL, "password": password})


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


def test_a_new_sign_in_ends_the_session_that_the_browser_had(client: httpx.Client) -> None:
    sign_in(client)
    before = dict(client.cookies)
    sign_in(client)
    assert dict(client.cookies) != before
    assert httpx.get(f"{client.base_url}/api/me", cookies=before).status_code == 401


def test_guessing_passwords_is_slowed_down_for_that_address_only(server: tuple[Backend, str]) -> None:
    with browser(server[0]) as guesser:
        guess = {"email": "victim@example.org", "password": "some password"}
        assert failures_until_slowed_down(lambda: guesser.post("/api/auth/login", json=guess)) >= 10
        upper = guesser.post("/api/auth/login", json=guess | {"email": "VICTIM@example.org"})
        assert upper.status_code == 429
    with browser(server[0]) as other:
        assert sign_in(other).status_code == 200
