"""A backend over another backend: the same answers, the same errors, the same metrics."""

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.api.test_chat import LONG, answer_of, send
from tests.servers import Backend, events, eventually

Make = Callable[..., Backend]
MESSAGES = [{"role": "user", "content": "Write a function that adds two numbers"}]


@pytest.fixture(scope="module")
def over(
    backend: Backend, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """A backend over ``backend``."""
    folder = tmp_path_factory.mktemp("over")
    with Backend(folder, new_database(), None, ENGINE="upstream", UPSTREAM_URL=backend.url) as over:
        yield over


def both(backend: Backend, over: Backend, path: str, body: dict[str, Any]) -> tuple[httpx.Response, httpx.Response]:
    with backend.client() as direct, over.client() as through:
        return direct.post(path, json=body), through.post(path, json=body)


def without_chance(answer: dict[str, Any]) -> dict[str, Any]:
    """What has to be the same in two answers to one request. After a stop string a token more may have been made."""
    usage, choices = answer["usage"], answer["choices"]
    written = usage["completion_tokens"] if choices[0]["finish_reason"] == "length" else None
    return {"choices": choices, "model": answer["model"], "tokens": (usage["prompt_tokens"], written)}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": MESSAGES, "max_tokens": 30}),
        ("/v1/chat/completions", {"messages": MESSAGES, "max_tokens": 300, "stop": ["return"]}),
        ("/v1/completions", {"prompt": "def add(a, b):\n    return", "max_tokens": 12}),
        ("/v1/completions", {"prompt": "def add(a, b):\n    return ", "suffix": "\n\nprint(add(1, 2))\n"}),
        ("/v1/completions", {"prompt": "import", "max_tokens": 12, "min_p": 0.2, "top_k": 9, "repeat_penalty": 1.3}),
    ],
    ids=["chat", "stop", "completion", "infill", "extensions"],
)  # fmt: skip
def test_answers_are_the_same_as_without_a_server_in_between(
    backend: Backend, over: Backend, path: str, body: dict[str, Any]
) -> None:
    direct, through = both(backend, over, path, {**body, "temperature": 0, "seed": 1})
    assert direct.status_code == through.status_code == 200, through.text
    assert without_chance(through.json()) == without_chance(direct.json())


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "word " * 5000}]}, 400),
        ("/v1/completions", {"prompt": "a", "logit_bias": {"999999": 1}}, 400),
        ("/v1/completions", {"prompt": "a", "logit_bias": {"999999": 1}, "stream": True}, 400),
        ("/v1/completions", {"prompt": "a", "model": "gpt-9"}, 404),
    ],
    ids=["too long", "bias", "streamed", "model"],
)
def test_refusals_are_the_same_as_without_a_server_in_between(
    backend: Backend, over: Backend, path: str, body: dict[str, Any], status: int
) -> None:
    direct, through = both(backend, over, path, body)
    assert direct.status_code == through.status_code == status
    for field in ("code", "type"):
        assert through.json()["error"][field] == direct.json()["error"][field]


def test_a_chat_streams_through_and_is_recorded_with_the_upstreams_counts(over: Backend) -> None:
    with over.client() as client:
        conversation = client.post("/api/conversations", json={}).json()["id"]
        sent = send(client, conversation, "Write hello world")
        text, message = answer_of(client, sent["assistant_message"]["id"])
    assert message["status"] == "done"
    assert text == message["content"] != ""
    assert message["prompt_tokens"] > 0
    assert message["completion_tokens"] > 0


def metric_names(client: httpx.Client) -> set[str]:
    lines = client.get("/metrics").text.splitlines()
    return {line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")}


def test_it_has_the_metrics_of_a_model_of_its_own(backend: Backend, over: Backend) -> None:
    with over.client() as client:
        client.post("/generate", json={"text": "x", "max_tokens": 2})
        client.post("/v1/chat/completions", json={"messages": MESSAGES, "max_tokens": 2, "stream": True})
    with over.client() as through, backend.client() as direct:
        missing = metric_names(direct) - metric_names(through)
    of_the_machine = ("kv_", "batch", "step", "preempt", "thread", "cpu", "speculat", "draft", "accept", "restored")
    assert {name for name in missing if not name.removeprefix("codellama_").startswith(of_the_machine)} == set()
    assert over.metric("prompt_tokens_total") > 0
    assert over.metric("generated_tokens_total") > 0


@pytest.mark.parametrize("stream", [True, False])
def test_hanging_up_frees_both(endless_backend: Backend, own_backend: Make, stream: bool) -> None:
    over = own_backend(model=None, ENGINE="upstream", UPSTREAM_URL=endless_backend.url).start()
    body = json.dumps({"prompt": "import os\n", "max_tokens": 1900, "stream": stream}).encode()
    with socket.create_connection(("127.0.0.1", over.port)) as connection:
        head = f"POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        eventually("the engine is at work", lambda: endless_backend.metric("requests_in_system") == 1)
    eventually("the engine is free", lambda: endless_backend.metric("requests_in_system") == 0)
    eventually("nobody waits", lambda: over.metric("requests_in_system") == 0)
    assert over.metric("cancelled_requests_total") == 1


def test_an_upstream_that_dies_ends_answers_with_an_error_keeps_the_text_and_is_missed(own_backend: Make) -> None:
    upstream = own_backend(MAX_TOKENS="1900").start()
    over = own_backend(model=None, ENGINE="upstream", UPSTREAM_URL=upstream.url).start()
    with over.client() as client:
        conversation = client.post("/api/conversations", json={}).json()["id"]
        message_id = send(client, conversation, LONG)["assistant_message"]["id"]
        with client.stream("GET", f"/api/generations/{message_id}/events") as response:
            for name, data, _ in events(response):
                if name == "end":
                    message = data["message"]
                elif data.get("text") and upstream.process is not None and upstream.process.poll() is None:
                    upstream.kill()
        assert (message["status"], message["content"] != "") == ("error", True)
        assert "broke off" in message["error"]
        eventually("not ready", lambda: client.get("/ready").status_code == 503)
        ready = client.get("/ready").json()
        assert (ready["status"], ready["model"]) == ("unavailable", "endless")
        assert "does not answer" in ready["problem"]
        refused = client.post("/v1/completions", json={"prompt": "x"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "upstream_unavailable")
        assert "Retry-After" in refused.headers
        assert client.get("/health").status_code == 200
        upstream.start()
        eventually("ready again", lambda: client.get("/ready").status_code == 200)
        assert client.post("/generate", json={"text": "x", "max_tokens": 2}).status_code == 200
