from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers import Backend


@pytest.fixture(scope="session")
def backend(demo_gguf: Path, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend with the demo model, shared by tests that leave it as they found it."""
    with Backend(tmp_path_factory.mktemp("backend"), database_url, demo_gguf) as backend:
        yield backend


@pytest.fixture(scope="session")
def endless_backend(
    endless_gguf: Path, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """A backend whose answers never end by themselves, for stopping them."""
    with Backend(tmp_path_factory.mktemp("endless"), new_database(), endless_gguf) as backend:
        yield backend


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> str:
    """A database that a module shares."""
    return new_database()


@pytest.fixture(scope="module")
def mock_backend(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend without a model, for what is about rows and not about answers."""
    with Backend(tmp_path_factory.mktemp("mock"), database, None, ENGINE="mock") as backend:
        yield backend


@pytest.fixture
def mock_client(mock_backend: Backend) -> Iterator[httpx.Client]:
    """Its client, who has no conversations."""
    with mock_backend.client() as client:
        client.delete("/api/conversations")
        yield client


@pytest.fixture
def client(backend: Backend) -> Iterator[httpx.Client]:
    with backend.client() as client:
        yield client


@pytest.fixture
def conversation(client: httpx.Client) -> str:
    identity: str = client.post("/api/conversations", json={}).json()["id"]
    return identity


@pytest.fixture
def own_backend(endless_gguf: Path, fresh_database_url: str, tmp_path: Path) -> Iterator[Callable[..., Backend]]:
    """Makes backends for tests that stop, kill or starve them."""
    made: list[Backend] = []

    def make(database_url: str = fresh_database_url, model: Path | None = endless_gguf, **environment: str) -> Backend:
        made.append(Backend(tmp_path, database_url, model, **environment))
        return made[-1]

    yield make
    for each in made:
        if each.process is not None and each.process.poll() is None:
            each.kill()
