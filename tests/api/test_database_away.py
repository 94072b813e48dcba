"""The database goes away while scripts use the API with keys."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.servers import Backend, DatabaseProxy, events, eventually

Make = Callable[..., Backend]
EMAIL = "ada@example.org"
ACCOUNTS = {"AUTH_MODE": "accounts", "ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": "correct horse battery"}


@pytest.fixture
def proxy(fresh_database_url: str) -> Iterator[DatabaseProxy]:
    proxy = DatabaseProxy(fresh_database_url)
    yield proxy
    proxy.cut()


def new_key(url: str) -> dict[str, str]:
    """A header with a key that the server has not seen yet."""
    command = [sys.executable, "-m", "assistant", "keys", "create", "--name", "test", "--email", EMAIL]
    made = subprocess.run(command, env={"DATABASE_URL": url}, capture_output=True, text=True, check=True)
    return {"Authorization": f"Bearer {made.stdout.strip()}"}


def recorded(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(plain_url(url)) as database:
        query = "SELECT prompt->>'text', response, completion_tokens FROM api_interactions ORDER BY created_at"
        return database.execute(query).fetchall()


def test_known_keys_and_streams_in_flight_go_on_and_every_record_is_written_later(
    own_backend: Make, proxy: DatabaseProxy, fresh_database_url: str
) -> None:
    backend = own_backend(proxy.url, MAX_TOKENS="900", **ACCOUNTS).start()
    known, unseen = new_key(fresh_database_url), new_key(fresh_database_url)
    long = {"prompt": "import os\n", "max_tokens": 900, "temperature": 0, "stream": True}
    with backend.client() as client:
        assert client.get("/v1/models", headers=known).status_code == 200
        with client.stream("POST", "/v1/completions", json=long, headers=known) as response:
            received = events(response)
            texts = [next(received)[1]["choices"][0]["text"]]
            proxy.cut()
            texts += [data["choices"][0]["text"] for _, data, _ in received if data]
        short = client.post("/generate", json={"text": "x = ", "max_tokens": 3}, headers=known)
        assert short.status_code == 200
        refused = client.post("/generate", json={"text": "x = ", "max_tokens": 3}, headers=unseen)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "database_unavailable")
        assert int(refused.headers["Retry-After"]) >= 1
        eventually("both records are spooled", lambda: client.get("/ready").json()["spooled_records"] == 2)
        assert recorded(fresh_database_url) == []
        proxy.restore()
        eventually("the spool is empty", lambda: client.get("/ready").json()["spooled_records"] == 0)
        assert client.get("/v1/models", headers=unseen).status_code == 200
    streamed, simple = recorded(fresh_database_url)
    assert streamed == (long["prompt"], "".join(texts), 900)
    assert simple == ("x = ", short.json()["generated_text"], short.json()["usage"]["completion_tokens"])
    assert httpx.get(f"{backend.url}/ready").json()["database"] == "ok"
