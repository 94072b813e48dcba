"""Answers whose shape the routes' signatures do not tell, and examples of what to send."""

from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel

from assistant.api import schemas
from assistant.api.chat import history_schemas
from assistant.api.http.waiting import WAIT_HEADER
from assistant.api.openai import responses as shapes
from assistant.api.people.own_data import OwnData
from assistant.api.programs.infill_schemas import InfillAnswer


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
    "/api/me/export": Answer(OwnData),
    "/api/conversations/export": Answer(history_schemas.Export),
    "/api/conversations/{conversation_id}/export": Answer(history_schemas.Export, plain="text/markdown"),
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
FILE: Final = {"name": "dates.py", "content": "def parse(text):\n    return text.split('-')\n"}
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
    "/api/conversations": {
        "With a title": {"title": "Parsing dates"},
        "With settings": {"settings": {"system_prompt": "Answer with code only.", "temperature": 0}},
    },
    "/api/conversations/import": {"One question": {"format": "codellama-conversations", "version": 1, "conversations": [
        {
            "id": "0198c0de-0000-7000-8000-000000000001", "title": "Parsing dates", "folder": "Python",
            "created_at": "2026-01-31T12:00:00Z", "updated_at": "2026-01-31T12:00:00Z",
            "messages": [
                {
                    "id": "0198c0de-0000-7000-8000-000000000002", "parent_id": None, "author": "user",
                    "content": "How do I parse ISO 8601?", "status": "done", "created_at": "2026-01-31T12:00:00Z",
                },
            ],
        },
    ]}},
    "/api/conversations/{conversation_id}": {
        "Rename": {"title": "Parsing dates with time zones"},
        "Pin and file": {"pinned": True, "folder": "Python"},
        "Answer otherwise": {"settings": {"system_prompt": "Answer with code only.", "temperature": None}},
    },
    "/api/messages/{message_id}/regenerate": {"Another answer": {}},
    "/api/conversations/{conversation_id}/messages": {
        "A question": {"content": "How do I parse ISO 8601?"},
        "With a file": {"content": "What is wrong here?", "attachments": [FILE]},
    },
    "/api/conversations/estimate": {"A question about a file": {"content": "What is wrong?", "attachments": [FILE]}},
    "/api/conversations/{conversation_id}/estimate": {"Half a question": {"content": "How do I par"}},
    "/api/conversations/{conversation_id}/comparisons": {"A question": {"content": "How do I parse ISO 8601?"}},
    "/api/comparisons/{comparison_id}/vote": {"The left one": {"vote": "left"}},
    "/api/messages/{message_id}/feedback": {
        "A correction": {"rating": -1, "tags": ["wrong"], "correction": "datetime.fromisoformat(text)"},
    },
    "/api/auth/login": {"Sign in": {"email": "ada@example.org", "password": "correct horse battery staple"}},
    "/api/auth/link": {"Whose is it?": {"token": "the part of the link after #"}},
    "/api/auth/link/password": {"Choose": {"token": "the part of the link after #", "password": "a long password"}},
    "/api/auth/link/setup": {
        "The first admin": {
            "token": "the part of the link after #", "password": "a long password", "email": "ada@example.org",
            "name": "Ada",
        },
    },
    "PATCH /api/me": {"No training": {"training_consent": False}, "Another name": {"name": "Ada"}},
    "DELETE /api/me": {"For good": {"email": "ada@example.org", "password": "correct horse battery staple"}},
    "/api/me/password": {"Another": {"current": "correct horse battery staple", "new": "staple battery horse"}},
    "/api/me/keys": {"For an editor": {"name": "my laptop"}, "With limits": {"name": "CI", "requests_per_minute": 60}},
    "/api/prompts": {"A review": {"title": "Review", "content": "Review this code, the worst problem first:\n"}},
    "/api/prompts/{prompt_id}": {"Another title": {"title": "Review, briefly"}},
    "/api/admin/users": {"A member": {"email": "grace@example.org", "name": "Grace"}},
    "/api/admin/users/{user_id}": {"Make an admin": {"role": "admin"}, "Let out": {"active": False}},
    "/api/admin/documents": {
        "One file": {"repo": "tools", "license": "MIT", "files": [{"path": "src/add.py", "content": "a = 1 + 1\n"}]},
    },
}  # fmt: skip
