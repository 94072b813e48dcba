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
from codellama_core.ids import uuid7
from codellama_core.models import Base, User
from codellama_core.search import terms, tsquery


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
    row = "INSERT INTO users (id, email, name, role) VALUES (gen_random_uuid(), 'ada@example.org', 'Ada', 'member')"
    with bare_engine.begin() as connection:
        connection.execute(text(row))  # not through the models: those are of today
    migrate(bare_engine)
    check_revision(bare_engine)
    with Session(bare_engine) as session:
        assert session.scalars(select(User.email)).all() == ["ada@example.org"]


def test_messages_from_before_there_was_a_search_are_found(bare_engine: Engine) -> None:
    migrate(bare_engine, "0003")
    owner, page, times = uuid7(), uuid7(), ("2026-01-31T12:00:00Z", "2026-02-01T12:00:00Z")
    with bare_engine.begin() as connection:
        user = "INSERT INTO users (id, email, name, role) VALUES (:id, 'ada@example.org', 'Ada', 'member')"
        connection.execute(text(user), {"id": owner})
        chat = "INSERT INTO conversations (id, user_id, title) VALUES (:id, :owner, 'Parsing')"
        connection.execute(text(chat), {"id": page, "owner": owner})
        message = "INSERT INTO messages (id, conversation_id, author, content, status, created_at)"
        message += " VALUES (:id, :page, 'user', 'some words', :status, :at)"
        for status, at in zip(("done", "writing"), times, strict=True):
            connection.execute(text(message), {"id": uuid7(), "page": page, "status": status, "at": at})
    migrate(bare_engine)
    found = text("SELECT count(*) FROM message_search WHERE user_id = :owner AND words @@ CAST(:query AS tsquery)")
    with bare_engine.connect() as connection:
        query = tsquery(owner, terms('parsing "some words"'))
        assert connection.execute(found, {"owner": owner, "query": query}).scalar() == 1


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
