"""The two calls for scripts that want one string back."""

import json
import socket

import httpx
import pytest

from tests.servers import Backend, eventually


def test_chat_applies_the_template_and_generate_does_not(client: httpx.Client) -> None:
    text = "Write a function that adds two numbers"
    chat = client.post("/chat", json={"prompt": text, "max_tokens": 30}).json()
    plain = client.post("/generate", json={"text": text, "max_tokens": 30, "temperature": 0}).json()
    assert set(chat) == {"response", "model", "finish_reason", "usage"}
    assert set(plain) == {"generated_text", "model", "finish_reason", "usage"}
    assert chat["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"]


def test_generate_at_temperature_zero_is_what_the_completion_gives(client: httpx.Client) -> None:
    text = "def add(a, b):\n    return"
    simple = client.post("/generate", json={"text": text, "max_tokens": 12, "temperature": 0}).json()
    same = {"prompt": text, "max_tokens": 12, "temperature": 0}
    assert simple["generated_text"] == client.post("/v1/completions", json=same).json()["choices"][0]["text"]


def test_a_limit_that_was_reached_is_told(client: httpx.Client) -> None:
    answer = client.post("/generate", json={"text": "import os\n", "max_tokens": 1}).json()
    assert (answer["finish_reason"], answer["usage"]["completion_tokens"]) == ("length", 1)


@pytest.mark.parametrize(("path", "body"), [("/chat", {"prompt": "Go on"}), ("/generate", {"text": "import os\n"})])
def test_hanging_up_frees_the_engine(endless_backend: Backend, path: str, body: dict[str, str]) -> None:
    content = json.dumps({**body, "max_tokens": 1900}).encode()
    before = endless_backend.metric("cancelled_requests_total")
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: "
    with socket.create_connection(("127.0.0.1", endless_backend.port)) as connection:
        connection.sendall(f"{head}{len(content)}\r\n\r\n".encode() + content)
        eventually("the engine is at work", lambda: endless_backend.metric("requests_in_system") == 1)
    eventually("the engine is free", lambda: endless_backend.metric("requests_in_system") == 0)
    assert endless_backend.metric("cancelled_requests_total") == before + 1
