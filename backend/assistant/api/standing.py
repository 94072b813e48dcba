"""Every answer to a key with limits says how much is left, in OpenAI's ``x-ratelimit-`` headers."""

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.resources import Resources
from assistant.services.limits import KeyLimits

_STATE = "rate_limit_headers"


def take_request(connection: HTTPConnection, resources: Resources, key: KeyLimits | None) -> None:
    """Count the request of a key. Raises RateLimitError."""
    setattr(connection.state, _STATE, resources.limits.take(key))


class StandingMiddleware:
    """Adds what ``take_request`` has found."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_standing(message: Message) -> None:
            if message["type"] == "http.response.start":
                standing = scope.get("state", {}).get(_STATE, {})
                added = [(name.encode(), value.encode()) for name, value in standing.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        await self._app(scope, receive, send_with_standing)
