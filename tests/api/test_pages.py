"""The front end as the backend serves it where no nginx does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from assistant.api.http import pages

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<p>the application</p>")
    (tmp_path / "assets" / "index-1a2b.js").write_text("1")
    app = FastAPI()
    pages.mount(app, tmp_path)
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/c/0190", "/models/runs/1", "/settings"])
def test_a_page_s_address_gives_the_application_to_everybody(client: TestClient, path: str) -> None:
    for headers in ({}, BROWSER):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.text) == (200, "<p>the application</p>")
        assert answer.headers["Cache-Control"] == "no-cache"
        assert answer.headers["Content-Security-Policy"] == pages.CONTENT_SECURITY_POLICY


def test_a_mistyped_address_gives_the_application_to_a_browser_and_404_to_a_program(client: TestClient) -> None:
    assert client.get("/nowhere", headers=BROWSER).text == "<p>the application</p>"
    assert client.get("/nowhere").status_code == 404


@pytest.mark.parametrize("path", ["/api/nothing", "/v1/nothing", "/assets/gone.js"])
def test_what_only_programs_ask_for_is_never_the_application(client: TestClient, path: str) -> None:
    assert client.get(path, headers=BROWSER).status_code == 404


def test_files_with_a_hash_in_their_name_are_kept_for_ever(client: TestClient) -> None:
    assert "immutable" in client.get("/assets/index-1a2b.js").headers["Cache-Control"]
