"""Runs the Playwright tests: the production build behind real nginx, real PostgreSQL and the demo model."""

import contextlib
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.past_run import write_past_run
from tests.e2e.site import ACCOUNTS, DIST, ROOT, environment_of, fragile_site
from tests.kubernetes.nginx_server import running_nginx
from tests.servers import Backend


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
    write_past_run(fresh_database_url, tmp_path, demo_gguf)
    with (
        Backend(tmp_path, fresh_database_url, demo_gguf, **ACCOUNTS) as backend,
        running_nginx(DIST, f"127.0.0.1:{backend.port}", tmp_path / "nginx") as port,
    ):
        assert backend.process is not None
        with slowed(backend.process):
            yield f"http://127.0.0.1:{port}"


def run_playwright(environment: dict[str, str], *arguments: str) -> None:
    npx = shutil.which("npx")
    assert npx is not None, "Node is missing: run the tests with 'make test'"
    result = subprocess.run(
        [npx, "playwright", "test", *arguments], cwd=ROOT / "frontend", env={**environment, "CI": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(result.stdout[-6000:])
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]


def test_the_chat_in_a_real_browser(site: str) -> None:
    run_playwright(environment_of(site))


def test_bad_days_in_a_real_browser(endless_gguf: Path, fresh_database_url: str, tmp_path: Path) -> None:
    with fragile_site(tmp_path, fresh_database_url, endless_gguf) as environment:
        run_playwright(environment, "bad-days/")
