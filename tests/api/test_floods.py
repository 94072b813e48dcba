"""More connections than there is room for, and connections that come to nothing."""

import asyncio
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import psutil
import pytest

from tests.api import raw
from tests.servers import Backend, eventually

Make = Callable[..., Backend]
MANY = 1000


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * MANY
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted if hard < 0 else min(wanted, hard)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def call(backend: Backend, request: bytes) -> tuple[int, bool]:
    """The status of an answer, and whether it says when to come back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", backend.port)
    try:
        writer.write(request)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        return int(answer.split(b" ", 2)[1]), b"\r\nretry-after: " in answer
    finally:
        writer.close()
        await writer.wait_closed()


async def flood(backend: Backend, request: bytes) -> tuple[Counter[tuple[int, bool]], Counter[int]]:
    """What so many callers get who come at once, and what a probe gets meanwhile."""
    probes: Counter[int] = Counter()
    async with httpx.AsyncClient(base_url=backend.url, timeout=60) as client:

        async def probe() -> None:
            while True:
                probes[(await client.get("/health")).status_code] += 1

        probing = asyncio.create_task(probe())
        answers = await asyncio.gather(*(call(backend, request) for _ in range(MANY)))
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)
    return Counter(answers), probes


def test_a_thousand_at_once_are_served_or_told_when_to_come_back_and_leave_nothing_behind(
    own_backend: Make, many_descriptors: None
) -> None:
    backend = own_backend(MAX_REQUESTS="100", MAX_TOKENS="8").start()
    assert backend.process is not None
    process = psutil.Process(backend.process.pid)
    request = raw.post("/v1/completions", {"prompt": "import os\n", "max_tokens": 8})
    assert asyncio.run(call(backend, request)) == (200, False)
    before = process.num_fds()
    sizes = []
    for _ in range(3):
        answers, probes = asyncio.run(flood(backend, request))
        assert set(answers) == {(200, False), (429, True)}
        assert answers[200, False] >= 100
        assert set(probes) == {200}
        eventually("every connection has been let go", lambda: process.num_fds() <= before + 8)
        eventually("nothing is left in the engine", lambda: backend.metric("requests_in_system") == 0)
        sizes.append(process.memory_info().rss)
    assert sizes[2] < sizes[0] + 16 * 2**20


def test_connections_that_say_nothing_end_and_keep_nobody_waiting(own_backend: Make) -> None:
    backend = own_backend(HEAD_TIMEOUT_S="0.5").start()
    with ExitStack() as stack:
        silent = [stack.enter_context(raw.connect(backend)) for _ in range(200)]
        halves = [stack.enter_context(raw.connect(backend)) for _ in range(50)]
        for half in halves:
            half.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert httpx.post(f"{backend.url}/generate", json={"text": "x", "max_tokens": 2}).status_code == 200
        assert {raw.rest(each) for each in silent} == {b""}
        assert {raw.rest(each).split(b" ")[1] for each in halves} == {b"408"}


def test_a_second_request_on_a_connection_has_its_own_deadline(own_backend: Make) -> None:
    backend = own_backend(HEAD_TIMEOUT_S="0.5").start()
    with raw.connect(backend) as connection:
        connection.sendall(raw.head("GET", "/health") + b"GET /hea")
        answers = raw.rest(connection)
    assert answers.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answers


def test_what_comes_after_a_refusal_is_discarded_for_a_while_only(own_backend: Make) -> None:
    backend = own_backend(BODY_TIMEOUT_S="0.2").start()
    with raw.connect(backend) as connection:
        lengths = {"Content-Type": "application/json", "Content-Length": str(50 * 2**20)}
        connection.sendall(raw.head("POST", "/v1/completions", lengths) + b" " * 2**20)
        answer = raw.rest(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_when_there_is_no_room_the_longest_idle_connection_goes(own_backend: Make) -> None:
    backend = own_backend(MAX_CONNECTIONS="16").start()
    with ExitStack() as stack:
        idle = [stack.enter_context(raw.connect(backend)) for _ in range(16)]

        def served() -> bool:
            with raw.connect(backend) as connection:
                connection.sendall(raw.head("GET", "/health", {"Connection": "close"}))
                return raw.rest(connection).startswith(b"HTTP/1.1 200 ")

        eventually("a newcomer is served", served)
        assert raw.rest(idle[0]) == b""


def test_a_connection_at_work_never_makes_room(own_backend: Make) -> None:
    backend = own_backend(MAX_CONNECTIONS="16", N_SEQ_MAX="16", MAX_TOKENS="1900").start()
    request = raw.post("/v1/completions", {"prompt": "import os\n", "max_tokens": 1900, "stream": True})
    with ExitStack() as stack:
        working = [stack.enter_context(raw.connect(backend)) for _ in range(16)]
        for connection in working:
            connection.sendall(request)
            assert connection.recv(15).startswith(b"HTTP/1.1 200")
        with raw.connect(backend) as late:
            answer = raw.rest(late)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"Retry-After: 1" in answer
