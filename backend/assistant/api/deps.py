"""What routes depend on: resources, sessions of the database, and the person who asks."""

from collections.abc import AsyncIterator
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.config import is_loopback
from assistant.errors import ForbiddenError, UnauthenticatedError
from assistant.resources import Resources
from assistant.services.accounts import Principal
from codellama_core.models import Role

COOKIE: Final = "codellama_session"
_SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def get_resources(request: Request) -> Resources:
    resources = request.app.state.resources
    assert isinstance(resources, Resources)
    return resources


ResourcesDep = Annotated[Resources, Depends(get_resources)]


async def get_session(resources: ResourcesDep) -> AsyncIterator[AsyncSession]:
    """One transaction for the request, committed before the response is sent."""
    async with resources.database.session() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def get_principal(request: Request, resources: ResourcesDep) -> Principal:
    """The person who asks, by API key, by cookie, or because the server only listens to this machine."""
    if resources.local_admin is not None:
        _require_local(request)
        return resources.local_admin
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key:
        return await resources.accounts.by_key(key.strip())
    if (token := request.cookies.get(COOKIE)) is None:
        raise UnauthenticatedError("Sign in, or send an API key: 'Authorization: Bearer cl-…'.")
    if request.method not in _SAFE_METHODS:
        require_same_origin(request)
    return await resources.accounts.by_session(token)


PrincipalDep = Annotated[Principal, Depends(get_principal)]


async def get_admin(principal: PrincipalDep) -> Principal:
    if principal.role is not Role.ADMIN:
        raise ForbiddenError("Only an admin may do this.")
    return principal


AdminDep = Annotated[Principal, Depends(get_admin)]


def require_same_origin(request: Request) -> None:
    """Refuse writes that another site makes with this browser's cookie (CSRF)."""
    if request.headers.get("sec-fetch-site") in ("same-origin", "none"):
        return
    origin = request.headers.get("origin")
    if origin is None or urlsplit(origin).netloc != request.headers.get("host"):
        raise ForbiddenError("This request comes from another site.")


def _require_local(request: Request) -> None:
    """Local mode signs everybody in, so it listens to this machine's own browser and scripts only.

    A foreign Host is DNS rebinding, a foreign Origin another site's script, a forwarding header a proxy.
    """
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if not is_loopback(host) or any(header in request.headers for header in _FORWARDED):
        raise ForbiddenError("AUTH_MODE=local only answers this machine; use AUTH_MODE=accounts behind a proxy.")
    origin = request.headers.get("origin")
    if origin is not None and not is_loopback(urlsplit(origin).hostname or ""):
        raise ForbiddenError("AUTH_MODE=local does not answer other sites.")
