"""Every act of an admin is in the audit log."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.database import sync_engine
from tests.api.people import ENVIRONMENT, signed_in
from tests.api.test_authorization import NONE, ROUTES
from tests.servers import Backend

WRITES = sorted(
    ((method, path) for (method, path), route in ROUTES.items() if route.rule == "admin" and method != "GET"),
    key=lambda route: (route[0] == "DELETE" and "/admin/" in route[1], route[1]),  # what others act on goes last
)


@pytest.fixture(scope="module")
def ids(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the acts need: an address, and the ids of what they act on."""
    folder, url = tmp_path_factory.mktemp("audit"), new_database()
    with Backend(folder, url, None, **ENVIRONMENT) as backend, signed_in(backend) as admin:
        engine = sync_engine(url)
        with Session(engine) as session, session.begin():
            first, second, third = (registered(session, folder, name) for name in ("first", "second", "third"))
            registry.promote(session, first)
            registry.promote(session, second)
            registry.challenge(session, first)
        engine.dispose()
        file = {"repo": "r", "files": [{"path": "to_erase.py", "content": "x = 1"}]}
        assert admin.post("/api/admin/documents", json=file).status_code == 200
        spare = admin.post("/api/admin/users", json={"email": "spare@example.org", "name": "Spare"}).json()
        yield {
            "admin": admin, "user_id": spare["user"]["id"], "version_id": str(third), "source": "rating",
            "source_id": NONE, "document_id": admin.get("/api/admin/documents").json()["items"][0]["id"],
        }  # fmt: skip


def registered(session: Session, folder: Path, name: str) -> Any:
    path = folder / f"{name}.gguf"
    path.write_text(name)
    digest = registry.sha256_of(path)
    version = registry.register(session, models_dir=folder, path=path, name=name, sha256=digest, size_bytes=1)
    version.path = str(path)
    return version.id


def entries(admin: httpx.Client) -> list[str]:
    return [entry["id"] for entry in admin.get("/api/admin/audit", params={"limit": 200}).json()["items"]]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_an_act_is_written_down_once(ids: dict[str, Any], method: str, path: str) -> None:
    """A new route for admins comes here by itself, from the table of rules; what it needs belongs into ``ids``."""
    admin: httpx.Client = ids["admin"]
    before = entries(admin)
    response = admin.request(method, path.format(**ids), json=ROUTES[method, path].body)
    assert response.is_success, response.text
    assert len(entries(admin)) == len(before) + 1
