"""``/ws/chat``: questions as frames, answers as frames."""

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from codellama_core.database import plain_url
from tests.api.test_limits import EMAIL, PASSWORD, new_key
from tests.servers import Backend, eventually

QUESTION = {"prompt": "Write a function that adds two numbers", "max_tokens": 40, "temperature": 0}


def dial(backend: Backend, **headers: str) -> ClientConnection:
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return connect(f"ws://127.0.0.1:{backend.port}/ws/chat", additional_headers=extra, open_timeout=30)


def send(talk: ClientConnection, **question: Any) -> None:
    talk.send(json.dumps(question))


def receive(talk: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(talk.recv(timeout=60))
    return frame


def answer(talk: ClientConnection) -> list[dict[str, Any]]:
    """Frames up to the end or an error."""
    frames = [receive(talk)]
    while frames[-1]["event"] not in ("end", "error"):
        frames.append(receive(talk))
    return frames


def text_of(frames: list[dict[str, Any]]) -> str:
    return "".join(frame["text"] for frame in frames if frame["event"] == "text")


@pytest.fixture
def talk(backend: Backend) -> Iterator[ClientConnection]:
    with dial(backend) as talk:
        yield talk


def test_an_answer_comes_in_frames_and_is_the_one_that_chat_gives(talk: ClientConnection, client: httpx.Client) -> None:
    send(talk, **QUESTION)
    frames = answer(talk)
    assert {frame["event"] for frame in frames} <= {"queued", "reading", "text", "end"}
    messages = [{"role": "user", "content": QUESTION["prompt"]}]
    same = {"temperature": 0, "max_tokens": 40, "repeat_penalty": 1.05}
    whole = client.post("/v1/chat/completions", json={"messages": messages, **same}).json()
    assert text_of(frames) == whole["choices"][0]["message"]["content"]
    assert frames[-1]["finish_reason"] in ("stop", "length")
    assert frames[-1]["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"]
    assert frames[-1]["model"] == "demo"


def test_one_connection_carries_many_questions(talk: ClientConnection) -> None:
    texts = []
    for _ in range(3):
        send(talk, **QUESTION)
        texts.append(text_of(answer(talk)))
    assert len(set(texts)) == 1
    history = [
        {"role": "user", "content": QUESTION["prompt"]},
        {"role": "assistant", "content": texts[0]},
        {"role": "user", "content": "And three?"},
    ]
    send(talk, messages=history, max_tokens=10)
    assert answer(talk)[-1]["event"] == "end"


@pytest.mark.parametrize(
    ("frame", "param"),
    [
        ("{", None),
        ("[]", None),
        ('{"prompt": ""}', "prompt"),
        ('{"prompt": "x", "max_tokens": 0}', "max_tokens"),
        ('{"prompt": "x", "temperature": 9}', "temperature"),
        ('{"prompt": "x", "temperature": NaN}', None),
        ('{"prompt": "\\ud800"}', "prompt"),
        ('{"prompt": "x", "mood": "good"}', "mood"),
        ('{"messages": [{"role": "robot", "content": "x"}]}', "messages.0.role"),
        ('{"messages": [{"role": "assistant", "content": "x"}]}', "messages"),
        ('{"prompt": "x", "messages": [{"role": "user", "content": "x"}]}', None),
        ("{}", None),
        (json.dumps({"prompt": "word " * 9000}), None),
        (b"\xff\xfe", None),
    ],
)
def test_a_bad_frame_gets_an_error_that_names_the_field_and_the_next_one_works(
    talk: ClientConnection, frame: str | bytes, param: str | None
) -> None:
    talk.send(frame)
    refused = receive(talk)
    assert refused["event"] == "error"
    assert set(refused["error"]) == {"message", "type", "param", "code"}
    assert refused["error"]["type"] == "invalid_request_error"
    assert refused["error"]["param"] == param
    send(talk, prompt="Hello", max_tokens=2)
    assert answer(talk)[-1]["event"] == "end"


def test_a_frame_of_bytes_is_read_like_text(talk: ClientConnection) -> None:
    talk.send(json.dumps(QUESTION).encode())
    assert answer(talk)[-1]["event"] == "end"


def test_closing_cancels_the_answer(endless_backend: Backend) -> None:
    before = endless_backend.metric("cancelled_requests_total")
    with dial(endless_backend) as talk:
        send(talk, prompt="Write a long module", max_tokens=1900, temperature=0)
        while receive(talk)["event"] != "text":
            pass
    eventually("the engine is free", lambda: endless_backend.metric("requests_in_system") == 0)
    assert endless_backend.metric("cancelled_requests_total") == before + 1


def test_questions_that_come_meanwhile_wait_their_turn_and_too_many_are_refused(endless_backend: Backend) -> None:
    with dial(endless_backend) as talk:
        send(talk, prompt="Write a long module", max_tokens=900, temperature=2, top_k=0)
        while receive(talk)["event"] != "text":
            pass
        for _ in range(10):
            send(talk, prompt="Hello", max_tokens=1)
        ends = [answer(talk)[-1] for _ in range(11)]
    assert [end["error"]["code"] for end in ends if end["event"] == "error"] == ["conflict", "conflict"]
    assert sum(end["event"] == "end" for end in ends) == 9


def test_answers_are_recorded(talk: ClientConnection, database_url: str) -> None:
    marker = "remember this socket"
    send(talk, prompt=marker, max_tokens=3)
    answer(talk)

    def recorded() -> Any:
        query = "SELECT endpoint FROM api_interactions WHERE prompt->'messages'->0->>'content' = %s"
        with psycopg.connect(plain_url(database_url)) as database:
            return database.execute(query, [marker]).fetchone()

    assert eventually("it is stored", recorded) == ("/ws/chat",)


@pytest.mark.parametrize(
    "headers", [{"Host": "rebound.example"}, {"Origin": "https://evil.example"}, {"X-Forwarded-For": "10.0.0.1"}]
)
def test_local_mode_answers_this_machine_only(backend: Backend, headers: dict[str, str]) -> None:
    upgrade = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    assert httpx.get(f"{backend.url}/ws/chat", headers={**upgrade, **headers}).status_code == 403


def status_of(attempt: Callable[[], ClientConnection]) -> int:
    """The HTTP status of a connection that was refused."""
    with pytest.raises(InvalidStatus) as caught:
        attempt().close()
    return caught.value.response.status_code


@pytest.fixture(scope="module")
def guarded(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Backend, str]]:
    """A backend with accounts and the mock engine, and its database."""
    url = new_database()
    environment = {"AUTH_MODE": "accounts", "ENGINE": "mock", "ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": PASSWORD}
    with Backend(tmp_path_factory.mktemp("guarded"), url, None, **environment) as backend:
        yield backend, url


def test_strangers_do_not_get_in(guarded: tuple[Backend, str]) -> None:
    assert status_of(lambda: dial(guarded[0])) == 401
    assert status_of(lambda: dial(guarded[0], Authorization="Bearer cl-nothing")) == 401


def test_a_session_gets_in_from_its_own_site_only(guarded: tuple[Backend, str]) -> None:
    backend = guarded[0]
    with backend.client() as client:
        body = {"email": EMAIL, "password": PASSWORD}
        client.post("/api/auth/login", json=body, headers={"Origin": backend.url})
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    assert status_of(lambda: dial(backend, Cookie=cookie)) == 403
    assert status_of(lambda: dial(backend, Cookie=cookie, Origin="https://evil.example")) == 403
    with dial(backend, Cookie=cookie, Origin=backend.url) as talk:
        send(talk, prompt="Hello", max_tokens=2)
        assert answer(talk)[-1]["event"] == "end"


def test_each_question_counts_for_the_limits_of_the_key_which_may_be_revoked_meanwhile(
    guarded: tuple[Backend, str],
) -> None:
    backend, url = guarded
    with dial(backend, Authorization=f"Bearer {new_key(url, requests=2)}") as talk:
        ends = []
        for _ in range(3):
            send(talk, prompt="Hello", max_tokens=1)
            ends.append(answer(talk)[-1])
        assert [end["event"] for end in ends] == ["end", "end", "error"]
        assert ends[-1]["error"]["code"] == "rate_limit_exceeded"
        with psycopg.connect(plain_url(url), autocommit=True) as database:
            database.execute("UPDATE api_keys SET revoked_at = now()")
        send(talk, prompt="Hello", max_tokens=1)
        assert answer(talk)[-1]["error"]["type"] == "authentication_error"
        with pytest.raises(ConnectionClosed):
            talk.recv(timeout=30)


def test_a_reader_that_takes_nothing_is_cut_off_and_its_answer_ended(own_backend: Callable[..., Backend]) -> None:
    backend = own_backend(SEND_TIMEOUT_S="0.5").start()
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    narrow.connect(("127.0.0.1", backend.port))
    address = f"ws://127.0.0.1:{backend.port}/ws/chat"
    with connect(address, sock=narrow, compression=None, max_queue=1, close_timeout=0.1) as connection:
        for _ in range(4000):
            send(connection, prompt="Write a long module", max_tokens=1900, temperature=0)
        eventually("the answer is ended", lambda: backend.metric("cancelled_requests_total") == 1)
        eventually("the others are not begun", lambda: backend.metric("requests_in_system") == 0)
