"""What admins do with accounts. There is always an active admin left."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import ConflictError, NotFoundError
from codellama_core.models import Document, Role, Session, User

ADMINS_LOCK = 0x61646D696E73
"""Key of the advisory lock under which admins are made fewer: two requests must not take the last two away."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is None stays as it is."""

    name: str | None = None
    role: Role | None = None
    active: bool | None = None


async def list_all(session: AsyncSession, search: str, after: str | None, limit: int) -> Sequence[User]:
    """By address; ``search`` is part of a name or an address, ``after`` the last address already seen."""
    query = select(User)
    if search:
        pattern = f"%{escaped(search.lower())}%"
        query = query.where(or_(func.lower(User.email).like(pattern), func.lower(User.name).like(pattern)))
    if after is not None:
        query = query.where(User.email > after)
    return (await session.scalars(query.order_by(User.email).limit(limit))).all()


async def get(session: AsyncSession, user_id: uuid.UUID) -> User:
    """Raises NotFoundError."""
    user = await session.get(User, user_id)
    if user is None:
        raise NotFoundError("There is no such user.")
    return user


async def create(session: AsyncSession, email: str, name: str, role: Role) -> User:
    """A person without a password: they choose one with a link. Raises ConflictError when the address is taken."""
    if await session.scalar(select(User.id).where(func.lower(User.email) == email.lower())) is not None:
        raise ConflictError(f"There is a user {email} already.")
    user = User(email=email, name=name, role=role)
    session.add(user)
    await session.flush()
    await session.refresh(user)
    return user


async def change(session: AsyncSession, user_id: uuid.UUID, changes: Changes) -> tuple[User, dict[str, str]]:
    """The user and what has become different. Who is deactivated is signed out; their keys open nothing.

    Raises NotFoundError, and ConflictError when no active admin would be left.
    """
    await _lock_admins(session)
    user = await get(session, user_id)
    wanted = {"name": changes.name, "role": changes.role, "active": changes.active}
    different = {name: value for name, value in wanted.items() if value is not None and getattr(user, name) != value}
    if different.get("role") is Role.MEMBER or different.get("active") is False:
        await _require_another_admin(session, user)
    for name, value in different.items():
        setattr(user, name, value)
    if not user.active:
        await session.execute(delete(Session).where(Session.user_id == user_id))
    return user, {name: str(value) for name, value in different.items()}


async def remove(session: AsyncSession, user_id: uuid.UUID) -> User:
    """Gone with all that is theirs; answers still being written end within a second.

    Source files that they uploaded are the organisation's and stay, unless they have opted out of training: nobody
    would know that any more. Raises NotFoundError, and ConflictError when no active admin would be left.
    """
    await _lock_admins(session)
    user = await get(session, user_id)
    await _require_another_admin(session, user)
    if not user.training_consent:
        await session.execute(delete(Document).where(Document.user_id == user_id, Document.tombstoned_at.is_(None)))
    await session.delete(user)
    await session.flush()
    return user


async def has_admin(session: AsyncSession) -> bool:
    """Whether there is an active admin who could sign in."""
    can_sign_in = or_(User.password_hash.is_not(None), User.oidc_subject.is_not(None))
    query = select(User.id).where(User.role == Role.ADMIN, User.active, can_sign_in).limit(1)
    return await session.scalar(query) is not None


async def _require_another_admin(session: AsyncSession, user: User) -> None:
    others = select(User.id).where(User.role == Role.ADMIN, User.active, User.id != user.id).limit(1)
    if user.role is Role.ADMIN and user.active and await session.scalar(others) is None:
        raise ConflictError("This is the only admin; make another one first.")


async def _lock_admins(session: AsyncSession) -> None:
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADMINS_LOCK})


def escaped(pattern: str) -> str:
    """For LIKE: a text that stands for itself."""
    return pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
