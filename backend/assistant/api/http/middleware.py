"""Around every request: an id, a count, a bound on how many there are at once, and an answer when all else fails."""

import logging
import re
import uuid
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.api.http.rendering import refuse, unexpected
from assistant.errors import BusyError
from assistant.telemetry import Stopwatch, request_id

logger = logging.getLogger(__name__)

HEADER: Final = "x-request-id"
_ACCEPTED: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PROBES: Final = frozenset({"/health", "/ready", "/metrics"})


class RequestIdMiddleware:
    """Takes over a sensible X-Request-ID or makes one, for logs, errors and the response; counts the request.

    An error that nobody else has handled is logged and answered here, while the id is known.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        watch = Stopwatch()
        given = dict(scope["headers"]).get(HEADER.encode(), b"").decode("latin-1")
        current = given if _ACCEPTED.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(current)
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", []), (HEADER.encode(), current.encode())]
                self._note(scope, message["status"], watch)
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            if started:
                raise
            await unexpected(scope["path"], error)(scope, receive, send_with_id)
        finally:
            request_id.reset(token)

    @staticmethod
    def _note(scope: Scope, status: int, watch: Stopwatch) -> None:
        """Count it, and log it: what was refused or failed for everybody to see, the rest for who looks for it."""
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        logger.log(
            logging.DEBUG if status < 400 else logging.INFO, "%s %s: %d", method, route, status,
            extra={"method": method, "route": route, "status": status, "seconds": round(watch.seconds, 3)},
        )  # fmt: skip
        resources = getattr(scope["app"].state, "resources", None)
        if resources is not None:
            resources.metrics.requests.labels(method, route, str(status)).inc()


class CrowdMiddleware:
    """At most ``limit`` requests at once; the others are told at once when to come back. Probes always get through."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _PROBES:
            await self._app(scope, receive, send)
            return
        if self._inside >= self._limit:
            await refuse(scope, receive, send, BusyError(_wait_s(scope)))
            return
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1


def _wait_s(scope: Scope) -> float:
    """What is predicted for a request that comes now, in seconds."""
    resources = getattr(scope["app"].state, "resources", None)
    return 0.0 if resources is None else float(resources.generator.predicted_wait_s)
