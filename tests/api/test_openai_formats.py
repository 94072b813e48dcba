"""Answers in a format: JSON, JSON Schema, a grammar, and tool calls, through the official client."""

import json
from typing import Any, Literal

import httpx
import openai
import psycopg
import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from codellama_core.database import plain_url
from tests.servers import Backend, eventually

CHAT = "/v1/chat/completions"
COMPLETION = "/v1/completions"
MESSAGES: Any = [{"role": "user", "content": "Describe the function add as JSON"}]
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z_]{1,12}$"},
        "arguments": {"type": "array", "items": {"type": "string", "maxLength": 4}, "maxItems": 2},
        "lines": {"type": "integer", "minimum": 1, "maximum": 40},
    },
    "required": ["name", "lines"],
    "additionalProperties": False,
}
TOOL: Any = {
    "type": "function",
    "function": {"name": "count_lines", "description": "Count the lines of a file", "parameters": SCHEMA},
}
OTHER: Any = {"type": "function", "function": {"name": "list-files"}}
CALLED: Any = [
    {"role": "system", "content": "You count."},
    *MESSAGES,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "count_lines", "arguments": '{"name": "add"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "12"},
]


@pytest.fixture
def official(backend: Backend) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{backend.url}/v1", api_key="none", max_retries=0)


def schema_format(schema: dict[str, Any]) -> Any:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


@pytest.mark.parametrize("stream", [False, True])
def test_answers_validate_against_the_schema(client: httpx.Client, stream: bool) -> None:
    for seed in range(3):
        body = {
            "messages": MESSAGES, "response_format": schema_format(SCHEMA), "seed": seed, "max_tokens": 120,
            "stream": stream,
        }  # fmt: skip
        answer = client.post(CHAT, json=body)
        text, reason = _streamed(answer.text) if stream else _whole(answer.json())
        assert reason == "stop"
        Draft202012Validator(SCHEMA).validate(json.loads(text))


def _whole(body: dict[str, Any]) -> tuple[str, str]:
    return body["choices"][0]["message"]["content"], body["choices"][0]["finish_reason"]


def _streamed(body: str) -> tuple[str, str]:
    chunks = [json.loads(line[6:]) for line in body.split("\n\n") if line.startswith("data: {")]
    choices = [chunk["choices"][0] for chunk in chunks]
    return "".join(choice["delta"].get("content", "") for choice in choices), choices[-1]["finish_reason"]


class Argument(BaseModel):
    name: str = Field(max_length=6)
    kind: Literal["positional", "keyword"]


class Function(BaseModel):
    name: str = Field(max_length=10)
    arguments: list[Argument] = Field(max_length=2)
    returns: Literal["int", "str"] | None


def test_official_client_parses_answers_into_pydantic_models(official: openai.OpenAI) -> None:
    answer = official.chat.completions.parse(
        model="demo", messages=MESSAGES, response_format=Function, max_tokens=200, seed=1
    )
    assert isinstance(answer.choices[0].message.parsed, Function)


def test_json_object_answers_are_objects(official: openai.OpenAI) -> None:
    answer = official.chat.completions.create(
        model="demo", messages=MESSAGES, response_format={"type": "json_object"}, max_tokens=200, temperature=0
    )
    text = answer.choices[0].message.content or ""
    assert text.startswith("{")
    if answer.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(text), dict)


def test_an_answer_cut_by_its_limit_says_so(official: openai.OpenAI) -> None:
    answer = official.chat.completions.create(
        model="demo", messages=MESSAGES, response_format=schema_format(SCHEMA), max_tokens=3
    )
    assert answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("path", "prompt"), [(CHAT, {"messages": MESSAGES}), (COMPLETION, {"prompt": "def add(a, b):"})]
)
def test_a_grammar_is_followed(client: httpx.Client, path: str, prompt: dict[str, Any]) -> None:
    grammar = 'root ::= "<" word ("," word){2} ">"\nword ::= [a-z]{1,5}'
    choice = client.post(path, json={**prompt, "grammar": grammar, "max_tokens": 60}).json()["choices"][0]
    text = choice["text"] if path == COMPLETION else choice["message"]["content"]
    words = text.removeprefix("<").removesuffix(">").split(",")
    assert [0 < len(word) <= 5 and word.isalpha() for word in words] == [True] * 3


def test_a_grammar_that_no_token_can_meet_is_the_callers_fault(client: httpx.Client) -> None:
    body = {"prompt": "x", "grammar": "root ::= <[400]> <[1]>", "max_tokens": 9}
    response = client.post(COMPLETION, json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "grammar"
    streamed = client.post(COMPLETION, json={**body, "stream": True}).text
    assert '"param":"grammar"' in streamed
    assert "[DONE]" not in streamed


def deep_schema(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("format_", "param"),
    [
        ({"type": "json_schema"}, "response_format.json_schema"),
        ({"type": "xml"}, "response_format"),
        (schema_format({"type": "object", "required": "name"}), "response_format"),
        (schema_format({"not": {"type": "null"}}), "response_format"),
        (schema_format({"$ref": "https://example.org/schema.json"}), "response_format"),
        (schema_format({"type": "integer", "minimum": 3, "maximum": 2}), "response_format"),
        (schema_format({"properties": {"a": {"$ref": "#"}}, "required": ["a"]}), "response_format"),
        (schema_format({"enum": ["x" * 70_000]}), "response_format"),
        (schema_format(deep_schema(80)), None),
        (schema_format(deep_schema(100_000)), None),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
def test_formats_that_cannot_be_kept_are_refused(client: httpx.Client, format_: Any, param: str | None) -> None:
    nested = '{"items": ' * 100_000 + "{}" + "}" * 100_000
    try:
        body = json.dumps({"messages": MESSAGES, "response_format": format_})
    except RecursionError:
        body = json.dumps({"messages": MESSAGES, "response_format": schema_format({})})
        body = body.replace('"schema": {}', f'"schema": {nested}')
    response = client.post(CHAT, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    if param is not None:
        assert response.json()["error"]["param"] == param


@pytest.mark.parametrize(
    "grammar",
    [
        "root ::= word",
        'start ::= "x"',
        'root ::= "a"{3,2}',
        "root ::= " + "(" * 100 + '"a"' + ")" * 100,
        "",
        "root :: x",
    ],
)
def test_grammars_that_cannot_be_parsed_are_refused(client: httpx.Client, grammar: str) -> None:
    for path, prompt in ((CHAT, {"messages": MESSAGES}), (COMPLETION, {"prompt": "x"})):
        response = client.post(path, json={**prompt, "grammar": grammar})
        assert response.status_code == 400
        assert response.json()["error"]["param"] == "grammar"


@pytest.mark.parametrize(
    ("choice", "name"),
    [("required", None), ({"type": "function", "function": {"name": "count_lines"}}, "count_lines")],
    ids=["required", "named"],
)
def test_a_call_that_is_asked_for_is_made(official: openai.OpenAI, choice: Any, name: str | None) -> None:
    answer = official.chat.completions.create(
        model="demo", messages=MESSAGES, tools=[OTHER, TOOL], tool_choice=choice, max_tokens=150, seed=3,
        parallel_tool_calls=False,
    ).choices[0]  # fmt: skip
    assert answer.finish_reason == "tool_calls"
    assert answer.message.content is None
    assert answer.message.tool_calls is not None
    [call] = answer.message.tool_calls
    assert call.type == "function"
    assert call.id.startswith("call_")
    assert call.function.name == (name or call.function.name)
    _check_arguments(call.function.name, call.function.arguments)


def _check_arguments(name: str, arguments: str) -> None:
    if name == "count_lines":
        Draft202012Validator(SCHEMA).validate(json.loads(arguments))
    else:
        assert (name, json.loads(arguments)) == ("list-files", {})


def test_streamed_calls_are_what_the_official_helper_expects(official: openai.OpenAI) -> None:
    with official.chat.completions.stream(
        model="demo", messages=MESSAGES, tools=[TOOL], tool_choice="required", max_tokens=150, seed=3
    ) as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_completion().choices[0]
    assert kinds.count("tool_calls.function.arguments.delta") > 2
    assert kinds.count("tool_calls.function.arguments.done") == 1
    assert answer.finish_reason == "tool_calls"
    [call] = answer.message.tool_calls or []
    _check_arguments(call.function.name, call.function.arguments)


def test_a_call_cut_by_its_limit_is_told_as_far_as_it_goes(official: openai.OpenAI) -> None:
    answer = official.chat.completions.create(
        model="demo", messages=MESSAGES, tools=[TOOL], tool_choice="required", max_tokens=25, seed=3
    ).choices[0]
    assert answer.finish_reason == "length"
    [call] = answer.message.tool_calls or []
    assert call.type == "function"
    with pytest.raises(json.JSONDecodeError):
        json.loads(call.function.arguments)


def test_with_auto_the_model_calls_or_talks(official: openai.OpenAI) -> None:
    for seed in range(3):
        choice = official.chat.completions.create(
            model="demo", messages=MESSAGES, tools=[TOOL], max_tokens=60, seed=seed
        ).choices[0]
        assert bool(choice.message.tool_calls) != bool(choice.message.content)
        assert not (choice.message.content or "").startswith("{")


def test_a_conversation_goes_on_with_what_the_call_returned(official: openai.OpenAI) -> None:
    answer = official.chat.completions.create(
        model="demo", messages=CALLED, tools=[TOOL], tool_choice="none", max_tokens=10, temperature=0
    )
    assert answer.choices[0].message.tool_calls is None
    assert answer.choices[0].message.content
    first = official.chat.completions.create(
        model="demo", messages=MESSAGES, tools=[TOOL], tool_choice="required", max_tokens=150, seed=3
    ).choices[0]
    assert first.message.tool_calls is not None
    back: Any = [
        *MESSAGES,
        first.message,
        {"role": "tool", "tool_call_id": first.message.tool_calls[0].id, "content": [{"type": "text", "text": "12"}]},
        {"role": "user", "content": "Thanks"},
    ]
    again = official.chat.completions.create(model="demo", messages=back, tools=[TOOL], max_tokens=10)
    assert again.choices[0].finish_reason in ("stop", "length", "tool_calls")


def test_what_the_model_read_is_recorded_tools_and_all(client: httpx.Client, database_url: str) -> None:
    question = [{"role": "user", "content": "record these tools 4321"}]
    client.post(CHAT, json={"messages": question, "tools": [TOOL], "tool_choice": "required", "max_tokens": 5})

    def recorded() -> Any:
        query = "SELECT prompt, parameters->>'format' FROM api_interactions WHERE prompt::text LIKE %s"
        with psycopg.connect(plain_url(database_url)) as database:
            return database.execute(query, ["%these tools 4321%"]).fetchone()

    prompt, format_ = eventually("the interaction is stored", recorded)
    assert format_ == "tools"
    assert [turn["role"] for turn in prompt["messages"]] == ["system", "user"]
    assert "count_lines" in prompt["messages"][0]["content"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": [{}]}, "tools.0.type"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tools": [{"type": "function", "function": {"name": "no spaces"}}]}, "tools.0.function.name"),
        ({"tools": [OTHER, OTHER]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "nope"}}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "maybe"}, "tool_choice"),
        ({"tools": [TOOL], "parallel_tool_calls": True}, "parallel_tool_calls"),
        ({"tools": [TOOL], "response_format": {"type": "json_object"}}, "tools"),
        ({"grammar": 'root ::= "x"', "response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "function", "function": {"name": "f", "parameters": {"not": {}}}}]}, "tools"),
        ({"messages": CALLED[:3]}, "messages"),
        ({"messages": [*MESSAGES, CALLED[3]]}, "messages"),
        ({"messages": [*CALLED[:3], {"role": "tool", "content": "12"}]}, "messages.3"),
        ({"messages": [{"role": "user", "content": "x", "tool_calls": CALLED[2]["tool_calls"]}]}, "messages.0"),
        ({"functions": [{"name": "f"}]}, "functions"),
    ],
)
def test_tools_that_make_no_sense_are_refused_by_name(client: httpx.Client, body: Any, param: str) -> None:
    response = client.post(CHAT, json={"messages": MESSAGES, **body})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
