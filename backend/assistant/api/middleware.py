"""A request id on everything, and a count of every request by route and status."""

import re
import uuid
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.api.rendering import render
from assistant.errors import InvalidRequestError
from assistant.telemetry import request_id

HEADER: Final = "x-request-id"
_ACCEPTED: Final = re.compile(r"[\w.-]{1,64}")
MAX_BODY_BYTES: Final = 10 * 1024 * 1024


class RequestIdMiddleware:
    """Takes over a sensible X-Request-ID or makes one, for logs, errors and the response; counts the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(HEADER.encode(), b"").decode("latin-1")
        current = given if _ACCEPTED.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(current)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (HEADER.encode(), current.encode())]
                self._count(scope, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            request_id.reset(token)

    @staticmethod
    def _count(scope: Scope, status: int) -> None:
        route = getattr(scope.get("route"), "path", "other")
        resources = getattr(scope["app"].state, "resources", None)
        if resources is not None:
            resources.metrics.requests.labels(scope["method"], route, str(status)).inc()


class BodyLimitMiddleware:
    """Refuses bodies above the limit before they fill the memory."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
            await _refuse(scope, receive, send)
            return
        await self._app(scope, self._limited(receive), send)

    @staticmethod
    def _limited(receive: Receive) -> Receive:
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MAX_BODY_BYTES:
                return {"type": "http.disconnect"}
            return message

        return limited


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    error = InvalidRequestError(f"The body is larger than {MAX_BODY_BYTES // 2**20} MiB.")
    error.status, error.code = 413, "body_too_large"
    await render(scope["path"], error)(scope, receive, send)
