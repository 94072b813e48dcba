import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.api.people import ENVIRONMENT, browser, signed_in
from tests.servers import Backend, eventually, free_port

PEOPLE = (
    {"sub": "ada", "email": "ada@corp.example", "name": "Ada", "email_verified": True},
    {"sub": "boss", "email": "boss@corp.example", "name": "Boss"},
    {"sub": "eve", "email": "boss@corp.example", "name": "Not Boss"},
    {"sub": "mallory", "email": "mallory@elsewhere.example", "name": "Mallory"},
    {"sub": "unsure", "email": "unsure@corp.example", "name": "Unsure", "email_verified": False},
    {"sub": "admin", "email": ENVIRONMENT["ADMIN_EMAIL"].upper(), "name": "Admin"},
    {"sub": "nobody"},
)


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """A small real OpenID provider, as a process of its own."""
    port = free_port()
    people = [argument for person in PEOPLE for argument in ("--user-claims", json.dumps(person))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *people]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    issuer = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{issuer}/.well-known/openid-configuration").status_code == 200
        except httpx.TransportError:
            return False

    try:
        eventually("the provider answers", answers)
        yield issuer
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def server(
    provider: str, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Backend, str]]:
    url, port = new_database(), free_port()
    environment = {
        **ENVIRONMENT, "PORT": str(port), "PUBLIC_URL": f"http://127.0.0.1:{port}", "OIDC_ISSUER": provider,
        "OIDC_CLIENT_ID": "assistant", "OIDC_CLIENT_SECRET": "a secret", "OIDC_NAME": "Corp",
        "OIDC_DOMAINS": "corp.example, Example.org",
    }  # fmt: skip
    with Backend(tmp_path_factory.mktemp("oidc"), url, None, **environment) as backend:
        yield backend, url


@pytest.fixture
def client(server: tuple[Backend, str]) -> Iterator[httpx.Client]:
    with browser(server[0]) as client:
        yield client


def leave(client: httpx.Client, page: str = "/") -> str:
    """Set out for the provider: its address."""
    response = client.get("/api/auth/oidc/login", params={"page": page})
    assert response.status_code == 303
    return response.headers["location"]


def consent(address: str, person: str) -> str:
    """What the person does there: the address to which the provider sends them back."""
    response = httpx.post(address, data={"sub": person})
    assert response.status_code == 302, response.text
    return response.headers["location"]


def come_in(client: httpx.Client, person: str, page: str = "/") -> str:
    """The whole way: the page where it ends."""
    response = client.get(consent(leave(client, page), person))
    assert response.status_code == 303
    return response.headers["location"]


def test_the_sign_in_page_knows_the_provider(client: httpx.Client) -> None:
    assert client.get("/api/auth/methods").json() == {"auth_mode": "accounts", "oidc": "Corp"}


def test_a_person_comes_in_as_a_member_and_back_to_the_page_they_were_on(client: httpx.Client) -> None:
    assert come_in(client, "ada", "/c/123?x=1") == "/c/123?x=1"
    me = client.get("/api/me").json()
    assert (me["email"], me["name"], me["role"], me["has_password"]) == ("ada@corp.example", "Ada", "member", False)
    assert "codellama_oidc" not in client.cookies
    come_in(client, "ada")
    assert client.get("/api/me").json()["id"] == me["id"], "the second time it is the same account"


def test_who_has_a_password_here_is_found_by_address(server: tuple[Backend, str], client: httpx.Client) -> None:
    with signed_in(server[0]) as admin:
        mine = admin.get("/api/me").json()["id"]
    come_in(client, "admin")
    me = client.get("/api/me").json()
    assert (me["id"], me["role"]) == (mine, "admin")


def test_another_person_with_the_same_address_does_not_get_the_account(
    server: tuple[Backend, str], client: httpx.Client
) -> None:
    come_in(client, "boss")
    with browser(server[0]) as other:
        assert come_in(other, "eve") == "/login?problem=forbidden"
        assert other.get("/api/me").status_code == 401


@pytest.mark.parametrize("person", ["mallory", "unsure", "nobody"])
def test_who_may_not_come_in_is_sent_to_the_sign_in_page(client: httpx.Client, person: str) -> None:
    assert come_in(client, person) == "/login?problem=forbidden"
    assert client.get("/api/me").status_code == 401


def test_a_deactivated_person_stays_out(server: tuple[Backend, str], client: httpx.Client) -> None:
    come_in(client, "ada")
    with psycopg.connect(plain_url(server[1]), autocommit=True) as database:
        database.execute("UPDATE users SET active = false WHERE email = 'ada@corp.example'")
        try:
            assert come_in(client, "ada") == "/login?problem=forbidden"
        finally:
            database.execute("UPDATE users SET active = true WHERE email = 'ada@corp.example'")


def test_an_answer_counts_once_and_only_in_the_browser_that_asked(
    server: tuple[Backend, str], client: httpx.Client
) -> None:
    back = consent(leave(client), "ada")
    with browser(server[0]) as victim:
        assert victim.get(back).headers["location"] == "/login?problem=unauthenticated"
        leave(victim)
        assert victim.get(back).headers["location"] == "/login?problem=unauthenticated", "another sign-in's state"
        assert victim.get("/api/me").status_code == 401
    cookies = dict(client.cookies)
    assert client.get(back).headers["location"] == "/"
    with httpx.Client(base_url=server[0].url, cookies=cookies) as again:
        assert again.get(back).headers["location"] == "/login?problem=unauthenticated"


def test_saying_no_at_the_provider_is_no_error(client: httpx.Client) -> None:
    state = parse_qs(urlsplit(leave(client)).query)["state"][0]
    back = client.get("/api/auth/oidc/callback", params={"error": "access_denied", "state": state})
    assert back.headers["location"] == "/login?problem=cancelled"


@pytest.mark.parametrize("page", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_nobody_is_sent_to_another_site_afterwards(client: httpx.Client, page: str) -> None:
    assert come_in(client, "ada", page) == "/"


def test_a_made_up_code_is_refused(client: httpx.Client) -> None:
    state = parse_qs(urlsplit(leave(client)).query)["state"][0]
    back = client.get("/api/auth/oidc/callback", params={"code": "made-up", "state": state})
    assert back.headers["location"] == "/login?problem=identity_provider_unavailable"
    again = client.get("/api/auth/oidc/callback", params={"code": "another", "state": state})
    assert again.headers["location"] == "/login?problem=unauthenticated", "an attempt can be tried once"


def test_the_flow_has_pkce_and_a_nonce(client: httpx.Client) -> None:
    asked = parse_qs(urlsplit(leave(client)).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["nonce"][0]
    assert asked["response_type"] == ["code"]


def test_a_provider_that_is_away_does_not_keep_others_from_signing_in(fresh_database_url: str, tmp_path: Path) -> None:
    environment = {
        **ENVIRONMENT, "PUBLIC_URL": "http://127.0.0.1", "OIDC_ISSUER": f"http://127.0.0.1:{free_port()}",
        "OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b",
    }  # fmt: skip
    with Backend(tmp_path, fresh_database_url, None, **environment) as backend:
        with browser(backend) as client:
            failed = client.get("/api/auth/oidc/login")
            assert failed.headers["location"] == "/login?problem=identity_provider_unavailable"
        with signed_in(backend) as admin:
            assert admin.get("/api/me").status_code == 200
