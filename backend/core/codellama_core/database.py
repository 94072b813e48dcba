"""Engines, the schema's revision, and the one place that migrates."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

MIGRATION_LOCK: Final = 4_711_001
CONNECT_TIMEOUT_S: Final = 5
CONNECTION: Final = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "tcp_user_timeout": 30_000,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
"""A server that is gone without a word is noticed within a minute, not after the kernel's two hours."""


class DatabaseUrlError(ValueError):
    """DATABASE_URL is not the address of a PostgreSQL database."""


class RevisionError(RuntimeError):
    """The database's schema is not the one this code was written for."""


def driver_url(url: str) -> str:
    """The same address with the psycopg 3 driver. Raises DatabaseUrlError for anything but PostgreSQL."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseUrlError(f"DATABASE_URL is not a database address: {_shorten(url)!r}") from None
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise DatabaseUrlError("DATABASE_URL must begin with postgresql://")
    return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def plain_url(url: str) -> str:
    """The address as libpq understands it, for a bare psycopg connection."""
    return make_url(driver_url(url)).set(drivername="postgresql").render_as_string(hide_password=False)


def _shorten(url: str) -> str:
    return url if "@" not in url else "…@" + url.rsplit("@", 1)[1]


def sync_engine(url: str) -> Engine:
    return create_engine(driver_url(url), pool_pre_ping=True, connect_args=CONNECTION)


def async_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    return create_async_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=CONNECT_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args=CONNECTION,
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config


def head_revision() -> str:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RevisionError("no migrations are installed")
    return head


def require_revision(connection: Connection) -> None:
    """Raises RevisionError unless the schema is exactly the one this code was written for."""
    current, head = MigrationContext.configure(connection).get_current_revision(), head_revision()
    if current != head:
        raise RevisionError(
            f"The database is at schema {current or 'none'}, this program needs {head}: "
            "run 'python -m codellama_core migrate' once, then start again."
        )


def check_revision(engine: Engine) -> None:
    """``require_revision`` on a connection of its own."""
    with engine.connect() as connection:
        require_revision(connection)


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to ``revision``. Safe to run from several processes at once: they take turns."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
