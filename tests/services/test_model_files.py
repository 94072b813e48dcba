"""Downloads from a hub, tried against a small server that speaks the hub's protocol on this machine."""

import hashlib
import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

CONTENT = os.urandom(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Hub(http.server.BaseHTTPRequestHandler):
    """Serves one file as a hub does; cuts the first download in the middle when told to."""

    cut_first = False
    stated = SHA256
    ranges: list[str | None]

    def do_HEAD(self) -> None:
        self._head(200, len(CONTENT))

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        type(self).ranges.append(asked)
        start = int(asked.removeprefix("bytes=").split("-")[0]) if asked else 0
        self._head(206 if asked else 200, len(CONTENT) - start, start)
        if type(self).cut_first:
            type(self).cut_first = False
            self.wfile.write(CONTENT[start : start + 100_000])
            self.wfile.flush()
            self.connection.close()
            return
        self.wfile.write(CONTENT[start:])

    def _head(self, status: int, length: int, start: int = 0) -> None:
        self.send_response(status)
        self.send_header("ETag", f'"{self.stated}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(length))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def hub() -> Iterator[type[Hub]]:
    handler = type("OwnHub", (Hub,), {"ranges": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    handler.url = f"http://127.0.0.1:{server.server_address[1]}"  # type: ignore[attr-defined]
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(hub: type[Hub], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "HF_ENDPOINT": hub.url,  # type: ignore[attr-defined]
        "MODELS_DIR": str(folder / "models"),
        "DATABASE_URL": "postgresql://localhost/none",
    }
    command = [sys.executable, "-m", "assistant", "fetch-model", "--repo", "org/model", "--file", "m.gguf", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_file_is_downloaded_checked_and_not_downloaded_again(hub: type[Hub], tmp_path: Path) -> None:
    first = fetch(hub, tmp_path)
    assert first.returncode == 0, first.stderr
    path = Path(first.stdout.strip())
    assert path == tmp_path / "models" / "base" / "model" / "m.gguf"
    assert path.read_bytes() == CONTENT
    assert fetch(hub, tmp_path).stdout == first.stdout
    assert hub.ranges == [None]


def test_a_download_that_was_cut_goes_on_where_it_stopped(hub: type[Hub], tmp_path: Path) -> None:
    hub.cut_first = True
    result = fetch(hub, tmp_path)
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()).read_bytes() == CONTENT
    assert hub.ranges == [None, "bytes=100000-"]


def test_a_process_that_died_left_what_the_next_one_needs(hub: type[Hub], tmp_path: Path) -> None:
    folder = tmp_path / "models" / "base" / "model"
    folder.mkdir(parents=True)
    (folder / f"m.gguf.{SHA256[:16]}.part").write_bytes(CONTENT[:1234])
    assert Path(fetch(hub, tmp_path).stdout.strip()).read_bytes() == CONTENT
    assert hub.ranges == ["bytes=1234-"]


def test_a_file_that_is_not_the_one_asked_for_is_deleted(hub: type[Hub], tmp_path: Path) -> None:
    result = fetch(hub, tmp_path, "--sha256", "0" * 64)
    assert result.returncode == 69
    assert f"SHA-256 {SHA256}" in result.stderr
    assert not (tmp_path / "models" / "base" / "model" / "m.gguf").exists()


def test_without_a_way_to_the_hub_it_says_where_to_put_the_file(hub: type[Hub], tmp_path: Path) -> None:
    hub.url = "http://127.0.0.1:1"  # type: ignore[attr-defined]
    result = fetch(hub, tmp_path)
    assert result.returncode == 69
    assert "python -m assistant use-model" in result.stderr
