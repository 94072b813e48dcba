import subprocess
import sys
import threading
from collections.abc import Iterator

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from codellama_core.database import (
    DatabaseUrlError,
    RevisionError,
    check_revision,
    driver_url,
    head_revision,
    migrate,
    plain_url,
    sync_engine,
)
from codellama_core.models import Base, User


@pytest.fixture
def engine(fresh_database_url: str) -> Iterator[Engine]:
    engine = sync_engine(fresh_database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def bare_engine(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return engine


def test_migrating_an_empty_database_gives_the_schema_of_the_models(bare_engine: Engine) -> None:
    migrate(bare_engine)
    with bare_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_a_populated_database_keeps_its_rows(bare_engine: Engine) -> None:
    migrate(bare_engine, "0001")
    with Session(bare_engine) as session, session.begin():
        session.add(User(email="ada@example.org", name="Ada"))
    migrate(bare_engine)
    check_revision(bare_engine)
    with Session(bare_engine) as session:
        assert session.scalars(select(User.email)).all() == ["ada@example.org"]


def test_two_migrations_at_once_take_turns(bare_engine: Engine) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            migrate(bare_engine)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    check_revision(bare_engine)


def test_an_unmigrated_database_is_refused_with_the_command_that_mends_it(bare_engine: Engine) -> None:
    with pytest.raises(RevisionError, match="python -m codellama_core migrate"):
        check_revision(bare_engine)


def test_only_postgresql_addresses_are_taken() -> None:
    assert driver_url("postgresql://u:p@h/d") == "postgresql+psycopg://u:p@h/d"
    with pytest.raises(DatabaseUrlError, match="must begin with postgresql"):
        driver_url("sqlite:///x.db")
    with pytest.raises(DatabaseUrlError) as caught:
        driver_url("postgres//user:secret@host")
    assert "secret" not in str(caught.value)


def test_migrate_command_says_what_is_missing(fresh_database_url: str) -> None:
    def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "codellama_core", "migrate", "--wait", "0"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    unset = run({})
    assert (unset.returncode, "DATABASE_URL is not set" in unset.stderr) == (78, True)
    away = run({"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"})
    assert (away.returncode, "did not answer" in away.stderr) == (69, True)
    assert run({"DATABASE_URL": fresh_database_url}).returncode == 0
    with psycopg.connect(plain_url(fresh_database_url)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (head_revision(),)
