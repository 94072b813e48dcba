from collections.abc import Callable, Iterator

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.api.people import ADMIN_EMAIL, ENVIRONMENT, browser, invite, member, signed_in
from tests.servers import Backend, eventually


@pytest.fixture(scope="module")
def server(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, str]]:
    url = new_database()
    with Backend(tmp_path_factory.mktemp("users"), url, None, **ENVIRONMENT) as backend:
        yield backend, url


@pytest.fixture
def admin(server: tuple[Backend, str]) -> Iterator[httpx.Client]:
    with signed_in(server[0]) as client:
        yield client


def test_users_are_listed_by_address_page_by_page_and_found_by_part_of_a_name(admin: httpx.Client) -> None:
    for name in ("zoe", "yuri", "per_cent", "percent"):
        invite(admin, f"{name}@list.example")
    seen, after = [], None
    while True:
        page = admin.get("/api/admin/users", params={"limit": 2, **({"after": after} if after else {})}).json()
        seen += [user["email"] for user in page["items"]]
        if (after := page["next_after"]) is None:
            break
    assert seen == sorted(seen)
    assert {ADMIN_EMAIL, "zoe@list.example", "yuri@list.example"} <= set(seen)
    found = admin.get("/api/admin/users", params={"search": "PER_c"}).json()["items"]
    assert [user["email"] for user in found] == ["per_cent@list.example"]


def test_an_address_is_taken_once_whatever_its_case(admin: httpx.Client) -> None:
    invite(admin, "once@example.org")
    again = admin.post("/api/admin/users", json={"email": "ONCE@example.org", "name": "Other"})
    assert again.status_code == 409


def test_deactivating_signs_out_and_closes_keys_and_activating_opens_them(
    server: tuple[Backend, str], admin: httpx.Client
) -> None:
    with member(server[0], admin, "away@example.org") as away:
        user_id = away.get("/api/me").json()["id"]
        key = away.post("/api/me/keys", json={"name": "ci"}).json()["key"]
        headers = {"Authorization": f"Bearer {key}"}
        assert httpx.get(f"{server[0].url}/v1/models", headers=headers).status_code == 200
        admin.patch(f"/api/admin/users/{user_id}", json={"active": False})
        assert away.get("/api/me").status_code == 401
        assert httpx.get(f"{server[0].url}/v1/models", headers=headers).status_code == 401
        admin.patch(f"/api/admin/users/{user_id}", json={"active": True})
        assert away.get("/api/me").status_code == 401, "the session is gone for good"
        assert httpx.get(f"{server[0].url}/v1/models", headers=headers).status_code == 200


def test_the_only_admin_can_neither_leave_nor_step_down(admin: httpx.Client, server: tuple[Backend, str]) -> None:
    mine = f"/api/admin/users/{admin.get('/api/me').json()['id']}"
    for refused in (
        admin.patch(mine, json={"active": False}),
        admin.patch(mine, json={"role": "member"}),
        admin.delete(mine),
        admin.request("DELETE", "/api/me", json={"email": ADMIN_EMAIL, "password": ENVIRONMENT["ADMIN_PASSWORD"]}),
    ):
        assert refused.status_code == 409
        assert "only admin" in refused.json()["detail"]
    with member(server[0], admin, "second@example.org", "admin") as second:
        assert admin.patch(mine, json={"role": "member"}).status_code == 200
        assert admin.get("/api/admin/users").status_code == 403, "a role counts from the next request on"
        assert second.patch(mine, json={"role": "admin"}).status_code == 200
        assert second.patch(f"/api/admin/users/{second.get('/api/me').json()['id']}", json={"role": "member"})


def test_deleting_an_account_deletes_what_is_its_owners_and_ends_what_is_being_written(
    server: tuple[Backend, str], admin: httpx.Client
) -> None:
    with member(server[0], admin, "leaver@example.org") as leaver:
        user_id = leaver.get("/api/me").json()["id"]
        conversation = leaver.post("/api/conversations", json={}).json()["id"]
        leaver.post(f"/api/conversations/{conversation}/messages", json={"content": "Write something very long."})
        assert admin.delete(f"/api/admin/users/{user_id}").status_code == 204
        assert leaver.get("/api/me").status_code == 401
    with psycopg.connect(plain_url(server[1]), autocommit=True) as database:
        for table, column in (("users", "id"), ("conversations", "user_id"), ("sessions", "user_id")):
            query = f"SELECT count(*) FROM {table} WHERE {column} = %s"
            assert database.execute(query, [user_id]).fetchone() == (0,), table

    def idle() -> bool:
        metrics = httpx.get(f"{server[0].url}/metrics").text
        return "codellama_requests_in_system 0.0" in metrics

    eventually("the answer of a deleted account ends", idle)
    assert admin.delete(f"/api/admin/users/{user_id}").status_code == 404


def test_files_of_somebody_who_opted_out_go_with_the_account_and_others_stay(
    server: tuple[Backend, str], admin: httpx.Client
) -> None:
    for name, consent in (("willing", True), ("unwilling", False)):
        with member(server[0], admin, f"{name}@example.org", "admin") as uploader:
            file = {"path": f"{name}.py", "content": f"name = '{name}'"}
            uploader.post("/api/admin/documents", json={"repo": "leavers", "files": [file]})
            uploader.patch("/api/me", json={"training_consent": consent})
            admin.delete(f"/api/admin/users/{uploader.get('/api/me').json()['id']}")
    left = admin.get("/api/admin/documents", params={"repo": "leavers"}).json()["items"]
    assert [document["path"] for document in left] == ["willing.py"]


def test_every_act_of_an_admin_is_in_the_audit_log_newest_first(admin: httpx.Client) -> None:
    made = invite(admin, "audited@example.org")["user"]
    path = f"/api/admin/users/{made['id']}"
    admin.patch(path, json={"name": "Other"})
    admin.patch(path, json={"name": "Other"})  # changes nothing
    admin.post(f"{path}/link")
    admin.delete(path)
    page = admin.get("/api/admin/audit", params={"limit": 3}).json()
    entries = page["items"] + admin.get("/api/admin/audit", params={"before": page["next_before"]}).json()["items"]
    mine = [entry for entry in entries if entry["subject"] == "audited@example.org"]
    assert [entry["action"] for entry in mine] == ["user.delete", "user.link", "user.update", "user.create"]
    assert {entry["who"] for entry in mine} == {ADMIN_EMAIL}
    assert mine[2]["details"] == {"name": "Other"}
    assert len({entry["id"] for entry in entries}) == len(entries)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"email": "no-at-sign", "name": "N"}, "email"),
        ({"email": "two@at@signs", "name": "N"}, "email"),
        ({"email": "a@b", "name": "  "}, "name"),
        ({"email": "a@b", "name": "N", "role": "owner"}, "role"),
        ({"email": "a@b", "name": "N", "active": False}, "active"),
    ],
)
def test_bad_accounts_are_refused_by_the_name_of_the_field(
    admin: httpx.Client, body: dict[str, object], param: str
) -> None:
    refused = admin.post("/api/admin/users", json=body)
    assert (refused.status_code, refused.json()["param"]) == (422, param)


def test_a_member_is_no_admin(server: tuple[Backend, str], admin: httpx.Client) -> None:
    with member(server[0], admin, "plain@example.org") as plain:
        assert plain.get("/api/admin/users").status_code == 403
        assert plain.get("/api/admin/audit").status_code == 403
        mine = plain.get("/api/me").json()["id"]
        assert plain.patch(f"/api/admin/users/{mine}", json={"role": "admin"}).status_code == 403
    with browser(server[0]) as stranger:
        assert stranger.get("/api/admin/users").status_code == 401
