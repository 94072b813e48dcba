"""The whole product as compose and Kubernetes run it: nginx before the backend, accounts, the demo model.

    python -m tests.e2e.site [--content] -- npm run screenshots

runs a command in ``frontend/`` with BASE_URL, E2E_EMAIL and E2E_PASSWORD set, on a database of its own that is gone
afterwards. ``--content`` fills it with what an organisation would have after some weeks.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

import psycopg

from codellama_core.database import plain_url
from tests.e2e.content import fill
from tests.e2e.controls import Action, controls
from tests.e2e.echo import echo
from tests.kubernetes.nginx_server import running_nginx
from tests.load.servers import embedded_database
from tests.servers import Backend, DatabaseProxy, Line

ROOT: Final = Path(__file__).resolve().parents[2]
DIST: Final = ROOT / "frontend" / "dist"
EMAIL, PASSWORD = "ada@example.org", "correct horse battery staple"
ACCOUNTS: Final = {"AUTH_MODE": "accounts", "ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": PASSWORD}
FRAGILE: Final = {
    "N_CTX": "16384", "MAX_TOKENS": "12000", "DRAIN_S": "1", "REAP_AFTER_S": "12", "N_THREADS": "1",
    "MAX_RUNNING": "2", "QUEUE_MAX_WAIT_S": "10",
}  # fmt: skip
"""Answers are long enough for whatever is to happen in their middle; a process that is silent is noticed soon, and two
answers at once fill it."""


def environment_of(address: str) -> dict[str, str]:
    """What a browser test is told of the site."""
    return {**os.environ, "BASE_URL": address, "E2E_EMAIL": EMAIL, "E2E_PASSWORD": PASSWORD}


@contextmanager
def running_site(folder: Path, *, content: bool) -> Iterator[str]:
    """Serve the built front end and a backend of its own; gives the address."""
    with ExitStack() as stack:
        database_url = stack.enter_context(embedded_database(folder))
        backend = stack.enter_context(Backend(folder, database_url, demo_model(folder), **ACCOUNTS))
        port = stack.enter_context(running_nginx(DIST, f"127.0.0.1:{backend.port}", folder / "nginx"))
        address = f"http://127.0.0.1:{port}"
        if content:
            fill(address, database_url, EMAIL, PASSWORD)
        yield address


def demo_model(folder: Path) -> Path:
    model = folder / "demo-model.gguf"
    export = [sys.executable, "-m", "finetuning", "export-base", str(ROOT / "fine-tuning" / "demo_model"), str(model)]
    subprocess.run([*export, "--quantize", "Q8_0"], check=True, stdout=subprocess.DEVNULL)
    return model


@contextmanager
def fragile_site(folder: Path, database_url: str, model: Path) -> Iterator[dict[str, str]]:
    """Two backends behind a database that can be cut off: the first alone at BASE_URL, both at PODS_URL.

    A third at ECHO_URL answers with what it was asked. The line to BASE_URL can be cut too. Gives the environment of
    the browser tests; CONTROL_URL has the switches.
    """
    with ExitStack() as stack:
        proxy = DatabaseProxy(database_url)
        stack.callback(proxy.cut)
        backends = [
            stack.enter_context(
                Backend(folder, proxy.url, model, **ACCOUNTS, **FRAGILE, SPOOL_DIR=str(folder / f"spool-{number}"))
            )
            for number in range(2)
        ]
        addresses = [f"127.0.0.1:{backend.port}" for backend in backends]
        upstream = stack.enter_context(echo())
        echoing = stack.enter_context(
            Backend(
                folder,
                database_url,
                None,
                **ACCOUNTS,
                ENGINE="upstream",
                UPSTREAM_URL=upstream,
                SPOOL_DIR=str(folder / "spool-echo"),
            )
        )
        alone = stack.enter_context(running_nginx(DIST, addresses[0], folder / "nginx"))
        both = stack.enter_context(running_nginx(DIST, "; server ".join(addresses), folder / "nginx-pods"))
        echoed = stack.enter_context(running_nginx(DIST, f"127.0.0.1:{echoing.port}", folder / "nginx-echo"))
        line = Line(partial(socket.create_connection, ("127.0.0.1", alone)))
        stack.callback(line.cut)
        switches = stack.enter_context(controls(_switches(backends, proxy, line, database_url)))
        yield {
            **environment_of(f"http://127.0.0.1:{line.port}"), "PODS_URL": f"http://127.0.0.1:{both}",
            "ECHO_URL": f"http://127.0.0.1:{echoed}", "CONTROL_URL": switches,
        }  # fmt: skip


def _switches(backends: Sequence[Backend], proxy: Line, line: Line, database_url: str) -> dict[str, Action]:
    def start() -> None:
        for backend in backends:
            if backend.process is None or backend.process.poll() is not None:
                backend.start()

    def mend() -> None:
        line.restore()
        proxy.restore()
        start()

    def kill_writer() -> None:
        writer = next(backend for backend in backends if backend.metric("requests_in_system") > 0)
        writer.kill()

    def sign_members_out() -> None:
        with psycopg.connect(plain_url(database_url)) as connection:
            members = "SELECT id FROM users WHERE role = 'member'"
            connection.execute(f"DELETE FROM sessions WHERE user_id IN ({members})")

    return {
        "kill": backends[0].kill, "terminate": backends[0].stop, "start": start, "kill-writer": kill_writer,
        "cut": proxy.cut, "restore": proxy.restore, "unplug": line.cut, "plug": line.restore,
        "mend": mend, "sign-members-out": sign_members_out,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", action="store_true", help="fill the site before the command runs")
    parser.add_argument("command", nargs="+", help="after --, the command to run")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_site(Path(folder), content=options.content) as address,
    ):
        print(f"the site is at {address}, {EMAIL} signs in with: {PASSWORD}", flush=True)
        command = subprocess.run(options.command, cwd=ROOT / "frontend", env=environment_of(address), check=False)
    return command.returncode


if __name__ == "__main__":
    sys.exit(main())
