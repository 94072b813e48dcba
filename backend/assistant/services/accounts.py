"""Who is asking: users, browser sessions and API keys."""

import asyncio
import hashlib
import secrets
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from pwdlib import PasswordHash
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import DatabaseUnavailableError, UnauthenticatedError
from assistant.services.database import Database
from assistant.services.limits import KeyLimits
from codellama_core.models import ApiKey, Role, Session, User

SESSION_LIFETIME: Final = timedelta(days=14)
KEY_CACHE_S: Final = 300.0
KEY_PREFIX: Final = "cl-"
LAST_USED_EVERY: Final = timedelta(minutes=1)
"""How exactly the last use of a key is known: to write it down costs more than to check the key."""
LOCAL_EMAIL: Final = "local@localhost"


@dataclass(frozen=True, slots=True)
class Principal:
    """The person behind a request, and the API key that it came with, if any."""

    id: uuid.UUID
    email: str
    name: str
    role: Role
    key: KeyLimits | None = None


class Accounts:
    """Signs people in and recognises them. Keys verified in the last five minutes are known without the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hasher = PasswordHash.recommended()
        self._keys: dict[str, tuple[float, Principal]] = {}

    async def ensure_admin(self, email: str, password: str | None, name: str) -> Principal:
        """The user with this address, made an admin if new. An existing password is never overwritten."""
        async with self._database.session() as session:
            user = await session.scalar(select(User).where(func.lower(User.email) == email.lower()))
            if user is None:
                user = User(email=email, name=name, role=Role.ADMIN)
                user.password_hash = None if password is None else self._hasher.hash(password)
                session.add(user)
                await session.flush()
            return _principal(user)

    async def sign_in(self, email: str, password: str) -> tuple[Principal, str]:
        """The person and a fresh session secret. Raises UnauthenticatedError, the same for every cause."""
        async with self._database.session() as session:
            user = await session.scalar(select(User).where(func.lower(User.email) == email.lower(), User.active))
            known = await asyncio.to_thread(self._is_known, password, user.password_hash if user is not None else None)
            if user is None or not known:
                raise UnauthenticatedError("The e-mail address or the password is wrong.")
            token = secrets.token_urlsafe(32)
            expires = datetime.now(UTC) + SESSION_LIFETIME
            session.add(Session(token_hash=_digest(token), user_id=user.id, expires_at=expires))
            return _principal(user), token

    def _is_known(self, password: str, stored: str | None) -> bool:
        """Whether it is the password behind a hash; without one it takes as long to say no. Takes 0.1 s of a CPU."""
        if stored is None:
            self._hasher.hash(password)
            return False
        return self._hasher.verify(password, stored)

    async def sign_out(self, token: str) -> None:
        async with self._database.session() as session:
            await session.execute(delete(Session).where(Session.token_hash == _digest(token)))

    async def by_session(self, token: str) -> Principal:
        """Raises UnauthenticatedError when the session is unknown or over."""
        query = (
            select(User)
            .join(Session, Session.user_id == User.id)
            .where(Session.token_hash == _digest(token), Session.expires_at > func.now(), User.active)
        )
        async with self._database.session() as session:
            user = await session.scalar(query)
        if user is None:
            raise UnauthenticatedError("Your session is over; sign in again.")
        return _principal(user)

    async def by_key(self, key: str) -> Principal:
        """Raises UnauthenticatedError when the key is unknown or revoked."""
        digest = _digest(key)
        try:
            principal = await self._look_up_key(digest)
        except DatabaseUnavailableError:
            seen, known = self._keys.get(digest, (0.0, None))
            if known is None or time.monotonic() - seen > KEY_CACHE_S:
                raise
            return known
        self._keys[digest] = (time.monotonic(), principal)
        return principal

    async def _look_up_key(self, digest: str) -> Principal:
        query = (
            select(User, ApiKey)
            .join(ApiKey, ApiKey.user_id == User.id)
            .where(ApiKey.key_hash == digest, ApiKey.revoked_at.is_(None), User.active)
        )
        async with self._database.session() as session:
            found = (await session.execute(query)).one_or_none()
            if found is None:
                self._keys.pop(digest, None)
                raise UnauthenticatedError("This API key is not known here.")
            user, key = found
            known = replace(_principal(user), key=KeyLimits(key.id, key.requests_per_minute, key.tokens_per_minute))
            if key.last_used_at is None or datetime.now(UTC) - key.last_used_at > LAST_USED_EVERY:
                await session.execute(update(ApiKey).where(ApiKey.key_hash == digest).values(last_used_at=func.now()))
            return known


async def create_key(
    session: AsyncSession, user_id: uuid.UUID, name: str, *, requests_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
) -> str:  # fmt: skip
    """A new API key; this is the only time it can be read. A limit of None is none."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(
        user_id=user_id, name=name, key_hash=_digest(key), prefix=key[:8], requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
    )  # fmt: skip
    session.add(row)
    await session.flush()
    return key


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _principal(user: User) -> Principal:
    return Principal(id=user.id, email=user.email, name=user.name, role=user.role)
