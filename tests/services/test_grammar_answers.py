"""What the demo model writes under a grammar validates, whatever the schema."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from assistant.engine.engine import Engine
from assistant.engine.lane import EngineOptions
from assistant.engine.llama import ModelOptions, load_model
from assistant.engine.types import FinishReason, Sampling
from assistant.services.generators.local import LocalGenerator
from assistant.services.generators.types import (
    ChatPrompt,
    EndEvent,
    Format,
    JsonFormat,
    ModelIdentity,
    TextEvent,
    TextRequest,
    Tool,
    ToolUse,
)
from codellama_core.prompt import ChatMessage
from tests.services.random_schemas import RandomSchemas

SCHEMAS = 200
MAX_TOKENS = 160


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


Answer = Callable[[list[Format]], list[tuple[str, FinishReason]]]


@pytest.fixture(scope="module")
def answer(demo_gguf: Path) -> Iterator[Answer]:
    """Answers to one question in many formats, side by side."""
    engine = Engine(EngineOptions(queue_max_wait_s=1e9))
    generator = LocalGenerator(engine, max_tokens=MAX_TOKENS, max_seconds=600)
    engine.start()

    async def one(number: int, wanted: Format) -> tuple[str, FinishReason]:
        prompt = ChatPrompt((ChatMessage("user", "Describe a file as JSON"),))
        sampling = Sampling(temperature=1.0, top_p=1.0, top_k=0, min_p=0.0, seed=number)
        request = TextRequest(str(number), prompt, MAX_TOKENS, sampling, format=wanted)
        text = ""
        async for event in await generator.start(request):
            if isinstance(event, TextEvent):
                text += event.text
            elif isinstance(event, EndEvent):
                assert event.error is None, (wanted, event.error)
                return text, event.reason
        raise AssertionError("no end")

    async def every(wanted: list[Format]) -> list[tuple[str, FinishReason]]:
        return await asyncio.gather(*(one(number, each) for number, each in enumerate(wanted)))

    def run(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(work)

    model = load_model(demo_gguf, ModelOptions(n_ctx=4096, n_seq_max=16, threads=1))
    run(generator.install("demo", ModelIdentity("demo", None), model))
    yield lambda wanted: run(every(wanted))
    engine.close()


def test_200_random_schemas_every_finished_answer_parses_and_validates(answer: Answer) -> None:
    source = RandomSchemas(seed=20)
    schemas = [source.schema() for _ in range(SCHEMAS)]
    for schema in schemas:
        Draft202012Validator.check_schema(schema)
    finished = 0
    for schema, (text, reason) in zip(schemas, answer([JsonFormat(schema) for schema in schemas]), strict=True):
        assert reason in (FinishReason.STOP, FinishReason.LENGTH)
        if reason is FinishReason.STOP:
            finished += 1
            validator(schema).validate(json.loads(text))
    assert finished > SCHEMAS * 0.8


def test_an_answer_without_end_is_cut_at_its_limit_and_says_so(answer: Answer) -> None:
    endless = {"type": "array", "items": {"const": "again and again"}, "minItems": 1000}
    [(text, reason)] = answer([JsonFormat(endless)])
    assert reason is FinishReason.LENGTH
    assert text.startswith('["again and again", "again')


def test_json_objects_without_a_schema_parse(answer: Answer) -> None:
    answers = [text for text, reason in answer([JsonFormat()] * 20) if reason is FinishReason.STOP]
    assert len(answers) > 5
    assert all(isinstance(json.loads(text), dict) for text in answers)


def test_arguments_of_calls_validate_and_optional_calls_are_calls_or_text(answer: Answer) -> None:
    source = RandomSchemas(seed=21)
    tools = []
    for number in range(8):
        schema = source.schema()
        tools.append(Tool(f"tool_{number}", parameters=schema if schema.get("type") == "object" else {}))
    for tool, (text, reason) in zip(tools, answer([ToolUse((tool,), "required") for tool in tools]), strict=True):
        if reason is FinishReason.STOP:
            call = json.loads(text)
            assert (set(call), call["name"]) == ({"name", "arguments"}, tool.name)
            validator(tool.parameters).validate(call["arguments"])
    for text, reason in answer([ToolUse((tool,), "auto") for tool in tools]):
        if reason is FinishReason.STOP and text.startswith("{"):
            assert json.loads(text)["name"].startswith("tool_")
