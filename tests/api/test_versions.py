"""Promoting, comparing and rolling back: what admins may serve, and what they are told when they may not."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.database import sync_engine
from codellama_core.models import VersionState
from tests.servers import Backend, eventually

REFUSED = {"verdict": {"passed": False, "checks": [{"check": "gate NLL", "passed": False}]}}


@pytest.fixture(scope="module")
def url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture(scope="module")
def server(demo_gguf: Path, url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with Backend(tmp_path_factory.mktemp("versions"), url, demo_gguf) as backend:
        yield backend


@pytest.fixture
def admin(server: Backend) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def add(url: str, demo_gguf: Path, tmp_path: Path) -> Callable[..., str]:
    """Registers another file, the demo model with a few bytes behind it, and gives its id."""

    def register(name: str, state: VersionState = VersionState.AVAILABLE, **more: Any) -> str:
        path = tmp_path / f"{name}.gguf"
        shutil.copy(demo_gguf, path)
        with path.open("ab") as file:
            file.write(uuid.uuid4().bytes)
        engine = sync_engine(url)
        with Session(engine) as session, session.begin():
            version = registry.register(
                session, models_dir=tmp_path, path=path, name=name, sha256=registry.sha256_of(path), size_bytes=1,
                state=state, **more,
            )  # fmt: skip
            version.path = str(path)
            identity = str(version.id)
        engine.dispose()
        return identity

    return register


def models(admin: httpx.Client) -> dict[str, Any]:
    page: dict[str, Any] = admin.get("/api/models").json()
    return page


def newest_act(admin: httpx.Client) -> tuple[str, str]:
    (entry,) = admin.get("/api/admin/audit", params={"limit": 1}).json()["items"]
    return entry["action"], entry["subject"]


def test_a_version_is_promoted_taken_over_and_rolled_back(admin: httpx.Client, add: Callable[..., str]) -> None:
    before, second = models(admin)["champion"], add("second")
    page = admin.post(f"/api/models/{second}/promote").json()
    assert (page["champion"], page["previous"]) == (second, before)
    assert page["servers"] == 1
    assert newest_act(admin) == ("model.promote", "second")
    eventually("the server has taken it over", lambda: models(admin)["taken_over"] == 1)
    assert models(admin)["serving"] == second
    assert admin.post("/api/models/rollback").json()["champion"] == before
    eventually("the server has gone back", lambda: models(admin)["serving"] == before)


def test_a_challenger_is_served_beside_the_champion_until_it_is_withdrawn(
    admin: httpx.Client, add: Callable[..., str]
) -> None:
    champion, rival = models(admin)["champion"], add("rival")
    page = admin.post(f"/api/models/{rival}/challenge").json()
    assert (page["champion"], page["challenger"]) == (champion, rival)
    assert newest_act(admin) == ("model.challenge", "rival")
    assert admin.delete("/api/models/challenger").json()["challenger"] is None
    assert newest_act(admin) == ("model.end_challenge", "rival")
    nothing = admin.delete("/api/models/challenger")
    assert (nothing.status_code, nothing.json()["detail"]) == (409, "There is no challenger.")


@pytest.mark.parametrize("act", ["promote", "challenge"])
def test_what_cannot_be_served_is_refused_with_the_reason(
    admin: httpx.Client, add: Callable[..., str], act: str, tmp_path: Path
) -> None:
    def refusal(version: str) -> str:
        response = admin.post(f"/api/models/{version}/{act}")
        assert response.status_code == 409, response.text
        return str(response.json()["detail"])

    before = models(admin)
    assert "refused by the gate (gate NLL)" in refusal(add(f"bad-{act}", VersionState.REJECTED, metrics=REFUSED))
    assert "refused by the gate" in refusal(add(f"old-{act}", VersionState.REJECTED))
    assert "was deleted to make room" in refusal(add(f"gone-{act}", VersionState.DELETED))
    lost = add(f"lost-{act}")
    (tmp_path / f"lost-{act}.gguf").unlink()
    assert "not where it was registered" in refusal(lost)
    assert "is the champion" in refusal(before["champion"])
    assert admin.post(f"/api/models/{uuid.uuid4()}/{act}").status_code == 404
    assert models(admin)["champion"] == before["champion"]
    assert models(admin)["challenger"] is None
