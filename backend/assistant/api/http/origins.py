"""Pages of other sites that may call this API from a browser: those in ``CORS_ORIGINS``, with an API key."""

from typing import Any

from assistant.api.http.standing import STANDING_HEADERS
from assistant.api.http.waiting import WAIT_HEADER

HEADERS = ("Retry-After", "X-Request-Id", WAIT_HEADER, *STANDING_HEADERS)


def cross_origin(origins: tuple[str, ...]) -> dict[str, Any]:
    """Options of Starlette's middleware. Cookies stay at home: a page of another site signs in with a key."""
    return {
        "allow_origins": origins,
        "allow_methods": ["GET", "POST", "PATCH", "PUT", "DELETE"],
        "allow_headers": ["*"],
        "allow_credentials": False,
        "expose_headers": HEADERS,
    }
