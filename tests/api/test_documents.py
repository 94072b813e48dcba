import httpx
import psycopg
import pytest

from codellama_core.database import plain_url


def upload(client: httpx.Client, repo: str, **files: str) -> dict[str, int]:
    body = {"repo": repo, "license": "MIT", "files": [{"path": path, "content": text} for path, text in files.items()]}
    response = client.post("/api/admin/documents", json=body)
    assert response.status_code == 200, response.text
    counts: dict[str, int] = response.json()["counts"]
    return counts


def paths(client: httpx.Client, **params: str | int) -> list[str]:
    return [item["path"] for item in client.get("/api/admin/documents", params=params).json()["items"]]


def test_files_are_taken_in_and_every_other_is_counted_with_its_reason(client: httpx.Client) -> None:
    files = {
        "a.py": "a = 1\n",
        "b/c.ts": "let x = 1",
        "logo.png": "no code",
        "empty.py": " \n",
        "gen.py": "# @generated",
    }
    counts = {"new": 2, "unknown_language": 1, "empty": 1, "generated": 1}
    assert upload(client, "counted", **files) == counts
    assert upload(client, "counted", **{"a.py": "a = 1\n", "b/c.ts": "let x = 2"}) == {"unchanged": 1, "changed": 1}
    assert paths(client, repo="counted") == ["a.py", "b/c.ts"]


def test_code_of_others_and_under_other_licenses_is_left_out(client: httpx.Client) -> None:
    files = [
        {"path": "COPYING", "content": "GNU GENERAL PUBLIC LICENSE\n Version 2, June 1991"},
        {"path": "theirs.py", "content": "x = 1\n"},
        {"path": "lib/LICENSE", "content": "Apache License\nVersion 2.0, January 2004"},
        {"path": "lib/free.py", "content": "y = 1\n"},
        {"path": "lib/tagged.py", "content": "# SPDX-License-Identifier: AGPL-3.0-only\nz = 1\n"},
        {"path": "node_modules/a.js", "content": "let a = 1\n"},
    ]
    response = client.post("/api/admin/documents", json={"repo": "licensed", "files": files})
    assert response.json()["counts"] == {"unknown_language": 2, "license": 2, "new": 1, "foreign_folder": 1}
    (document,) = client.get("/api/admin/documents", params={"repo": "licensed"}).json()["items"]
    assert (document["path"], document["license"]) == ("lib/free.py", "Apache-2.0")


def test_a_license_holds_for_every_portion_of_a_repository_that_it_is_sent_with(client: httpx.Client) -> None:
    gpl = {"path": "COPYING", "content": "GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007"}
    mit = {"path": "lib/LICENSE", "content": "Permission is hereby granted, free of charge, to any person obtaining a"}
    mit["content"] += " copy of this software"
    portions = [[gpl, {"path": "a.py", "content": "a = 1\n"}], [{"path": "b.py", "content": "b = 1\n"}]]
    portions.append([{"path": "lib/c.py", "content": "c = 1\n"}])
    counts = []
    for files in portions:
        body = {"repo": "in portions", "files": files, "license_files": [gpl, mit]}
        counts.append(client.post("/api/admin/documents", json=body).json()["counts"])
    assert counts == [{"unknown_language": 1, "license": 1}, {"license": 1}, {"new": 1}]
    (document,) = client.get("/api/admin/documents", params={"repo": "in portions"}).json()["items"]
    assert (document["path"], document["license"]) == ("lib/c.py", "MIT")


def test_an_erased_file_loses_its_text_and_does_not_come_back_by_path_or_by_content(
    client: httpx.Client, database_url: str
) -> None:
    upload(client, "erased", **{"secret.py": "password = 1"})
    (document,) = client.get("/api/admin/documents", params={"repo": "erased"}).json()["items"]
    path = f"/api/admin/documents/{document['id']}"
    assert client.get(path).json()["content"] == "password = 1"
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == client.delete(path).status_code == 404
    again = {"secret.py": "something = 'else'", "moved.py": "password = 1"}
    assert upload(client, "erased", **again) == {"tombstoned": 2}
    with psycopg.connect(plain_url(database_url)) as database:
        row = database.execute("SELECT content FROM documents WHERE id = %s", [document["id"]]).fetchone()
    assert row == ("",)
    repos = {repo["name"]: repo for repo in client.get("/api/admin/documents/repos").json()["items"]}
    assert (repos["erased"]["files"], repos["erased"]["erased"]) == (0, 1)


def test_documents_are_found_by_part_of_a_path_and_paged(client: httpx.Client) -> None:
    upload(client, "paged", **{f"pkg/mod_{n}.py": f"n = {n}" for n in range(7)})
    upload(client, "paged", **{"pkg/modX1.py": "x = 1"})
    assert paths(client, repo="paged", search="MOD_1") == ["pkg/mod_1.py"]
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = client.get("/api/admin/documents", params={"repo": "paged", "limit": 3, **after}).json()
        seen += [item["path"] for item in page["items"]]
        if page["next_after"] is None:
            break
        after = {"after": page["next_after"]}
    assert seen == sorted(seen)
    assert len(seen) == 8


@pytest.mark.parametrize("path", ["/etc/passwd.py", "", "\\windows.py"])
def test_a_path_is_relative(client: httpx.Client, path: str) -> None:
    refused = client.post("/api/admin/documents", json={"repo": "r", "files": [{"path": path, "content": "x = 1"}]})
    assert (refused.status_code, refused.json()["param"]) == (422, "files.0.path")
