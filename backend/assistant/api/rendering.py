"""The one place that turns errors into responses: OpenAI's shape for scripts, problem details for the application."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from assistant.errors import AssistantError, BusyError, InvalidRequestError, UnsupportedParameterError
from assistant.telemetry import request_id

logger = logging.getLogger(__name__)

_OPENAI_PATHS: Final = ("/v1/", "/chat", "/generate")
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
    app.add_exception_handler(Exception, _unexpected)


def render(path: str, error: AssistantError) -> JSONResponse:
    """An error as the caller of ``path`` expects it."""
    if _is_openai(path):
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


def _is_openai(path: str) -> bool:
    return path.startswith(_OPENAI_PATHS)


async def _assistant_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AssistantError)
    if isinstance(error, BusyError):
        request.app.state.resources.metrics.rejections.labels(error.code).inc()
    return render(request.url.path, error)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return render(request.url.path, _explain(error.errors(), openai=_is_openai(request.url.path)))


def _explain(faults: Sequence[Any], *, openai: bool) -> AssistantError:
    """The first fault, named by its field; on ``/v1`` a field we do not know is an unsupported parameter."""
    fault = faults[0]
    place = [str(part) for part in fault["loc"] if part not in ("body", "query", "path")]
    if fault["type"] == "json_invalid":
        return InvalidRequestError(f"The body is not valid JSON: {fault['ctx']['error']}.")
    param = ".".join(place) or None
    if fault["type"] == "extra_forbidden":
        explained: AssistantError = UnsupportedParameterError(param or "body")
    else:
        more = f" ({len(faults) - 1} more)" if len(faults) > 1 else ""
        explained = InvalidRequestError(f"{param or 'The body'}: {fault['msg']}{more}.", param=param)
    if not openai:
        explained.status = 422
    return explained


async def _http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    plain = AssistantError(str(error.detail))
    plain.status, plain.code = error.status_code, HTTPStatus(error.status_code).name.lower()
    response = render(request.url.path, plain)
    response.headers.update(error.headers or {})
    return response


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    logger.error("a request failed", exc_info=error, extra={"path": request.url.path})
    return render(
        request.url.path, AssistantError(f"Something went wrong here; the log has request {request_id.get()}.")
    )
