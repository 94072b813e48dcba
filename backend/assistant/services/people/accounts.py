"""Who is asking: passwords, browser sessions and API keys."""

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

from assistant.errors import DatabaseUnavailableError, InvalidRequestError, UnauthenticatedError
from assistant.services.database import Database
from assistant.services.people.limits import KeyLimits, SignInLimits
from codellama_core.models import ApiKey, Role, Session, User

SESSION_LIFETIME: Final = timedelta(days=14)
KEY_CACHE_S: Final = 300.0
HASHES_AT_ONCE: Final = 2
"""Each takes 64 MiB, and 0.1 s of a CPU that answers are made with."""
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
    training_consent: bool = True
    has_password: bool = False
    key: KeyLimits | None = None


class Accounts:
    """Signs people in and recognises them. Keys verified in the last five minutes are known without the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hasher = PasswordHash.recommended()
        self._keys: dict[str, tuple[float, Principal]] = {}
        self._attempts = SignInLimits()
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)

    async def ensure_admin(self, email: str, password: str | None, name: str) -> Principal:
        """The user with this address, made an admin if new. An existing password is never overwritten."""
        async with self._database.session() as session:
            user = await session.scalar(select(User).where(func.lower(User.email) == email.lower()))
            if user is None:
                user = User(email=email, name=name, role=Role.ADMIN)
                user.password_hash = None if password is None else self._hasher.hash(password)
                session.add(user)
                await session.flush()
            return principal_of(user)

    async def sign_in(self, email: str, password: str) -> tuple[Principal, str]:
        """The person and a fresh session secret.

        Raises UnauthenticatedError, the same for every cause, and SignInLimitError after too many failures.
        """
        self._attempts.check(email.lower())
        async with self._database.session() as session:
            user = await session.scalar(select(User).where(func.lower(User.email) == email.lower(), User.active))
            known = await self._is_known(password, user.password_hash if user is not None else None)
            if user is None or not known:
                self._attempts.fail(email.lower())
                raise UnauthenticatedError("The e-mail address or the password is wrong.")
            return principal_of(user), begin_session(session, user)

    async def change_password(self, user_id: uuid.UUID, current: str, new: str) -> str:
        """Set a new password, end all sessions of the person, and return the secret of a new one.

        Raises InvalidRequestError when ``current`` is wrong, SignInLimitError after too many failures.
        """
        self._attempts.check(str(user_id))
        async with self._database.session() as session:
            user = await session.get_one(User, user_id)
            if not await self._is_known(current, user.password_hash):
                self._attempts.fail(str(user_id))
                raise InvalidRequestError("This is not your password.", param="current")
            await self.set_password(session, user, new)
            return begin_session(session, user)

    async def set_password(self, session: AsyncSession, user: User, password: str) -> None:
        """Whoever was signed in with the old one no longer is."""
        async with self._hashing:
            user.password_hash = await asyncio.to_thread(self._hasher.hash, password)
        await session.execute(delete(Session).where(Session.user_id == user.id))

    async def check_password(self, user_id: uuid.UUID, password: str | None) -> None:
        """Before something that cannot be undone; a person without a password needs none. Raises as above."""
        self._attempts.check(str(user_id))
        async with self._database.session() as session:
            stored = await session.scalar(select(User.password_hash).where(User.id == user_id))
        if stored is not None and not await self._is_known(password or "", stored):
            self._attempts.fail(str(user_id))
            raise InvalidRequestError("This is not your password.", param="password")

    async def _is_known(self, password: str, stored: str | None) -> bool:
        """Whether it is the password behind a hash; without one it takes as long to say no."""
        async with self._hashing:
            if stored is None:
                await asyncio.to_thread(self._hasher.hash, password)
                return False
            return await asyncio.to_thread(self._hasher.verify, password, stored)

    async def sign_out(self, token: str) -> None:
        async with self._database.session() as session:
            await session.execute(delete(Session).where(Session.token_hash == digest(token)))

    async def by_session(self, token: str) -> Principal:
        """Raises UnauthenticatedError when the session is unknown or over."""
        query = (
            select(User)
            .join(Session, Session.user_id == User.id)
            .where(Session.token_hash == digest(token), Session.expires_at > func.now(), User.active)
        )
        async with self._database.session() as session:
            user = await session.scalar(query)
        if user is None:
            raise UnauthenticatedError("Your session is over; sign in again.")
        return principal_of(user)

    async def by_key(self, key: str) -> Principal:
        """Raises UnauthenticatedError when the key is unknown or revoked."""
        hashed = digest(key)
        try:
            principal = await self._look_up_key(hashed)
        except DatabaseUnavailableError:
            seen, known = self._keys.get(hashed, (0.0, None))
            if known is None or time.monotonic() - seen > KEY_CACHE_S:
                raise
            return known
        self._keys[hashed] = (time.monotonic(), principal)
        return principal

    async def _look_up_key(self, hashed: str) -> Principal:
        query = (
            select(User, ApiKey)
            .join(ApiKey, ApiKey.user_id == User.id)
            .where(ApiKey.key_hash == hashed, ApiKey.revoked_at.is_(None), User.active)
        )
        async with self._database.session() as session:
            found = (await session.execute(query)).one_or_none()
            if found is None:
                self._keys.pop(hashed, None)
                raise UnauthenticatedError("This API key is not known here.")
            user, key = found
            known = replace(principal_of(user), key=KeyLimits(key.id, key.requests_per_minute, key.tokens_per_minute))
            if key.last_used_at is None or datetime.now(UTC) - key.last_used_at > LAST_USED_EVERY:
                await session.execute(update(ApiKey).where(ApiKey.key_hash == hashed).values(last_used_at=func.now()))
            return known


def begin_session(session: AsyncSession, user: User) -> str:
    """A new browser session of an active person; returns its secret."""
    token = secrets.token_urlsafe(32)
    user.last_sign_in_at = datetime.now(UTC)
    expires = user.last_sign_in_at + SESSION_LIFETIME
    session.add(Session(token_hash=digest(token), user_id=user.id, expires_at=expires))
    return token


def digest(secret: str) -> str:
    """What is stored of a secret that is random and long."""
    return hashlib.sha256(secret.encode()).hexdigest()


def principal_of(user: User) -> Principal:
    return Principal(
        id=user.id, email=user.email, name=user.name, role=user.role, training_consent=user.training_consent,
        has_password=user.password_hash is not None,
    )  # fmt: skip
