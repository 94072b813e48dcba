"""Accounts, for admins."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Query, Request

from assistant.api.deps import AdminDep, ResourcesDep, SessionDep
from assistant.api.people.schemas import CreateUser, LinkOut, NewUser, UpdateUser, UserOut, UserPage
from assistant.errors import ConflictError
from assistant.resources import Resources
from assistant.services.people import audit, users
from assistant.services.people import links as account_links
from assistant.services.people.links import Link
from assistant.services.people.users import Changes

router = APIRouter(prefix="/api/admin/users", tags=["admin"])


@router.get("")
async def list_users(
    admin: AdminDep,
    session: SessionDep,
    search: Annotated[str, Query(max_length=200, description="Part of a name or an address")] = "",
    after: Annotated[str | None, Query(max_length=320, description="``next_after`` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Users on a page")] = 50,
) -> UserPage:
    """By address."""
    rows = await users.list_all(session, search, after, limit + 1)
    items = [UserOut.of(row) for row in rows[:limit]]
    return UserPage(items=items, next_after=items[-1].email if len(rows) > limit else None)


@router.post("", status_code=201)
async def create_user(
    body: CreateUser, request: Request, admin: AdminDep, session: SessionDep, resources: ResourcesDep
) -> NewUser:
    """Make an account, and a link with which its owner chooses a password."""
    user = await users.create(session, body.email, body.name.strip(), body.role)
    link = await account_links.create(session, user.id)
    audit.record(session, admin.id, "user.create", user.email, role=str(user.role))
    return NewUser(user=UserOut.of(user), link=_link(link, request, resources))


@router.patch("/{user_id}")
async def update_user(user_id: uuid.UUID, body: UpdateUser, admin: AdminDep, session: SessionDep) -> UserOut:
    """Change a name or a role, or let somebody in or not."""
    user, different = await users.change(session, user_id, Changes(body.name, body.role, body.active))
    if different:
        audit.record(session, admin.id, "user.update", user.email, **different)
    return UserOut.of(user)


@router.post("/{user_id}/link", status_code=201)
async def create_link(
    user_id: uuid.UUID, request: Request, admin: AdminDep, session: SessionDep, resources: ResourcesDep
) -> LinkOut:
    """A one-time link to choose a new password; links made before stop working."""
    user = await users.get(session, user_id)
    if not user.active:
        raise ConflictError("This account is deactivated; activate it first.")
    link = await account_links.create(session, user.id)
    audit.record(session, admin.id, "user.link", user.email)
    return _link(link, request, resources)


@router.delete("/{user_id}", status_code=204)
async def delete_user(user_id: uuid.UUID, admin: AdminDep, session: SessionDep) -> None:
    """Delete an account with all that is its owner's, which is not trained on any more."""
    user = await users.remove(session, user_id)
    audit.record(session, admin.id, "user.delete", user.email)


def _link(link: Link, request: Request, resources: Resources) -> LinkOut:
    base = resources.settings.public_url or str(request.base_url)
    return LinkOut(url=f"{base.rstrip('/')}{link.path}", expires_at=link.expires_at)
