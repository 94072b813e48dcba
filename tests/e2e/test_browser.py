"""Runs the Playwright tests: the production build behind real nginx, real PostgreSQL and the demo model."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.past_run import write_past_run
from tests.kubernetes.nginx_server import running_nginx
from tests.servers import Backend

ROOT = Path(__file__).resolve().parents[2]
EMAIL, PASSWORD = "admin@example.org", "correct horse battery staple"


@contextlib.contextmanager
def slowed(process: "subprocess.Popen[bytes]", running_s: float = 0.01, stopped_s: float = 0.04) -> Iterator[None]:
    """Let a process run a fifth of the time: a demo model's answers are over before a browser has looked at them."""
    over = threading.Event()

    def take_turns() -> None:
        while not over.wait(running_s):
            process.send_signal(signal.SIGSTOP)
            over.wait(stopped_s)
            process.send_signal(signal.SIGCONT)

    thread = threading.Thread(target=take_turns)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def site(demo_gguf: Path, fresh_database_url: str, tmp_path: Path) -> Iterator[str]:
    """Address of the whole product with accounts, as compose and Kubernetes run it."""
    environment = {"AUTH_MODE": "accounts", "ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": PASSWORD}
    write_past_run(fresh_database_url, tmp_path, demo_gguf)
    with (
        Backend(tmp_path, fresh_database_url, demo_gguf, **environment) as backend,
        running_nginx(ROOT / "frontend" / "dist", f"127.0.0.1:{backend.port}", tmp_path / "nginx") as port,
    ):
        assert backend.process is not None
        with slowed(backend.process):
            yield f"http://127.0.0.1:{port}"


def test_the_chat_in_a_real_browser(site: str) -> None:
    npx = shutil.which("npx")
    assert npx is not None, "Node is missing: run the tests with 'make test'"
    environment = {**os.environ, "BASE_URL": site, "E2E_EMAIL": EMAIL, "E2E_PASSWORD": PASSWORD, "CI": "1"}
    result = subprocess.run(
        [npx, "playwright", "test"], cwd=ROOT / "frontend", env=environment, capture_output=True, text=True, check=False
    )
    print(result.stdout[-6000:])
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
