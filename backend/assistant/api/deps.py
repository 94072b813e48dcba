"""What routes depend on: resources, sessions of the database, and the person who asks."""

from collections.abc import AsyncIterator
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from assistant.api.http.standing import take_request
from assistant.api.people.sessions import COOKIE
from assistant.config import is_loopback
from assistant.errors import ForbiddenError, UnauthenticatedError
from assistant.resources import Resources
from assistant.services.people.accounts import Principal
from assistant.telemetry import user_id
from codellama_core.models import Role

_SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def get_resources(connection: HTTPConnection) -> Resources:
    resources = connection.app.state.resources
    assert isinstance(resources, Resources)
    return resources


ResourcesDep = Annotated[Resources, Depends(get_resources)]


async def get_session(resources: ResourcesDep) -> AsyncIterator[AsyncSession]:
    """One transaction for the request, committed before the response is sent."""
    async with resources.database.session() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def get_principal(connection: HTTPConnection, resources: ResourcesDep) -> Principal:
    """The person who asks; their id goes into what is logged from here on."""
    principal = await _principal(connection, resources)
    user_id.set(str(principal.id))
    return principal


async def _principal(connection: HTTPConnection, resources: Resources) -> Principal:
    """By API key, by cookie, or because the server only listens to this machine.

    A request that does something counts for the limits of its key. A WebSocket does nothing by being opened, but may
    do anything later: it needs the same origin as a write.
    """
    if resources.local_admin is not None:
        _require_local(connection, resources.settings.cors_origins)
        return resources.local_admin
    method = connection.scope.get("method", "")
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key:
        principal = await resources.accounts.by_key(key.strip())
        if method and method not in _SAFE_METHODS:
            take_request(connection, resources, principal.key)
        return principal
    if (token := connection.cookies.get(COOKIE)) is None:
        raise UnauthenticatedError("Sign in, or send an API key: 'Authorization: Bearer cl-…'.")
    if method not in _SAFE_METHODS:
        require_same_origin(connection)
    return await resources.accounts.by_session(token)


PrincipalDep = Annotated[Principal, Depends(get_principal)]


async def get_admin(principal: PrincipalDep) -> Principal:
    if principal.role is not Role.ADMIN:
        raise ForbiddenError("Only an admin may do this.")
    return principal


AdminDep = Annotated[Principal, Depends(get_admin)]


def require_same_origin(connection: HTTPConnection) -> None:
    """Refuse writes that another site makes with this browser's cookie (CSRF)."""
    if connection.headers.get("sec-fetch-site") in ("same-origin", "none"):
        return
    origin = connection.headers.get("origin")
    if origin is None or urlsplit(origin).netloc != connection.headers.get("host"):
        raise ForbiddenError("This request comes from another site.")


def _require_local(connection: HTTPConnection, allowed: tuple[str, ...]) -> None:
    """Local mode signs everybody in, so it listens to this machine's own browser and scripts only.

    A foreign Host is DNS rebinding, a foreign Origin another site's script, unless it is ``allowed`` by name; a
    forwarding header is a proxy.
    """
    headers = connection.headers
    host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    if not is_loopback(host) or any(header in headers for header in _FORWARDED):
        raise ForbiddenError("AUTH_MODE=local only answers this machine; use AUTH_MODE=accounts behind a proxy.")
    origin = headers.get("origin")
    if origin is not None and origin not in allowed and not is_loopback(urlsplit(origin).hostname or ""):
        raise ForbiddenError("AUTH_MODE=local does not answer other sites.")
