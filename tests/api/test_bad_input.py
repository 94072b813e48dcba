"""Bodies that nobody should send, over every route that takes one: always 4xx, in the right shape, naming the fault."""

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant.commands import openapi
from tests.api import raw
from tests.servers import Backend

JSON = {"Content-Type": "application/json"}
LIMIT = 10 * 1024 * 1024
TAKES = [
    (method.upper(), path, next(iter(operation["requestBody"]["content"]["application/json"]["examples"].values())))
    for path, operations in openapi()["paths"].items()
    for method, operation in operations.items()
    if "requestBody" in operation and not path.startswith("/api/auth/")  # closed in local mode, whatever is sent
]
ROUTES = [(method, path, example["value"]) for method, path, example in TAKES]
NAMES = [f"{method} {path}" for method, path, _ in ROUTES]
every_route = pytest.mark.parametrize(("method", "path", "good"), ROUTES, ids=NAMES)


@pytest.fixture(scope="module")
def server(
    demo_gguf: Path, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("bad-input")
    limits = {"MAX_TOKENS": "4", "BODY_TIMEOUT_S": "5", "N_CTX": "1024"}  # what fills the context is read soon
    with Backend(folder, new_database(), demo_gguf, **limits) as backend:
        yield backend


@pytest.fixture(scope="module")
def known(server: Backend) -> dict[str, str]:
    with server.client() as client:
        conversation = client.post("/api/conversations", json={}).json()["id"]
        prompt = client.post("/api/prompts", json={"title": "T", "content": "C"}).json()["id"]
        me = client.get("/api/me").json()["id"]
    return {
        "conversation_id": conversation,
        "message_id": conversation,
        "comparison_id": conversation,
        "prompt_id": prompt,
        "user_id": me,
    }


Send = Callable[..., httpx.Response]


@pytest.fixture
def send(server: Backend, known: dict[str, str], method: str, path: str) -> Iterator[Send]:
    """Sends raw bytes to the route under test."""
    with server.client() as client:

        def request(content: Any, headers: dict[str, str] | None = None) -> httpx.Response:
            return client.request(method, path.format(**known), content=content, headers=headers or JSON)

        yield request


def fault(response: httpx.Response, path: str) -> tuple[str, str | None]:
    """What an error says, and which field it names; fails unless it has the shape that the path promises."""
    assert re.fullmatch(r"[\w.-]+", response.headers["X-Request-Id"])
    body = response.json()
    if path.startswith("/api"):
        assert response.headers["content-type"] == "application/problem+json"
        assert body.keys() == {"type", "title", "status", "detail", "code", "param", "request_id"}
        assert body["status"] == response.status_code
        message, param = body["detail"], body["param"]
    else:
        assert body.keys() == {"error"}
        assert body["error"].keys() == {"message", "type", "param", "code"}
        assert body["error"]["type"] == "invalid_request_error"
        message, param = body["error"]["message"], body["error"]["param"]
    assert not re.search(r"Traceback|assistant\.|pydantic|psycopg|\.py\b|0x[0-9a-f]{6}", message)
    return message, param


@every_route
@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "required"),
        (b"{", "not valid JSON"),
        (b"{'a': 1}", "not valid JSON"),
        (b'{"a": 1} x', "not valid JSON"),
        (b'{"a": "\x00"}', "not valid JSON"),
        (b'{"a": "\n"}', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a": "caf\xe9"}', "not UTF-8"),
        (b"[" * 100_000, "nested deeper"),
        (b"[" * 900 + b"]" * 900, "nested deeper"),
        (b'{"a":' * 100_000, "nested deeper"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "nested deeper"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1e999}', "1e999"),
        (b'{"a": ' + b"9" * 5000 + b"}", "4,300 digits"),
        (b'{"\\ud800": 1}', "surrogate"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' is given twice"),
        (b"[" + b"{}," * 100_001 + b"{}]", "objects"),
        (b"[]", ""),
        (b"null", ""),
        (b'"text"', ""),
        (b"17", ""),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else "",
)
def test_what_is_no_json_object_is_refused_with_a_sentence(
    send: Send, method: str, path: str, good: dict[str, Any], raw: bytes, says: str
) -> None:
    response = send(raw)
    assert response.status_code in (400, 422)
    message, _ = fault(response, path)
    assert says in message


@every_route
def test_fields_that_nobody_knows_are_refused_by_name(send: Send, method: str, path: str, good: dict[str, Any]) -> None:
    message, param = fault(send(json.dumps(good | {"colour": "red"})), path)
    assert param == "colour"
    assert "colour" in message


WRONG: list[tuple[str, str]] = [
    ("null in a list", "[null]"),
    ("a list", "[[]]"),
    ("an object", '{"a": {}}'),
    ("a huge integer", "9" * 4000),
    ("a negative number", "-1"),
    ("half a surrogate pair", '"\\ud800"'),
    ("NUL", '"\\u0000"'),
]
ACCEPTED = {
    ("rating", "-1"),
    ("max_tokens", "9" * 4000),
    ("n_predict", "9" * 4000),
    ("n_predict", "-1"),
    ("t_max_predict_ms", "-1"),
}
"""A verdict, wishes that end at the server's limit, and llama-server's way to say that there is none."""


@every_route
@pytest.mark.parametrize("value", [value for _, value in WRONG], ids=[name for name, _ in WRONG])
def test_a_field_with_the_wrong_value_is_named(
    send: Send, method: str, path: str, good: dict[str, Any], value: str
) -> None:
    for field in good:
        if (field, value) in ACCEPTED:
            continue
        others = "".join(f", {json.dumps(name)}: {json.dumps(other)}" for name, other in good.items() if name != field)
        response = send(f"{{{json.dumps(field)}: {value}{others}}}")
        assert response.status_code in (400, 422), (field, response.text)
        message, param = fault(response, path)
        assert field in message or field == str(param).split(".")[0], (field, message, param)


@pytest.mark.parametrize(
    ("path", "change", "field"),
    [
        ("/v1/completions", {"prompt": [4096]}, "prompt"),
        ("/v1/completions", {"prompt": [1, 2**31 - 1]}, "prompt"),
        ("/v1/completions", {"prompt": [1, 2**31]}, "prompt"),
        ("/v1/completions", {"prompt": [1, -1]}, "prompt"),
        ("/v1/completions", {"prompt": [1, 10**300]}, "prompt"),
        ("/v1/completions", {"prompt": [1, 2.5]}, "prompt"),
        ("/v1/completions", {"prompt": [1, True]}, "prompt"),
        ("/v1/completions", {"prompt": []}, "prompt"),
        ("/v1/completions", {"prompt": [[1], [2]]}, "prompt"),
        ("/v1/completions", {"prompt": [1] * 100_000}, "prompt"),
        ("/v1/completions", {"logit_bias": {"4096": 1}}, "logit_bias"),
        ("/v1/completions", {"logit_bias": {"-1": 1}}, "logit_bias"),
        ("/v1/completions", {"logit_bias": {"5": 101}}, "logit_bias"),
        ("/v1/completions", {"max_tokens": 0}, "max_tokens"),
        ("/v1/completions", {"logprobs": 21}, "logprobs"),
        ("/v1/completions", {"seed": 2**63}, "seed"),
        ("/v1/completions", {"stop": [""]}, "stop"),
        ("/v1/completions", {"stop": ["x"] * 17}, "stop"),
        ("/v1/completions", {"stop": ["x" * 401]}, "stop"),
        ("/v1/completions", {"temperature": 10**400}, "temperature"),
        ("/v1/completions", {"temperature": "0"}, "temperature"),
        ("/v1/completions", {"stream": 1}, "stream"),
        ("/v1/completions", {"grammar": "no grammar"}, "grammar"),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x", "colour": 1}]}, "messages.0.colour"),
        ("/v1/chat/completions", {"max_completion_tokens": -5}, "max_completion_tokens"),
        ("/infill", {"n_predict": -2}, "n_predict"),
        ("/infill", {"input_extra": [{"text": 5}]}, "input_extra.0.text"),
        ("/chat", {"max_tokens": -1}, "max_tokens"),
        ("/generate", {"temperature": -0.1}, "temperature"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_numbers_that_make_no_sense_are_refused_and_named(
    server: Backend, path: str, change: dict[str, Any], field: str
) -> None:
    good = next(body for _, route, body in ROUTES if route == path)
    with server.client() as client:
        response = client.post(path, json=good | change)
    assert response.status_code == 400, response.text
    message, param = fault(response, path)
    assert field in message or (param or "").startswith(field)


@every_route
@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", ""],
)
def test_a_body_that_is_not_declared_as_json_is_415(
    send: Send, method: str, path: str, good: dict[str, Any], kind: str
) -> None:
    response = send(json.dumps(good), {"Content-Type": kind})
    assert response.status_code == 415
    assert "application/json" in fault(response, path)[0]
    compressed = send(json.dumps(good), JSON | {"Content-Encoding": "gzip"})
    assert compressed.status_code == 415
    assert "Content-Encoding" in fault(compressed, path)[0]


@every_route
def test_a_body_over_the_limit_is_413_declared_or_in_chunks(
    send: Send, method: str, path: str, good: dict[str, Any]
) -> None:
    whole = json.dumps(good).encode() + b" " * LIMIT
    for content in (whole, (whole[at : at + 2**20] for at in range(0, len(whole), 2**20))):
        response = send(content)
        assert response.status_code == 413
        assert "10 MiB" in fault(response, path)[0]


def inflated(good: dict[str, Any], long: str) -> Iterator[dict[str, Any]]:
    """The body with each of its texts made long in turn."""
    for name, value in good.items():
        if isinstance(value, str):
            yield good | {name: long}
        elif name == "messages":
            yield good | {name: [{"role": "user", "content": long}]}


@every_route
def test_megabytes_of_text_are_refused_while_others_are_served(
    server: Backend, send: Send, method: str, path: str, good: dict[str, Any]
) -> None:
    """Beside it, a probe and a small completion go through: neither the event loop nor the engine is held up."""
    served: list[int] = []

    def others() -> None:
        with server.client() as client:
            while not done.is_set():
                served.append(client.get("/health").status_code)
                served.append(client.post("/generate", json={"text": "x = ", "max_tokens": 1}).status_code)

    done, beside = threading.Event(), threading.Thread(target=others)
    beside.start()
    try:
        for filler in ("word ", "a", "1", "\n", "é", "𝛼"):
            for body in inflated(good, filler * (LIMIT // 2 // len(filler.encode()) - 1000)):
                response = send(json.dumps(body, ensure_ascii=False))
                if path == "/infill":  # it fits any file to the context, and says so
                    assert response.json()["truncated"]
                    continue
                assert response.status_code in (400, 422), response.text[:200]
                message, _ = fault(response, path)
                assert re.search(r"tokens|characters|should be '", message)  # or none of the words that it takes
    finally:
        done.set()
        beside.join()
    assert set(served) <= {200}


HALVES = ('Content-Length: 100\r\n\r\n{"half', 'Transfer-Encoding: chunked\r\n\r\n6\r\n{"half\r\n')


@pytest.fixture(scope="module")
def half_sent(server: Backend, known: dict[str, str]) -> Iterator[dict[str, list[socket.socket]]]:
    """To each route a body that stops half way, declared and in chunks; all begin at once and time out together."""
    with ExitStack() as stack:
        connections: dict[str, list[socket.socket]] = {}
        for (method, path, _), name in zip(ROUTES, NAMES, strict=True):
            head = f"{method} {path.format(**known)} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            connections[name] = [stack.enter_context(raw.connect(server)) for _ in HALVES]
            for connection, half in zip(connections[name], HALVES, strict=True):
                connection.sendall((head + half).encode())
        yield connections


@every_route
def test_a_body_that_stops_half_way_is_408_and_the_connection_ends(
    half_sent: dict[str, list[socket.socket]], method: str, path: str, good: dict[str, Any]
) -> None:
    for connection in half_sent[f"{method} {path}"]:
        status, _, answer = raw.rest(connection).partition(b"\r\n")
        assert status.startswith(b"HTTP/1.1 408 ")
        assert b"within 5 s" in answer
