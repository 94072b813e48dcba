"""The OpenAPI description, with the payloads of the event stream and the shape of errors."""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from assistant.api.schemas import STREAM_PAYLOADS, ProblemOut

REFERENCE = "#/components/schemas/{model}"


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
    schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
    _, extra = models_json_schema(
        [(model, "serialization") for model in (*STREAM_PAYLOADS, ProblemOut)], ref_template=REFERENCE
    )
    schema["components"]["schemas"] |= extra["$defs"]
    problem = {"application/problem+json": {"schema": {"$ref": REFERENCE.format(model=ProblemOut.__name__)}}}
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            if path.startswith("/api"):
                operation["responses"] |= {"4XX": {"description": "Refused", "content": problem}}
            operation["responses"].pop("422", None)
    return _with_titles_as_names(schema)


def _with_titles_as_names(schema: dict[str, Any]) -> dict[str, Any]:
    """Shapes are known by their titles: ``Message`` to a client, whatever our class is called."""
    text = json.dumps(schema)
    for name, body in schema["components"]["schemas"].items():
        title = body.get("title", name)
        text = text.replace(f'"{name}": {{', f'"{title}": {{').replace(f'schemas/{name}"', f'schemas/{title}"')
    renamed: dict[str, Any] = json.loads(text)
    return renamed
