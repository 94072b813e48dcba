"""Real processes for tests: the backend as people start it, and lines to servers that can be cut."""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
from sqlalchemy.engine import URL, make_url

from codellama_core.database import plain_url

PATIENCE_S = 180.0
"""When what has not happened is called lost; a machine with much to do is merely slow."""
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""As the image and `make run` have it."""
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def free_port() -> int:
    """A port that nobody listens on, and that no other worker of this run is given: it is free until it is used."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port // 2 % WORKERS == WORKER:  # Linux gives every second port here and keeps the others for connections
            return port


def eventually(description: str, condition: Any, seconds: float = PATIENCE_S) -> Any:
    """The first true value of ``condition()``; fails with ``description`` when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"did not happen within {seconds:.0f} s: {description}")


class Backend:
    """``python -m assistant serve`` with an environment of its own."""

    def __init__(self, folder: Path, database_url: str, model: Path | None, **environment: str) -> None:
        self.port = int(environment.get("PORT", free_port()))
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"backend-{self.port}.log"
        self.environment = {
            "PATH": os.environ["PATH"],
            **HUGE_PAGES,
            "DATABASE_URL": database_url,
            "MODELS_DIR": str(folder / "models"),
            "SPOOL_DIR": str(folder / "spool"),
            "KV_DIR": str(folder / f"kv-{self.port}"),
            "HOST": "127.0.0.1",
            "AUTH_MODE": "local",
            "N_THREADS": "1",
            "N_CTX": "4096",
            "ALLOW_GRAMMARS": "on",
            "FLASH_ATTENTION": "off",
            "DATABASE_WAIT_S": "2",
            **({"MODEL_PATH": str(model)} if model else {}),
            **environment,
            "PORT": str(self.port),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, until_ready: bool = True) -> Self:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "assistant", "serve"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        if until_ready:
            try:
                eventually(f"ready at {self.url}: {self.log}", self._is_ready)
            except BaseException:
                self.kill()  # nobody has it yet who would end it
                raise
        return self

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            with self.client() as client:
                return client.get("/ready").status_code == 200
        except httpx.TransportError:
            return False

    def wait(self) -> int:
        """The exit code of a process that ends by itself."""
        assert self.process is not None
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self.start() if self.process is None else self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.stop()

    def client(self) -> httpx.Client:
        """Without the certificates that HTTP does not need: to read them takes longer than most requests."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE_S, verify=False)

    def metric(self, name: str) -> float:
        """Value of a metric without labels."""
        with self.client() as client:
            lines = client.get("/metrics").text.splitlines()
        for line in lines:
            if line.startswith(f"codellama_{name} "):
                return float(line.split()[-1])
        raise AssertionError(f"no metric codellama_{name}")


def events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any], str | None]]:
    """Server-sent events as (name, data, id)."""
    name, data, identity = "message", "", None
    for line in response.iter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            data += value
        elif field == "id":
            identity = value
        elif not line and data:
            yield name, {} if data == "[DONE]" else json.loads(data), identity
            name, data, identity = "message", "", None


class Line:
    """Forwards TCP from a port of its own; ``cut`` ends all connections and refuses new ones until ``restore``."""

    def __init__(self, connect: Callable[[], socket.socket]) -> None:
        self.port = free_port()
        self._connect = connect
        self._listener: socket.socket | None = None
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.restore()

    def cut(self) -> None:
        assert self._listener is not None
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener = None
        for pair in self._pairs:
            for each in pair:
                _hang_up(each)
        self._pairs.clear()

    def restore(self) -> None:
        """Let connections through again, if they were not."""
        if self._listener is not None:
            return
        listener = socket.create_server(("127.0.0.1", self.port))
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            pair = (client, self._connect())
            self._pairs.append(pair)
            threading.Thread(target=_pump, args=pair, daemon=True).start()


class DatabaseProxy(Line):
    """A line to a PostgreSQL server."""

    def __init__(self, url: str) -> None:
        self._target = make_url(plain_url(url))
        super().__init__(self._connect_to_target)

    @property
    def url(self) -> str:
        query = {key: value for key, value in self._target.query.items() if key != "host"}
        through: URL = self._target.set(host="127.0.0.1", port=self.port, query=query)
        return through.render_as_string(hide_password=False)

    def _connect_to_target(self) -> socket.socket:
        folder = self._target.query.get("host")
        if isinstance(folder, str):
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(f"{folder}/.s.PGSQL.{self._target.port or 5432}")
            return upstream
        return socket.create_connection((self._target.host, self._target.port or 5432))


def _pump(one: socket.socket, other: socket.socket) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        try:
            while True:
                for key, _ in selector.select():
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    if not (data := source.recv(65536)):
                        return
                    key.data.sendall(data)
        except (OSError, ValueError):
            return
        finally:
            _hang_up(one)
            _hang_up(other)


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    finally:
        connection.close()
