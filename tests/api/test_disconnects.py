"""Hanging up ends what was asked for, wherever it is: being written, being read, or waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.api.http.disconnects import EventStream
from tests.api import raw
from tests.servers import Backend, eventually

CALLS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Count"}], "max_tokens": 1900, "temperature": 0},
    "/v1/completions": {"prompt": "import os\n", "max_tokens": 1900, "temperature": 0},
    "/chat": {"prompt": "Count", "max_tokens": 1900},
    "/generate": {"text": "import os\n", "max_tokens": 1900, "temperature": 0},
}
STREAMED = [(path, {**body, "stream": True}) for path, body in CALLS.items() if path.startswith("/v1")]
EVERY_CALL = [*CALLS.items(), *STREAMED]
NAMES = [path + (" streamed" if "stream" in body else "") for path, body in EVERY_CALL]


@pytest.fixture(scope="module")
def single(
    endless_gguf: Path, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """A backend that answers one request at a time, without end."""
    folder = tmp_path_factory.mktemp("single")
    with Backend(folder, new_database(), endless_gguf, N_SEQ_MAX="1", MAX_TOKENS="1900") as backend:
        yield backend


def in_system(backend: Backend, count: int) -> None:
    eventually(f"{count} requests in the system", lambda: backend.metric("requests_in_system") == count)


@pytest.mark.parametrize(("path", "body"), EVERY_CALL, ids=NAMES)
def test_hanging_up_ends_a_request_that_runs_and_one_that_waits(
    single: Backend, path: str, body: dict[str, Any]
) -> None:
    before = single.metric("cancelled_requests_total")
    with raw.connect(single) as running:
        running.sendall(raw.post(path, body))
        in_system(single, 1)
        with raw.connect(single) as waiting:
            waiting.sendall(raw.post(path, body))
            in_system(single, 2)
        in_system(single, 1)
        assert single.metric("cancelled_requests_total") == before + 1
    in_system(single, 0)
    assert single.metric("cancelled_requests_total") == before + 2


def test_a_stream_whose_reader_has_gone_before_it_begins_is_closed_all_the_same() -> None:
    closed: list[bool] = []
    begun: list[bool] = []

    async def lines() -> AsyncIterator[str]:
        begun.append(True)
        yield "data: {}\n\n"

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        await asyncio.sleep(1)  # the head is still on its way

    stream = EventStream(lines(), lambda: closed.append(True))
    asyncio.run(stream({"type": "http", "asgi": {"spec_version": "2.3"}}, receive, send))
    assert (begun, closed) == ([], [True])
