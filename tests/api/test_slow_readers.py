"""Readers that stop reading are cut off; what they asked for ends with them, or goes on where it is kept."""

import json
from collections.abc import Callable

import httpx
import psutil

from tests.api import raw
from tests.servers import Backend, events, eventually

Make = Callable[..., Backend]
ENDLESS = {"prompt": "import os\n", "max_tokens": 1900, "temperature": 0, "stream": True, "logprobs": 5}


def connections(backend: Backend) -> int:
    """Connections of callers that the process holds."""
    assert backend.process is not None
    held = psutil.Process(backend.process.pid).net_connections("tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == backend.port for each in held)


def test_a_stream_that_nobody_reads_is_cut_and_cancelled_and_others_do_not_notice(own_backend: Make) -> None:
    backend = own_backend(SEND_TIMEOUT_S="0.3", MAX_TOKENS="1900").start()
    with raw.connect(backend, receive_buffer=2048) as reader, backend.client() as client:
        reader.sendall(raw.post("/v1/completions", ENDLESS))
        with client.stream("POST", "/v1/completions", json=ENDLESS | {"max_tokens": 1000}) as response:
            chunks = [data for _, data, _ in events(response)]
        eventually("the generation is cancelled", lambda: backend.metric("cancelled_requests_total") == 1)
        eventually("the engine is free", lambda: backend.metric("requests_in_system") == 0)
        answer = raw.rest(reader)
    assert chunks[-1] == {}
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"[DONE]" not in answer


def test_what_waits_for_a_reader_is_bounded(own_backend: Make) -> None:
    """The server never holds more of a stream than a reader can be behind: the rest stays token ids."""
    backend = own_backend(SEND_TIMEOUT_S="0.3", MAX_TOKENS="1900").start()
    with raw.connect(backend, receive_buffer=2048) as reader:
        reader.sendall(raw.post("/v1/completions", ENDLESS))
        eventually("the generation is cancelled", lambda: backend.metric("cancelled_requests_total") == 1)
        assert len(raw.rest(reader)) < 128 * 1024


def test_an_answer_that_nobody_takes_is_cut_off(own_backend: Make) -> None:
    backend = own_backend(SEND_TIMEOUT_S="0.3", ENGINE="mock", model=None).start()
    before = connections(backend)
    with raw.connect(backend, receive_buffer=2048) as reader:
        reader.sendall(raw.head("GET", "/openapi.json"))
        eventually("the connection is there", lambda: connections(backend) > before)
        eventually("the connection is gone", lambda: connections(backend) <= before)
        head, _, body = raw.rest(reader).partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    assert len(body) < length


def test_a_reader_that_is_slow_but_reads_gets_everything(own_backend: Make) -> None:
    backend = own_backend(SEND_TIMEOUT_S="1", ENGINE="mock", model=None).start()
    whole = httpx.get(f"{backend.url}/openapi.json").json()
    with raw.connect(backend, receive_buffer=2048) as reader:
        reader.sendall(raw.head("GET", "/openapi.json", {"Connection": "close"}))
        received = b"".join(iter(lambda: reader.recv(256), b""))
    assert json.loads(received.partition(b"\r\n\r\n")[2]) == whole


def test_a_chat_goes_on_when_its_reader_stops_reading(own_backend: Make) -> None:
    backend = own_backend(SEND_TIMEOUT_S="0.3", MAX_TOKENS="600").start()
    with backend.client() as client:
        conversation = client.post("/api/conversations", json={}).json()["id"]
        sent = client.post(f"/api/conversations/{conversation}/messages", json={"content": "Count"}).json()
        message = sent["assistant_message"]["id"]
        with raw.connect(backend, receive_buffer=2048) as reader:
            reader.sendall(raw.head("GET", f"/api/generations/{message}/events"))

            def answer() -> dict[str, object]:
                turns: list[dict[str, object]] = client.get(f"/api/conversations/{conversation}").json()["messages"]
                return turns[1]

            eventually("the answer is written to its end", lambda: answer()["status"] == "done")
        assert answer()["completion_tokens"] == 600
