"""Every answer to a key with limits says how much is left, in OpenAI's ``x-ratelimit-`` headers."""

from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant.resources import Resources
from assistant.services.people.limits import KeyLimits

STANDING_HEADERS: Final = {
    "x-ratelimit-limit-requests": "Requests a minute that this key may make",
    "x-ratelimit-remaining-requests": "Requests that it may make now",
    "x-ratelimit-reset-requests": "Time until it may make all of them again, as `1.5s`",
    "x-ratelimit-limit-tokens": "Tokens a minute that this key may read and write",
    "x-ratelimit-remaining-tokens": "Tokens that it may read and write now",
    "x-ratelimit-reset-tokens": "Time until it may read and write all of them again, as `1.5s`",
}
"""Those of requests where the key has a limit of requests, those of tokens where it has one of tokens."""
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
