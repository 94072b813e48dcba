import json
import socket
from typing import Any

import httpx
import openai
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.servers import Backend, events, eventually

MESSAGES: Any = [{"role": "user", "content": "Write a function that adds two numbers"}]


@pytest.fixture
def official(backend: Backend) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{backend.url}/v1", api_key="none", max_retries=0)


def test_official_client_gets_whole_chat_answers(official: openai.OpenAI) -> None:
    answer = official.chat.completions.create(model="demo", messages=MESSAGES, max_tokens=40, temperature=0)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_official_client_streams_the_same_text_as_without_stream(official: openai.OpenAI) -> None:
    whole = official.chat.completions.create(model="demo", messages=MESSAGES, max_tokens=40, temperature=0)
    stream = official.chat.completions.create(
        model="demo", messages=MESSAGES, max_tokens=40, temperature=0, stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.rstrip() == (whole.choices[0].message.content or "").rstrip()
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage == whole.usage or chunks[-1].usage is not None
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] in ("stop", "length")
    assert len(chunks) > 3


def test_official_client_completes_text_and_fills_in(official: openai.OpenAI) -> None:
    plain = official.completions.create(model="demo", prompt="def add(a, b):\n    return", max_tokens=8, temperature=0)
    assert plain.object == "text_completion"
    assert plain.choices[0].text
    streamed = official.completions.create(
        model="demo", prompt="def add(a, b):\n    return", max_tokens=8, temperature=0, stream=True
    )
    assert "".join(chunk.choices[0].text for chunk in streamed if chunk.choices) == plain.choices[0].text
    middle = official.completions.create(
        model="demo", prompt="def add(a, b):\n    return ", suffix="\n\nprint(add(1, 2))\n", max_tokens=8, temperature=0
    )
    assert middle.usage is not None
    assert middle.usage.prompt_tokens > (plain.usage.prompt_tokens if plain.usage else 0)


def test_official_client_lists_the_model(official: openai.OpenAI) -> None:
    assert [model.id for model in official.models.list()] == ["demo"]
    assert official.models.retrieve("demo").owned_by == "codellama-assistant"
    with pytest.raises(openai.NotFoundError):
        official.models.retrieve("gpt-9")


def test_the_same_seed_gives_the_same_text(official: openai.OpenAI) -> None:
    texts = {
        official.completions.create(model="demo", prompt="import", max_tokens=24, temperature=1.2, seed=7)
        .choices[0]
        .text
        for _ in range(3)
    }
    assert len(texts) == 1


def test_stop_strings_end_the_text_and_are_not_in_it(official: openai.OpenAI) -> None:
    free = official.completions.create(model="demo", prompt="def add(a, b):", max_tokens=30, temperature=0)
    stop = free.choices[0].text[6:9]
    cut = official.completions.create(model="demo", prompt="def add(a, b):", max_tokens=30, temperature=0, stop=[stop])
    assert cut.choices[0].text == free.choices[0].text[: free.choices[0].text.index(stop)]
    assert cut.choices[0].finish_reason == "stop"


def test_logit_bias_forbids_a_token(official: openai.OpenAI, client: httpx.Client) -> None:
    free = official.completions.create(model="demo", prompt="def add(a, b):", max_tokens=1, temperature=0)
    bias = dict.fromkeys((str(token) for token in range(4096)), -100)
    bias["400"] = 100
    forced = official.completions.create(
        model="demo", prompt="def add(a, b):", max_tokens=1, temperature=0, logit_bias=bias
    )
    assert forced.choices[0].text != free.choices[0].text


CHAT = "/v1/chat/completions"
COMPLETION = "/v1/completions"


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        (CHAT, {"messages": []}, 400, "messages"),
        (CHAT, {}, 400, "messages"),
        (CHAT, {"messages": MESSAGES, "model": "gpt-9"}, 404, "model"),
        (CHAT, {"messages": MESSAGES, "max_tokens": -1}, 400, "max_tokens"),
        (CHAT, {"messages": MESSAGES, "max_tokens": 0}, 400, "max_tokens"),
        (CHAT, {"messages": MESSAGES, "max_tokens": "many"}, 400, "max_tokens"),
        (CHAT, {"messages": MESSAGES, "temperature": 9}, 400, "temperature"),
        (CHAT, {"messages": MESSAGES, "tools": [{}]}, 400, "tools"),
        (CHAT, {"messages": MESSAGES, "response_format": {"type": "json_object"}}, 400, "response_format.type"),
        (CHAT, {"messages": MESSAGES, "n": 2}, 400, "n"),
        (CHAT, {"messages": MESSAGES, "logprobs": True}, 400, "logprobs"),
        (CHAT, {"messages": [{"role": "robot", "content": "x"}]}, 400, "messages.0.role"),
        (CHAT, {"messages": [{"role": "user", "content": None}]}, 400, None),
        (CHAT, {"messages": [{"role": "user", "content": "word " * 5000}]}, 400, None),
        (CHAT, {"messages": [{"role": "assistant", "content": "x"}]}, 400, None),
        (COMPLETION, {"prompt": ["a", "b"]}, 400, None),
        (COMPLETION, {"prompt": "a", "best_of": 3}, 400, "best_of"),
        (COMPLETION, {"prompt": "a", "echo": True}, 400, "echo"),
        (COMPLETION, {"prompt": "a", "logit_bias": {"999999": 1}}, 400, None),
        ("/chat", {"prompt": ""}, 400, "prompt"),
        ("/chat", {"prompt": "x", "max_tokens": "x"}, 400, "max_tokens"),
        ("/chat", {"prompt": "x", "mood": "good"}, 400, "mood"),
        ("/generate", {"text": "x", "temperature": -1}, 400, "temperature"),
        ("/generate", {"prompt": "x"}, 400, None),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    client: httpx.Client, path: str, body: dict[str, Any], status: int, param: str | None
) -> None:
    response = client.post(path, json=body)
    error = response.json()["error"]
    assert response.status_code == status, error
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    if param is not None:
        assert error["param"] == param


@pytest.mark.parametrize("raw", [b"{", b"[]", b"null", b"\xff\xfe", b'{"messages": NaN}', b""])
def test_malformed_json_is_explained(client: httpx.Client, raw: bytes) -> None:
    response = client.post(CHAT, content=raw, headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["message"]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(client: httpx.Client, value: str) -> None:
    raw = json.dumps({"messages": MESSAGES})[:-1] + f', "temperature": {value}}}'
    response = client.post(CHAT, content=raw, headers={"content-type": "application/json"})
    assert response.status_code == 400


def test_a_body_over_ten_megabytes_is_refused(client: httpx.Client) -> None:
    response = client.post("/v1/completions", json={"prompt": "x" * 11_000_000})
    assert response.status_code == 413


def test_a_huge_max_tokens_ends_at_the_servers_limit_not_in_an_error(client: httpx.Client) -> None:
    body = {"prompt": "x = 1", "max_tokens": 10**9, "stop": ["\n"], "temperature": 0}
    assert client.post(COMPLETION, json=body).status_code == 200


def test_simple_calls_answer_with_one_string(client: httpx.Client) -> None:
    chat = client.post("/chat", json={"prompt": "Write hello world", "max_tokens": 30}).json()
    assert chat["response"]
    assert chat["model"] == "demo"
    generated = client.post("/generate", json={"text": "def add(a, b):", "max_tokens": 10, "temperature": 0}).json()
    assert generated["usage"]["completion_tokens"] <= 10
    assert generated["generated_text"]


def test_every_call_is_recorded(client: httpx.Client, database_url: str) -> None:
    marker = "record_this_call = 1234"
    client.post("/generate", json={"text": marker, "max_tokens": 5, "temperature": 0})

    def recorded() -> Any:
        columns = "endpoint, parameters->>'max_tokens', completion_tokens"
        query = f"SELECT {columns} FROM api_interactions WHERE prompt->>'text' = %s"
        with psycopg.connect(plain_url(database_url)) as database:
            return database.execute(query, [marker]).fetchone()

    endpoint, limit, tokens = eventually("the interaction is stored", recorded)
    assert (endpoint, limit) == ("/generate", "5")
    assert 0 < tokens <= 5


@pytest.mark.parametrize("stream", [True, False])
def test_hanging_up_frees_the_engine(backend: Backend, stream: bool) -> None:
    body = json.dumps({"prompt": "import os\n", "max_tokens": 1900, "temperature": 1, "stream": stream}).encode()
    before = backend.metric("cancelled_requests_total")
    with socket.create_connection(("127.0.0.1", backend.port)) as connection:
        head = (
            "POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        eventually("the engine is at work", lambda: backend.metric("requests_in_system") == 1)
    eventually("the engine is free", lambda: backend.metric("requests_in_system") == 0)
    assert backend.metric("cancelled_requests_total") == before + 1


def test_stream_ends_with_done(client: httpx.Client) -> None:
    body = {"messages": MESSAGES, "max_tokens": 5, "stream": True}
    with client.stream("POST", CHAT, json=body) as response:
        received = list(events(response))
    assert received[-1] == ("message", {}, None)
    assert received[-2][1]["choices"][0]["finish_reason"] == "length"
