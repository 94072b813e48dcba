"""The one place that turns errors into responses: OpenAI's shape for scripts, problem details for the application."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from assistant.errors import AssistantError, BusyError, InvalidRequestError, UnsupportedParameterError
from assistant.telemetry import request_id

logger = logging.getLogger(__name__)

_OPENAI_PATHS: Final = ("/v1", "/infill", "/chat", "/generate")
_OPENAI_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
}


def install(app: FastAPI) -> None:
    """Handle every error an application can raise."""
    app.add_exception_handler(AssistantError, _assistant_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)


def render(path: str, error: AssistantError) -> JSONResponse:
    """An error as the caller of ``path`` expects it."""
    if is_openai(path):
        return JSONResponse({"error": openai_error(error)}, error.status, error.headers)
    body = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.message,
        "code": error.code,
        "param": error.param,
        "request_id": request_id.get(),
    }
    return JSONResponse(body, error.status, error.headers, media_type="application/problem+json")


def openai_error(error: AssistantError) -> dict[str, Any]:
    """The inside of OpenAI's error object; also sent as the last event of a stream that fails."""
    kind = _OPENAI_TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "server_error")
    return {"message": error.message, "type": kind, "param": error.param, "code": error.code}


def is_openai(path: str) -> bool:
    """Whether callers of ``path`` are scripts, which expect OpenAI's error objects."""
    return path.startswith(_OPENAI_PATHS)


async def refuse(scope: Scope, receive: Receive, send: Send, error: AssistantError) -> None:
    """Answer with an error from outside the routes."""
    _count_rejection(scope, error)
    await render(scope["path"], error)(scope, receive, send)


async def _assistant_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AssistantError)
    _count_rejection(request.scope, error)
    return render(request.url.path, error)


def _count_rejection(scope: Scope, error: AssistantError) -> None:
    resources = getattr(scope["app"].state, "resources", None)
    if isinstance(error, BusyError) and resources is not None:
        resources.metrics.rejections.labels(error.code).inc()


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return render(request.url.path, explain(error.errors(), error.body, openai=is_openai(request.url.path)))


def explain(faults: Sequence[Any], body: Any, *, openai: bool) -> AssistantError:
    """The first fault, named by its field; on ``/v1`` a field we do not know is an unsupported parameter."""
    param = _place(faults[0], body)
    here = [fault for fault in faults if _place(fault, body) == param]
    if faults[0]["type"] == "extra_forbidden":
        explained: AssistantError = UnsupportedParameterError(param or "body")
    else:
        causes = " or ".join(dict.fromkeys(fault["msg"] for fault in here))
        more = f" ({len(faults) - len(here)} more)" if len(faults) > len(here) else ""
        explained = InvalidRequestError(f"{param or 'The body'}: {causes}{more}.", param=param)
    if not openai:
        explained.status = 422
    return explained


def _place(fault: Any, body: Any) -> str | None:
    """The field at fault, as the caller knows it: without the alternatives of its type that pydantic names too."""
    where, *parts = fault["loc"]
    if where != "body":
        return ".".join(map(str, parts)) or None
    place, value = [], body
    for part in parts:
        if (isinstance(value, dict) and part in value) or (isinstance(value, list) and isinstance(part, int)):
            value = value[part]
            place.append(str(part))
    if fault["type"] == "missing" and isinstance(value, dict):
        place.append(str(parts[-1]))
    return ".".join(place) or None


async def _http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    plain = AssistantError(str(error.detail))
    plain.status, plain.code = error.status_code, HTTPStatus(error.status_code).name.lower()
    response = render(request.url.path, plain)
    response.headers.update(error.headers or {})
    return response


def unexpected(path: str, error: Exception) -> JSONResponse:
    """Log an error that nobody expected; the caller learns its id, and nothing of its inside."""
    logger.error("a request failed", exc_info=error, extra={"path": path})
    return render(path, AssistantError(f"Something went wrong here; the log has request {request_id.get()}."))
