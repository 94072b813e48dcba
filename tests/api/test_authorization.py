"""Nobody reads, changes, streams, stops, rates or exports what is not theirs: every route, as every kind of person."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.api.people import ENVIRONMENT, PASSWORD, browser, member, signed_in
from tests.servers import Backend

Rule = Literal["open", "member", "own", "admin"]
"""open: everybody, also strangers. member: whoever is signed in, about themselves. own: the owner; to all others it is
not there, also to admins. admin: members are told that it is not for them."""


@dataclass(frozen=True, slots=True)
class Route:
    rule: Rule
    body: dict[str, Any] | None = None


NONE = "00000000-0000-7000-8000-000000000000"
TEXT: dict[str, Any] = {"prompt": "def f():", "max_tokens": 1}
ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/health"): Route("open"),
    ("GET", "/ready"): Route("open"),
    ("GET", "/metrics"): Route("open"),
    ("GET", "/api/auth/methods"): Route("open"),
    ("POST", "/api/auth/login"): Route("open", {"email": "nobody@example.org", "password": "wrong password"}),
    ("POST", "/api/auth/logout"): Route("open"),
    ("POST", "/api/auth/link"): Route("open", {"token": "x"}),
    ("POST", "/api/auth/link/password"): Route("open", {"token": "x", "password": PASSWORD}),
    ("POST", "/api/auth/link/setup"): Route(
        "open", {"token": "x", "password": PASSWORD, "email": "x@example.org", "name": "X"}
    ),
    ("GET", "/api/auth/oidc/login"): Route("open"),
    ("GET", "/api/auth/oidc/callback"): Route("open"),
    ("GET", "/api/me"): Route("member"),
    ("PATCH", "/api/me"): Route("member", {"name": "Somebody"}),
    ("POST", "/api/me/password"): Route("member", {"current": "not my password", "new": PASSWORD}),
    ("DELETE", "/api/me"): Route("member", {"email": "not mine"}),
    ("GET", "/api/me/export"): Route("member"),
    ("GET", "/api/me/keys"): Route("member"),
    ("POST", "/api/me/keys"): Route("member", {"name": "key"}),
    ("DELETE", "/api/me/keys/{key_id}"): Route("own"),
    ("GET", "/api/conversations"): Route("member"),
    ("POST", "/api/conversations"): Route("member", {}),
    ("DELETE", "/api/conversations"): Route("member"),
    ("GET", "/api/conversations/folders"): Route("member"),
    ("GET", "/api/conversations/export"): Route("member"),
    ("POST", "/api/conversations/import"): Route("member", {}),
    ("GET", "/api/search"): Route("member"),
    ("GET", "/api/conversations/{conversation_id}/export"): Route("own"),
    ("GET", "/api/conversations/{conversation_id}"): Route("own"),
    ("PATCH", "/api/conversations/{conversation_id}"): Route("own", {"title": "Another"}),
    ("DELETE", "/api/conversations/{conversation_id}"): Route("own"),
    ("POST", "/api/conversations/{conversation_id}/messages"): Route("own", {"content": "More"}),
    ("POST", "/api/conversations/estimate"): Route("member", {"content": "More"}),
    ("POST", "/api/conversations/{conversation_id}/estimate"): Route("own", {"content": "More"}),
    ("GET", "/api/attachments/{attachment_id}"): Route("own"),
    ("GET", "/api/generations/{message_id}/events"): Route("own"),
    ("POST", "/api/generations/{message_id}/stop"): Route("own"),
    ("POST", "/api/conversations/{conversation_id}/comparisons"): Route("own", {"content": "Which?"}),
    ("POST", "/api/comparisons/{comparison_id}/vote"): Route("own", {"vote": "tie"}),
    ("POST", "/api/comparisons/{comparison_id}/again"): Route("own"),
    ("POST", "/api/comparisons/{comparison_id}/end"): Route("own"),
    ("GET", "/api/admin/comparisons"): Route("admin"),
    ("POST", "/api/messages/{message_id}/regenerate"): Route("own", {}),
    ("POST", "/api/messages/{message_id}/continue"): Route("own", {}),
    ("PUT", "/api/messages/{message_id}/feedback"): Route("own", {"rating": 1}),
    ("DELETE", "/api/messages/{message_id}/feedback"): Route("own"),
    ("POST", "/api/messages/{message_id}/copied"): Route("own"),
    ("GET", "/api/prompts"): Route("member"),
    ("POST", "/api/prompts"): Route("member", {"title": "T", "content": "C"}),
    ("PATCH", "/api/prompts/{prompt_id}"): Route("own", {"title": "Another"}),
    ("DELETE", "/api/prompts/{prompt_id}"): Route("own"),
    ("GET", "/api/models"): Route("member"),
    ("GET", "/api/models/served"): Route("member"),
    ("POST", "/api/models/rollback"): Route("admin"),
    ("POST", "/api/models/{version_id}/promote"): Route("admin"),
    ("POST", "/api/models/{version_id}/challenge"): Route("admin"),
    ("DELETE", "/api/models/challenger"): Route("admin"),
    ("GET", "/api/training/runs"): Route("member"),
    ("GET", "/api/training/runs/{run_id}"): Route("member"),
    ("GET", "/api/training/runs/{run_id}/rows"): Route("admin"),
    ("GET", "/api/training/runs/{run_id}/rows/counts"): Route("admin"),
    ("GET", "/api/training/sources/{source}/{source_id}/uses"): Route("admin"),
    ("PUT", "/api/training/exclusions/{source}/{source_id}"): Route("admin"),
    ("DELETE", "/api/training/exclusions/{source}/{source_id}"): Route("admin"),
    ("GET", "/api/admin/documents"): Route("admin"),
    ("GET", "/api/admin/documents/repos"): Route("admin"),
    ("POST", "/api/admin/documents"): Route("admin", {"repo": "r", "files": [{"path": "a.py", "content": "a = 1"}]}),
    ("GET", "/api/admin/documents/{document_id}"): Route("admin"),
    ("DELETE", "/api/admin/documents/{document_id}"): Route("admin"),
    ("GET", "/api/admin/usage"): Route("admin"),
    ("GET", "/api/admin/users"): Route("admin"),
    ("POST", "/api/admin/users"): Route("admin", {"email": "new@example.org", "name": "New"}),
    ("PATCH", "/api/admin/users/{user_id}"): Route("admin", {"name": "Renamed"}),
    ("POST", "/api/admin/users/{user_id}/link"): Route("admin"),
    ("DELETE", "/api/admin/users/{user_id}"): Route("admin"),
    ("GET", "/api/admin/audit"): Route("admin"),
    ("POST", "/v1/chat/completions"): Route(
        "member", {"messages": [{"role": "user", "content": "x"}], "max_tokens": 1}
    ),
    ("POST", "/v1/completions"): Route("member", TEXT),
    ("GET", "/v1/models"): Route("member"),
    ("GET", "/v1/models/{name}"): Route("member"),
    ("POST", "/infill"): Route("member", {"input_prefix": "def ", "input_suffix": "", "n_predict": 1}),
    ("POST", "/chat"): Route("member", TEXT),
    ("POST", "/generate"): Route("member", {"text": "def f():", "max_tokens": 1}),
}
TRIED = sorted(
    (route for route in ROUTES if route[1] != "/api/auth/logout"),  # it would end the sessions that others need
    key=lambda route: (route[0] == "DELETE", -route[1].count("/")),  # what others hang on goes last
)


@dataclass(frozen=True, slots=True)
class World:
    """``owner`` has one of everything, named in ``ids``; ``other`` is another member."""

    stranger: httpx.Client
    owner: httpx.Client
    other: httpx.Client
    admin: httpx.Client
    ids: dict[str, str]

    def request(self, who: httpx.Client, method: str, path: str) -> httpx.Response:
        return who.request(method, path.format(**self.ids), json=ROUTES[method, path].body)


def compare(database: str, ids: dict[str, str]) -> str:
    """A comparison that has been closed; the mock alone cannot be compared."""
    statement = (
        "INSERT INTO comparisons (id, user_id, question_id, left_id, right_id, left_model, right_model, closed_at)"
        " VALUES (gen_random_uuid(), %(user)s, %(question)s, %(left)s, %(right)s, 'a', 'b', now()) RETURNING id::text"
    )
    with psycopg.connect(plain_url(database)) as connection:
        row = connection.execute(statement, ids).fetchone()
    assert row is not None
    return str(row[0])


@pytest.fixture(scope="module")
def world(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        database = new_database()
        backend = stack.enter_context(Backend(tmp_path_factory.mktemp("world"), database, None, **ENVIRONMENT))
        admin = stack.enter_context(signed_in(backend))
        owner = stack.enter_context(member(backend, admin, "owner@example.org"))
        other = stack.enter_context(member(backend, admin, "other@example.org"))
        spare = admin.post("/api/admin/users", json={"email": "spare@example.org", "name": "Spare"}).json()
        conversation = owner.post("/api/conversations", json={}).json()["id"]
        question = {"content": "Hello", "attachments": [{"name": "a.py", "content": "a = 1"}]}
        sent = owner.post(f"/api/conversations/{conversation}/messages", json=question).json()
        message = sent["assistant_message"]["id"]
        with owner.stream("GET", f"/api/generations/{message}/events") as events:
            events.read()
        again = owner.post(f"/api/messages/{message}/regenerate", json={}).json()["assistant_message"]["id"]
        with owner.stream("GET", f"/api/generations/{again}/events") as events:
            events.read()
        compared = {"user": owner.get("/api/me").json()["id"], "question": sent["user_message"]["id"]}
        ids = {
            "comparison_id": compare(database, compared | {"left": message, "right": again}),
            "conversation_id": conversation, "message_id": message, "user_id": spare["user"]["id"], "name": "default",
            "key_id": owner.post("/api/me/keys", json={"name": "key"}).json()["id"],
            "prompt_id": owner.post("/api/prompts", json={"title": "T", "content": "C"}).json()["id"],
            "attachment_id": sent["user_message"]["attachments"][0]["id"],
            "run_id": NONE, "document_id": NONE, "version_id": NONE, "source": "rating", "source_id": NONE,
        }  # fmt: skip
        yield World(stack.enter_context(browser(backend)), owner, other, admin, ids)


def test_every_route_has_its_rule(world: World) -> None:
    description = world.stranger.get("/openapi.json").json()
    there = {(method.upper(), path) for path, methods in description["paths"].items() for method in methods}
    assert there == set(ROUTES)


@pytest.mark.parametrize(("method", "path"), TRIED)
def test_everybody_gets_what_the_rule_says(world: World, method: str, path: str) -> None:
    rule = ROUTES[method, path].rule
    stranger = world.request(world.stranger, method, path)
    if rule == "open":
        assert stranger.status_code != 403
        return
    assert stranger.status_code == 401, stranger.text
    if rule == "own":
        for who in (world.other, world.admin):
            assert world.request(who, method, path).status_code == 404
        mine = world.request(world.owner, method, path).status_code
        assert mine < 300 or mine == 409, "it may be that there is nothing to be done"
    elif rule == "admin":
        assert world.request(world.owner, method, path).status_code == 403
        assert world.request(world.admin, method, path).status_code not in (401, 403)
    else:
        assert world.request(world.owner, method, path).status_code not in (401, 403)


def test_what_others_have_is_in_no_list(world: World) -> None:
    for who in (world.other, world.admin):
        assert who.get("/api/conversations").json()["items"] == []
        assert world.ids["key_id"] not in who.get("/api/me/keys").text
