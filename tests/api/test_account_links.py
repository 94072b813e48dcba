import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.api.people import ENVIRONMENT, PASSWORD, browser, invite, member, signed_in, token_of
from tests.servers import Backend

NEW = "a brand new password"


@pytest.fixture(scope="module")
def server(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, str]]:
    url = new_database()
    with Backend(tmp_path_factory.mktemp("links"), url, None, **ENVIRONMENT) as backend:
        yield backend, url


@pytest.fixture
def admin(server: tuple[Backend, str]) -> Iterator[httpx.Client]:
    with signed_in(server[0]) as client:
        yield client


def use(client: httpx.Client, token: str, password: str = NEW) -> httpx.Response:
    return client.post("/api/auth/link/password", json={"token": token, "password": password})


def test_an_invitation_says_whose_it_is_lets_them_choose_a_password_and_works_once(
    server: tuple[Backend, str], admin: httpx.Client
) -> None:
    made = invite(admin, "ada@example.org")
    token = token_of(made["link"])
    assert made["user"]["has_password"] is False
    with browser(server[0]) as client:
        assert client.post("/api/auth/link", json={"token": token}).json()["email"] == "ada@example.org"
        assert use(client, token).json()["email"] == "ada@example.org"
        assert client.get("/api/me").json()["has_password"] is True
        assert use(client, token).status_code == 404
    with signed_in(server[0], "ada@example.org", NEW):
        pass


def test_a_reset_ends_every_session_and_the_links_made_before(server: tuple[Backend, str], admin: httpx.Client) -> None:
    with member(server[0], admin, "bob@example.org") as bob:
        bob_id = bob.get("/api/me").json()["id"]
        first = admin.post(f"/api/admin/users/{bob_id}/link").json()
        second = admin.post(f"/api/admin/users/{bob_id}/link").json()
        assert bob.get("/api/me").status_code == 200, "a link that is not used changes nothing"
        with browser(server[0]) as elsewhere:
            assert use(elsewhere, token_of(first)).status_code == 404
            assert use(elsewhere, token_of(second)).status_code == 200
        assert bob.get("/api/me").status_code == 401
    with browser(server[0]) as old:
        login = {"email": "bob@example.org", "password": PASSWORD}
        assert old.post("/api/auth/login", json=login).status_code == 401


def test_links_end_with_their_time_and_with_the_account(server: tuple[Backend, str], admin: httpx.Client) -> None:
    late, gone = invite(admin, "late@example.org"), invite(admin, "gone@example.org")
    with psycopg.connect(plain_url(server[1]), autocommit=True) as database:
        database.execute("UPDATE account_links SET expires_at = now() WHERE user_id = %s", [late["user"]["id"]])
    assert admin.patch(f"/api/admin/users/{gone['user']['id']}", json={"active": False}).status_code == 200
    assert admin.post(f"/api/admin/users/{gone['user']['id']}/link").status_code == 409
    with browser(server[0]) as client:
        for each in (late, gone):
            assert use(client, token_of(each["link"])).status_code == 404
            assert client.post("/api/auth/link", json={"token": token_of(each["link"])}).status_code == 404


def test_the_secret_of_a_link_is_not_in_the_database(server: tuple[Backend, str], admin: httpx.Client) -> None:
    token = token_of(invite(admin, "secret@example.org")["link"])
    with psycopg.connect(plain_url(server[1])) as database:
        rows = database.execute("SELECT token_hash FROM account_links").fetchall()
    assert rows
    assert all(token not in row[0] for row in rows)


@pytest.mark.parametrize("password", ["", "short", "x" * 1025])
def test_a_password_has_twelve_characters(server: tuple[Backend, str], admin: httpx.Client, password: str) -> None:
    name = f"short{len(password)}@example.org"
    token = token_of(invite(admin, name)["link"])
    with browser(server[0]) as client:
        refused = use(client, token, password)
        assert (refused.status_code, refused.json()["param"]) == (422, "password")
        assert use(client, token).status_code == 200, "a refused password does not use the link up"


def test_links_cannot_be_used_from_another_site(server: tuple[Backend, str], admin: httpx.Client) -> None:
    token = token_of(invite(admin, "csrf@example.org")["link"])
    with browser(server[0]) as client:
        client.headers["Origin"] = "https://evil.example"
        assert use(client, token).status_code == 403


class TestFirstStart:
    @pytest.fixture
    def bare(self, fresh_database_url: str, tmp_path: Path) -> Iterator[Backend]:
        with Backend(tmp_path, fresh_database_url, None, AUTH_MODE="accounts", ENGINE="mock") as backend:
            yield backend

    def test_the_link_in_the_log_makes_the_first_admin_and_only_that_one(self, bare: Backend) -> None:
        token = self.printed(bare)
        wanted = {"token": token, "email": "first@example.org", "name": "First", "password": NEW}
        with browser(bare) as client:
            assert client.post("/api/auth/link", json={"token": token}).json()["email"] is None
            assert use(client, token).status_code == 404, "it is nobody's password"
            assert client.post("/api/auth/link/setup", json=wanted).json()["role"] == "admin"
            assert client.get("/api/admin/users").status_code == 200
        with browser(bare) as client:
            again = client.post("/api/auth/link/setup", json=wanted | {"email": "second@example.org"})
            assert again.status_code == 404

    def test_two_processes_print_two_links_of_which_one_works(self, bare: Backend, tmp_path: Path) -> None:
        (tmp_path / "b").mkdir()
        database = bare.environment["DATABASE_URL"]
        with Backend(tmp_path / "b", database, None, AUTH_MODE="accounts", ENGINE="mock") as other:
            tokens = [self.printed(bare), self.printed(other)]
            assert tokens[0] != tokens[1]
            with browser(other) as client:
                made = [
                    client.post(
                        "/api/auth/link/setup",
                        json={"token": token, "email": f"{n}@example.org", "name": "N", "password": NEW},
                    ).status_code
                    for n, token in enumerate(tokens)
                ]
            assert made == [200, 404]

    def test_there_is_no_link_when_there_is_an_admin(self, server: tuple[Backend, str]) -> None:
        assert "/welcome#" not in server[0].log.read_text()

    @staticmethod
    def printed(backend: Backend) -> str:
        found = re.search(r"http://\S+/welcome#([\w-]+)", backend.log.read_text())
        assert found, backend.log.read_text()
        return found[1]
