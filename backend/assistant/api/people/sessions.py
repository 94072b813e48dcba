"""The cookie of a browser session."""

from typing import Final

from fastapi import Request, Response

from assistant.resources import Resources
from assistant.services.people.accounts import SESSION_LIFETIME

COOKIE: Final = "codellama_session"


async def replace_session(request: Request, response: Response, resources: Resources, token: str) -> None:
    """Begin a session; the one that the browser had before ends."""
    if (before := request.cookies.get(COOKIE)) is not None:
        await resources.accounts.sign_out(before)
    response.set_cookie(
        COOKIE, token, max_age=int(SESSION_LIFETIME.total_seconds()), httponly=True, samesite="lax",
        secure=is_secure(resources),
    )  # fmt: skip


def is_secure(resources: Resources) -> bool:
    """Whether cookies may only travel over TLS: where people reach the server over it."""
    return (resources.settings.public_url or "").startswith("https://")
