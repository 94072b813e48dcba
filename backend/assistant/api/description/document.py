"""The OpenAPI description: what the routes say of themselves, and what every one of them has in common."""

import json
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from assistant.api.description.answers import ANSWERS, EXAMPLES, Answer
from assistant.api.description.errors import HEADERS, RESPONSES, errors_of
from assistant.api.http.standing import STANDING_HEADERS
from assistant.api.openai.responses import ErrorBody
from assistant.api.schemas import STREAM_PAYLOADS, ProblemOut

REFERENCE: Final = "#/components/schemas/{model}"
DESCRIPTION: Final = """\
A private code assistant: chat with stored conversations (`/api`), and an OpenAI-compatible API for scripts and editors
(`/v1`, `/infill`, `/chat`, `/generate`).

Parameters that are not listed are refused by name, never ignored. Errors are OpenAI's shape for scripts and problem
details (RFC 9457) on `/api`; every response carries `X-Request-Id`. Times are seconds, lengths are tokens unless a
field says otherwise, and dates are ISO 8601 in UTC. Bodies are JSON of at most 10 MiB.
"""
SECURITY_SCHEMES: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer cl-…`"},
    "cookie": {
        "type": "apiKey", "in": "cookie", "name": "codellama_session",
        "description": "A browser session, from `/api/auth/login`; writes also need an Origin of this site",
    },
}  # fmt: skip
PROBES: Final = frozenset({"/health", "/ready", "/metrics"})


def is_public(path: str) -> bool:
    """Whether strangers may call it: probes, and what people sign in with."""
    return path in PROBES or path.startswith("/api/auth/")


def describe(app: FastAPI) -> None:
    """Let ``app.openapi()`` declare what routes alone do not show."""

    def build() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _schema(app)
        return app.openapi_schema

    app.openapi = build  # type: ignore[method-assign]


def operation_id(route: APIRoute) -> str:
    """Operations are named after their functions."""
    return route.name


def _schema(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(title=app.title, version=app.version, routes=app.routes, description=DESCRIPTION)
    components = schema["components"]
    components["schemas"] |= _shapes({*STREAM_PAYLOADS, ProblemOut}, "serialization")
    answers = {model for answer in ANSWERS.values() for model in answer.models} | {ErrorBody}
    components["schemas"] |= _shapes(answers, "validation")
    components |= {"securitySchemes": SECURITY_SCHEMES, "headers": HEADERS, "responses": RESPONSES}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation, counted=method != "get" and not is_public(path))
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    return _with_titles_as_names(schema)


def _shapes(models: set[type[BaseModel]], mode: JsonSchemaMode) -> dict[str, Any]:
    ordered = [(model, mode) for model in sorted(models, key=lambda model: model.__name__)]
    shapes: dict[str, Any] = models_json_schema(ordered, ref_template=REFERENCE)[1].get("$defs", {})
    return shapes


def _complete(path: str, method: str, operation: dict[str, Any], *, counted: bool) -> None:
    """``counted``: the limits of an API key count it."""
    responses = operation["responses"]
    responses.pop("422", None)
    if (answer := ANSWERS.get(path)) is not None:
        responses |= _answer(answer)
    names = ["X-Request-Id", *(answer.headers if answer is not None else ()), *(STANDING_HEADERS if counted else ())]
    for response in responses.values():
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    public = is_public(path)
    operation["security"] = [] if public else [{"bearer": []}, {"cookie": []}]
    responses |= errors_of(path, operation, public=public)
    examples = EXAMPLES.get(f"{method.upper()} {path}") or EXAMPLES.get(path)
    if examples and "requestBody" in operation:
        operation["requestBody"]["content"]["application/json"]["examples"] = {
            name: {"summary": name, "value": value} for name, value in examples.items()
        }


def _answer(answer: Answer) -> dict[str, Any]:
    content: dict[str, Any] = {}
    if answer.model is not None:
        one = _reference(answer.model)
        content["application/json"] = {
            "schema": {"anyOf": [one, {"type": "array", "items": one}]} if answer.several else one
        }
    if answer.plain is not None:
        content[answer.plain] = {"schema": {"type": "string"}}
    if answer.events:
        content["text/event-stream"] = {"schema": _events(answer)}
    described = {str(status): {"description": text, "content": content} for status, text in answer.statuses.items()}
    return dict(described)


def _events(answer: Answer) -> dict[str, Any]:
    """One server-sent event of the stream: ``data`` is JSON text, of the shape that goes with the event's name."""
    kinds = [_event(name, _reference(model)) for name, model in answer.events.items()]
    if answer.done_marker:
        kinds.append(_event("message", None))
    return {"description": "Each event of the stream", "anyOf": kinds}


def _event(name: str, payload: dict[str, Any] | None) -> dict[str, Any]:
    end: dict[str, Any] = {"type": "string", "const": "[DONE]", "description": "The end of the stream"}
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": payload}
    kind = "message" if name in ("message", "error") else name
    properties = {
        "event": {"const": kind},
        "data": end if payload is None else text,
        "id": {"type": "string", "description": "Where a reader may resume"},
    }
    return {"type": "object", "required": ["data"], "properties": properties}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}


def _with_titles_as_names(schema: dict[str, Any]) -> dict[str, Any]:
    """Shapes are known by their titles: ``Message`` to a client, whatever our class is called."""
    text = json.dumps(schema)
    for name, body in schema["components"]["schemas"].items():
        title = body.get("title", name)
        text = text.replace(f'"{name}": {{', f'"{title}": {{').replace(f'schemas/{name}"', f'schemas/{title}"')
    renamed: dict[str, Any] = json.loads(text)
    return renamed
