"""People for tests of accounts: an admin from the environment, invited members, each with a browser of their own."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from tests.servers import Backend

ADMIN_EMAIL, ADMIN_PASSWORD = "admin@example.org", "correct horse battery"
PASSWORD = "staple battery horse"
ENVIRONMENT = {"AUTH_MODE": "accounts", "ENGINE": "mock", "ADMIN_EMAIL": ADMIN_EMAIL, "ADMIN_PASSWORD": ADMIN_PASSWORD}


def browser(backend: Backend) -> httpx.Client:
    """A client that says where its requests come from, as browsers do."""
    return httpx.Client(base_url=backend.url, headers={"Origin": backend.url}, timeout=30, verify=False)


@contextlib.contextmanager
def signed_in(backend: Backend, email: str = ADMIN_EMAIL, password: str = ADMIN_PASSWORD) -> Iterator[httpx.Client]:
    with browser(backend) as client:
        response = client.post("/api/auth/login", json={"email": email, "password": password})
        assert response.status_code == 200, response.text
        yield client


def invite(admin: httpx.Client, email: str, role: str = "member") -> dict[str, Any]:
    """A new account and its link, as the admin sees them."""
    response = admin.post("/api/admin/users", json={"email": email, "name": email.partition("@")[0], "role": role})
    assert response.status_code == 201, response.text
    result: dict[str, Any] = response.json()
    return result


def failures_until_slowed_down(attempt: Callable[[], httpx.Response]) -> int:
    """How many wrong attempts are answered as such before one is told to wait: ten, on a slow machine a few more."""
    for failures in range(60):
        response = attempt()
        if response.status_code == 429:
            assert response.json()["code"] == "too_many_attempts"
            assert 1 <= int(response.headers["Retry-After"]) <= 6
            return failures
    raise AssertionError("nobody was slowed down")


def token_of(link: dict[str, Any]) -> str:
    return str(link["url"].partition("#")[2])


@contextlib.contextmanager
def member(backend: Backend, admin: httpx.Client, email: str, role: str = "member") -> Iterator[httpx.Client]:
    """Somebody new who has chosen a password and is signed in."""
    token = token_of(invite(admin, email, role)["link"])
    with browser(backend) as client:
        response = client.post("/api/auth/link/password", json={"token": token, "password": PASSWORD})
        assert response.status_code == 200, response.text
        yield client
