"""Runs the Playwright tests: the production build behind real nginx, real PostgreSQL and the demo model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.past_run import write_past_run
from tests.e2e.playwright import run_playwright
from tests.e2e.site import ACCOUNTS, DIST, FRAGILE, environment_of, fragile_site
from tests.kubernetes.nginx_server import running_nginx
from tests.servers import Backend

UINT32: Final = (4).to_bytes(4, "little")
"""The type of a value, between its key and itself."""


@pytest.fixture
def site(demo_gguf: Path, fresh_database_url: str, tmp_path: Path) -> Iterator[str]:
    """Address of the whole product with accounts, as compose and Kubernetes run it."""
    write_past_run(fresh_database_url, tmp_path, demo_gguf)
    with (
        Backend(tmp_path, fresh_database_url, demo_gguf, **ACCOUNTS) as backend,
        running_nginx(DIST, f"127.0.0.1:{backend.port}", tmp_path / "nginx") as port,
    ):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def long_gguf(endless_gguf: Path, tmp_path: Path) -> Path:
    """The endless model without the end token of fill-in-the-middle either, and with a context that lasts a while."""
    content = endless_gguf.read_bytes()
    for key, value in ((b"tokenizer.ggml.eot_token_id", 0), (b"llama.context_length", int(FRAGILE["N_CTX"]))):
        start, rest = content.split(key + UINT32)
        content = start + key + UINT32 + value.to_bytes(4, "little") + rest[4:]
    path = tmp_path / "long.gguf"
    path.write_bytes(content)
    return path


def test_the_chat_in_a_real_browser(site: str) -> None:
    run_playwright(environment_of(site))


def test_streams_and_bad_days_in_a_real_browser(long_gguf: Path, fresh_database_url: str, tmp_path: Path) -> None:
    with fragile_site(tmp_path, fresh_database_url, long_gguf) as environment:
        run_playwright(environment, "streams/", "bad-days/")
