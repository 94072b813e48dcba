import json
import socket
from typing import Any

import httpx
import openai
import psycopg
import pytest

from codellama_core.database import plain_url
from tests.servers import Backend, events, eventually

PROMPT = "def add(a, b):\n    return"
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
        (CHAT, {"messages": MESSAGES, "n": 2}, 400, "n"),
        (CHAT, {"messages": MESSAGES, "modalities": ["audio"]}, 400, "modalities"),
        (CHAT, {"messages": MESSAGES, "stop": ["x"] * 17}, 400, "stop"),
        (CHAT, {"messages": MESSAGES, "stop": [""]}, 400, "stop"),
        (CHAT, {"messages": MESSAGES, "user": "x" * 513}, 400, "user"),
        (CHAT, {"messages": MESSAGES, "stream_options": {"include_usage": True}}, 400, "stream_options"),
        (CHAT, {"messages": MESSAGES, "max_completion_tokens": 0}, 400, "max_completion_tokens"),
        (CHAT, {"messages": [{"role": "robot", "content": "x"}]}, 400, "messages.0.role"),
        (CHAT, {"messages": [{"role": "user", "content": None}]}, 400, None),
        (CHAT, {"messages": [{"role": "user", "content": "word " * 5000}]}, 400, None),
        (CHAT, {"messages": [{"role": "assistant", "content": "x"}]}, 400, "messages"),
        (CHAT, {"messages": [*MESSAGES, {"role": "system", "content": "x"}]}, 400, "messages"),
        (COMPLETION, {"prompt": ["a", "b"]}, 400, "prompt"),
        (COMPLETION, {"prompt": []}, 400, "prompt"),
        (COMPLETION, {"prompt": [[1], [2]]}, 400, "prompt"),
        (COMPLETION, {"prompt": [1, 4096]}, 400, "prompt"),
        (COMPLETION, {"prompt": [1, -1]}, 400, "prompt"),
        (COMPLETION, {"prompt": [1, 2**40]}, 400, "prompt"),
        (COMPLETION, {"prompt": [1, True]}, 400, "prompt"),
        (COMPLETION, {"prompt": "a", "best_of": 3}, 400, "best_of"),
        (COMPLETION, {"prompt": "a", "n": 2}, 400, "n"),
        (COMPLETION, {"prompt": "a", "echo": True, "logprobs": 0}, 400, "logprobs"),
        (COMPLETION, {"prompt": [1, 2], "echo": True}, 400, "echo"),
        (COMPLETION, {"prompt": [1, 2], "suffix": "x"}, 400, "suffix"),
        (COMPLETION, {"prompt": "a", "suffix": "x", "echo": True}, 400, "echo"),
        (COMPLETION, {"prompt": "a", "logit_bias": {"999999": 1}}, 400, "logit_bias"),
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


DEEP = b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"messages": NaN}',
        b"",
        DEEP,
        b'{"messages": "\\ud800"}',
        b'{"a": "\\u0000"}',
    ],
    ids=["open", "list", "null", "not UTF-8", "NaN", "empty", "deep", "half a surrogate pair", "NUL"],
)
def test_malformed_json_is_explained(client: httpx.Client, raw: bytes) -> None:
    for path in (CHAT, COMPLETION):
        response = client.post(path, content=raw, headers={"content-type": "application/json"})
        assert response.status_code == 400
        assert response.json()["error"]["message"]
        assert response.json()["error"]["type"] == "invalid_request_error"


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


def test_echo_puts_the_prompt_before_the_answer(official: openai.OpenAI) -> None:
    plain = official.completions.create(model="demo", prompt=PROMPT, max_tokens=8, temperature=0).choices[0].text
    echoed = official.completions.create(model="demo", prompt=[PROMPT], max_tokens=8, temperature=0, echo=True)
    assert echoed.choices[0].text == PROMPT + plain
    stream = official.completions.create(
        model="demo", prompt=PROMPT, max_tokens=8, temperature=0, echo=True, stream=True
    )
    chunks = [chunk.choices[0].text for chunk in stream]
    assert chunks[0] == PROMPT
    assert "".join(chunks) == PROMPT + plain


def test_token_ids_are_taken_as_they_are(official: openai.OpenAI) -> None:
    alone = official.completions.create(model="demo", prompt=[1, 400, 401], max_tokens=8, temperature=0)
    assert alone.usage is not None
    assert alone.usage.prompt_tokens == 3
    listed = official.completions.create(model="demo", prompt=[[1, 400, 401]], max_tokens=8, temperature=0)
    assert listed.choices[0].text == alone.choices[0].text != ""


def test_a_prompt_that_spells_the_infill_tokens_out_fills_in(official: openai.OpenAI) -> None:
    raw, suffix = "<PRE> def add(a, b):\n    return  <SUF>\n\nprint(add(1, 2))\n <MID>", "\n\nprint(add(1, 2))\n"
    spelled = official.completions.create(model="demo", prompt=raw, max_tokens=8, temperature=0)
    asked = official.completions.create(
        model="demo", prompt="def add(a, b):\n    return ", suffix=suffix, max_tokens=8, temperature=0
    )
    assert spelled.choices[0].text == asked.choices[0].text
    assert spelled.usage is not None
    assert asked.usage is not None
    assert spelled.usage.prompt_tokens == asked.usage.prompt_tokens


def test_the_smaller_of_both_token_limits_counts(official: openai.OpenAI) -> None:
    for limits in ({"max_tokens": 3}, {"max_completion_tokens": 3}, {"max_tokens": 3, "max_completion_tokens": 30}):
        answer = official.chat.completions.create(model="demo", messages=MESSAGES, temperature=0, extra_body=limits)
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 3


def test_answers_say_what_was_cached_how_long_it_took_and_what_the_wait_was(client: httpx.Client) -> None:
    prompt = "def one():\n    return 1\n\n\n" * 20
    answers = [
        client.post(COMPLETION, json={"prompt": prompt, "max_tokens": 4, "temperature": 0, "stream": stream})
        for stream in (False, False, True)
    ]
    for answer in answers:
        assert 0 <= float(answer.headers["x-queue-predicted-wait"]) < 5
    again, streamed = answers[1].json(), [json.loads(line[6:]) for line in answers[2].text.split("\n\n")[:-2]]
    for body in (again, streamed[-1]):
        timings = body["timings"]
        assert timings["cache_n"] > 50
        assert timings["prompt_n"] == again["usage"]["prompt_tokens"] - timings["cache_n"]
        assert timings["predicted_n"] == 4
        assert min(timings[f"{name}_ms"] for name in ("queued", "prompt", "predicted")) >= 0
        assert timings["draft_n"] >= timings["draft_n_accepted"] >= 0
    assert again["usage"]["prompt_tokens_details"]["cached_tokens"] == again["timings"]["cache_n"]


def test_any_name_of_the_version_may_be_asked_for(official: openai.OpenAI) -> None:
    for name in ("demo", "default", "champion", ""):
        answer = official.completions.create(model=name, prompt="x", max_tokens=1)
        assert answer.model == "demo"
    assert official.models.retrieve("champion").id == "demo"


def test_official_client_raises_its_own_errors(official: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        official.completions.create(model="gpt-9", prompt="x")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as refused:
        official.completions.create(model="demo", prompt="x", n=2)
    assert (refused.value.param, refused.value.type) == ("n", "invalid_request_error")
    with pytest.raises(openai.BadRequestError) as long:
        official.completions.create(model="demo", prompt="word " * 5000)
    assert long.value.code == "context_length_exceeded"


def test_simple_calls_answer_with_one_string(client: httpx.Client) -> None:
    chat = client.post("/chat", json={"prompt": "Write hello world", "max_tokens": 30}).json()
    assert chat["response"]
    assert chat["model"] == "demo"
    generated = client.post("/generate", json={"text": "def add(a, b):", "max_tokens": 10, "temperature": 0}).json()
    assert generated["usage"]["completion_tokens"] <= 10
    assert generated["generated_text"]


def test_every_call_is_recorded(client: httpx.Client, database_url: str) -> None:
    marker = "record_this_call = 1234"
    client.post(COMPLETION, json={"prompt": marker, "max_tokens": 5, "temperature": 0, "user": "Ada"})

    def recorded() -> Any:
        columns = "endpoint, parameters->>'max_tokens', completion_tokens, parameters->>'user'"
        query = f"SELECT {columns} FROM api_interactions WHERE prompt->>'text' = %s"
        with psycopg.connect(plain_url(database_url)) as database:
            return database.execute(query, [marker]).fetchone()

    endpoint, limit, tokens, user = eventually("the interaction is stored", recorded)
    assert (endpoint, limit, user) == (COMPLETION, "5", "Ada")
    assert 0 < tokens <= 5


@pytest.mark.parametrize("stream", [True, False])
def test_hanging_up_frees_the_engine(backend: Backend, stream: bool) -> None:
    never_ends = {"max_tokens": 1900, "temperature": 1, "logit_bias": {"2": -100, "6": -100}}
    body = json.dumps({"prompt": "import os\n", "stream": stream, **never_ends}).encode()
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
