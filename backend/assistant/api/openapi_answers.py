"""Answers whose shape the routes' signatures do not tell, and examples of what to send."""

from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from assistant.api import openai_responses as shapes
from assistant.api import schemas
from assistant.api.infill_schemas import InfillAnswer
from assistant.api.waiting import WAIT_HEADER


@dataclass(frozen=True, slots=True)
class Answer:
    """``model`` as JSON, ``plain`` text of that media type, or ``events`` by name, as server-sent events.

    A stream with ``done_marker`` ends with ``[DONE]``; ``several`` answers may come as a list. ``statuses`` are
    described in words, ``headers`` are those of the answer, beside the request's id.
    """

    model: type[BaseModel] | None = None
    plain: str | None = None
    events: dict[str, type[BaseModel]] = field(default_factory=dict)
    done_marker: bool = False
    several: bool = False
    statuses: dict[int, str] = field(default_factory=lambda: {200: "The answer"})
    headers: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[type[BaseModel], ...]:
        return (*((self.model,) if self.model else ()), *self.events.values())


def _streamed(model: type[BaseModel], chunk: type[BaseModel]) -> Answer:
    """OpenAI's convention: chunks, then ``[DONE]``; a failure after the beginning is an error object as an event."""
    text = "The whole answer, or with `stream` its chunks as server-sent events"
    events: dict[str, type[BaseModel]] = {"message": chunk, "error": shapes.ErrorBody}
    return Answer(model, None, events, done_marker=True, statuses={200: text}, headers=(WAIT_HEADER,))


ANSWERS: Final = {
    "/health": Answer(schemas.Health, statuses={200: "Alive", 503: "The engine has not moved for a minute"}),
    "/ready": Answer(schemas.Readiness, statuses={200: "Ready", 503: "No model yet, or shutting down"}),
    "/metrics": Answer(plain="text/plain", statuses={200: "Prometheus text format"}),
    "/api/generations/{message_id}/events": Answer(
        events={
            "snapshot": schemas.SnapshotPayload,
            "queued": schemas.QueuedPayload,
            "reading": schemas.ReadingPayload,
            "text": schemas.TextPayload,
            "end": schemas.EndPayload,
        }
    ),
    "/v1/chat/completions": _streamed(shapes.ChatCompletion, shapes.ChatCompletionChunk),
    "/v1/completions": _streamed(shapes.Completion, shapes.CompletionChunk),
    "/v1/models": Answer(shapes.ModelList),
    "/v1/models/{name}": Answer(shapes.ModelCard),
    "/infill": Answer(
        InfillAnswer,
        None,
        {"message": InfillAnswer, "error": shapes.ErrorBody},
        several=True,
        statuses={200: "The answer; several with `n_cmpl`; with `stream`, its parts as server-sent events"},
    ),
    "/chat": Answer(shapes.ChatCallAnswer, headers=(WAIT_HEADER,)),
    "/generate": Answer(shapes.GenerateCallAnswer, headers=(WAIT_HEADER,)),
}
QUESTION: Final = [{"role": "user", "content": "Write a function that reverses a string"}]
TOOL: Final = {
    "type": "function",
    "function": {
        "name": "run_tests", "description": "Run the tests of one file",
        "parameters": {"type": "object", "properties": {"file": {"type": "string"}}, "required": ["file"]},
    },
}  # fmt: skip
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "/v1/chat/completions": {
        "A question": {"messages": QUESTION, "max_tokens": 32, "temperature": 0},
        "Streamed, with usage": {
            "messages": QUESTION, "max_tokens": 32, "stream": True, "stream_options": {"include_usage": True},
        },
        "As JSON": {
            "messages": QUESTION, "max_tokens": 64,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": {"type": "array", "items": {"type": "string"}}},
            },
        },
        "With a tool": {"messages": QUESTION, "max_tokens": 64, "tools": [TOOL]},
    },
    "/v1/completions": {
        "Continue a text": {"prompt": "def add(a, b):\n", "max_tokens": 16, "stop": ["\n\n"]},
        "Log probabilities": {"prompt": "def add(a, b):\n", "max_tokens": 4, "logprobs": 2},
        "Token ids": {"prompt": [1, 300, 301], "max_tokens": 4},
        "Fill in between": {"prompt": "def add(a, b):\n    return ", "suffix": "\n\nadd(1, 2)\n", "max_tokens": 16},
    },
    "/infill": {
        "At the cursor": {
            "input_prefix": "def add(a, b):\n", "input_suffix": "\nadd(1, 2)\n", "prompt": "    return ",
            "n_predict": 8, "t_max_predict_ms": 500,
        },
        "Warm the cache": {"input_prefix": "import os\n", "input_suffix": "", "n_predict": 0},
    },
    "/chat": {"A question": {"prompt": "Write hello world", "max_tokens": 32}},
    "/generate": {"Continue a text": {"text": "import os\n", "max_tokens": 16, "temperature": 0.2}},
    "/api/conversations": {"With a title": {"title": "Parsing dates"}},
    "/api/conversations/{conversation_id}": {"Rename": {"title": "Parsing dates with time zones"}},
    "/api/conversations/{conversation_id}/messages": {"A question": {"content": "How do I parse ISO 8601?"}},
    "/api/messages/{message_id}/feedback": {
        "A correction": {"rating": -1, "tags": ["wrong"], "correction": "datetime.fromisoformat(text)"},
    },
    "/api/auth/login": {"Sign in": {"email": "ada@example.org", "password": "correct horse battery staple"}},
}  # fmt: skip
