"""One-time links: to make the first admin, or to choose a password for an account."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import ConflictError, NotFoundError
from assistant.services.people import users
from assistant.services.people.accounts import Accounts, Principal, begin_session, digest, principal_of
from codellama_core.models import AccountLink, LinkPurpose, Role, User

LIFETIME: Final = timedelta(days=2)
PAGE: Final = "/welcome"


@dataclass(frozen=True, slots=True)
class Link:
    """``path`` is the page with the secret in its fragment, which browsers keep to themselves."""

    path: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a link is for; None where it makes the first admin."""

    user: User | None
    expires_at: datetime


async def create(session: AsyncSession, user_id: uuid.UUID | None) -> Link:
    """A new link for a person, or for the first admin. A person's earlier links stop working."""
    purpose = LinkPurpose.SETUP if user_id is None else LinkPurpose.PASSWORD
    if user_id is not None:
        await session.execute(delete(AccountLink).where(AccountLink.user_id == user_id))
    await session.execute(delete(AccountLink).where(AccountLink.expires_at < func.now()))
    token, expires_at = secrets.token_urlsafe(32), datetime.now(UTC) + LIFETIME
    session.add(AccountLink(token_hash=digest(token), purpose=purpose, user_id=user_id, expires_at=expires_at))
    return Link(f"{PAGE}#{token}", expires_at)


async def holder(session: AsyncSession, token: str) -> Holder:
    """Raises NotFoundError when the link was used, has expired, or never was one."""
    link = await _valid(session, token)
    return Holder(None if link.user_id is None else await users.get(session, link.user_id), link.expires_at)


async def choose_password(
    session: AsyncSession, accounts: Accounts, token: str, password: str
) -> tuple[Principal, str]:
    """Set the password of the person behind a link, and sign them in: the person and a session secret.

    Raises NotFoundError, also for a link that makes an admin.
    """
    link = await _valid(session, token, lock=True)
    if link.user_id is None:
        raise NotFoundError("This link makes the first admin.")
    user = await users.get(session, link.user_id)
    await accounts.set_password(session, user, password)
    await session.delete(link)
    return principal_of(user), begin_session(session, user)


async def set_up(
    session: AsyncSession, accounts: Accounts, token: str, email: str, name: str, password: str
) -> tuple[Principal, str]:
    """Make the first admin, and sign them in. Raises NotFoundError, and ConflictError when there is one."""
    link = await _valid(session, token, lock=True)
    if link.purpose is not LinkPurpose.SETUP:
        raise NotFoundError("This link is for an account that there is already.")
    if await users.has_admin(session):
        raise ConflictError("There is an admin already; sign in, or ask them for a link.")
    user = await users.create(session, email, name, Role.ADMIN)
    await accounts.set_password(session, user, password)
    await session.execute(delete(AccountLink).where(AccountLink.purpose == LinkPurpose.SETUP))
    return principal_of(user), begin_session(session, user)


async def _valid(session: AsyncSession, token: str, *, lock: bool = False) -> AccountLink:
    query = select(AccountLink).where(AccountLink.token_hash == digest(token), AccountLink.expires_at > func.now())
    link = await session.scalar(query.with_for_update() if lock else query)
    user = None if link is None or link.user_id is None else await session.get(User, link.user_id)
    if link is None or (user is not None and not user.active):
        raise NotFoundError("This link has been used or has expired; ask an admin for a new one.")
    return link
