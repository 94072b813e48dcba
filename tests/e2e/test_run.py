"""``make run``'s program: everything on one machine, with the embedded PostgreSQL."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.servers import eventually, free_port


@pytest.fixture
def environment(demo_gguf: Path, tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "XDG_RUNTIME_DIR": str(tmp_path),
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
        "AUTH_MODE": "local",
        "N_THREADS": "1",
        "MODEL_PATH": str(demo_gguf),
        "MODELS_DIR": str(tmp_path / "models"),
        "SPOOL_DIR": str(tmp_path / "spool"),
    }


@pytest.fixture
def product(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "assistant", "run"]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
        yield process
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def postgres_of(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder / ".data") in part for part in process.info["cmdline"] or [])
    ]


def test_run_brings_its_database_and_ctrl_c_leaves_nothing_running(
    product: subprocess.Popen[bytes], environment: dict[str, str], tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{environment['PORT']}"

    def ready() -> bool:
        assert product.poll() is None, (tmp_path / "log").read_text()
        try:
            return httpx.get(f"{url}/ready").status_code == 200
        except httpx.TransportError:
            return False

    eventually("the product is ready", ready)
    assert postgres_of(tmp_path)
    made = httpx.post(f"{url}/api/conversations", json={"title": "kept"}).json()
    product.send_signal(signal.SIGINT)
    assert product.wait(60) == 0
    eventually("PostgreSQL has stopped", lambda: not postgres_of(tmp_path))
    program = [sys.executable, "-m", "assistant", "with-database", "--", sys.executable, "-c", READ]
    rows = subprocess.run(program, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert rows.stdout.split() == [made["id"]]
    eventually("PostgreSQL has stopped again", lambda: not postgres_of(tmp_path))


READ = """
import os, psycopg
from codellama_core.database import plain_url
with psycopg.connect(plain_url(os.environ["DATABASE_URL"])) as database:
    print(*(row[0] for row in database.execute("SELECT id FROM conversations")))
"""
