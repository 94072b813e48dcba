"""A person's API keys. The key itself can be read once, when it is made."""

import secrets
import uuid
from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import ConflictError, NotFoundError
from assistant.services.people.accounts import digest
from codellama_core.models import ApiKey

PREFIX: Final = "cl-"
SHOWN: Final = 8
"""Characters of a key that stay readable, so that its owner can tell it from others."""
MOST_KEYS: Final = 100


async def create(
    session: AsyncSession, user_id: uuid.UUID, name: str, *, requests_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
) -> tuple[ApiKey, str]:  # fmt: skip
    """A new key and its secret; this is the only time that can be read. A limit of None is none.

    Raises ConflictError when the person has MOST_KEYS already.
    """
    query = select(func.count()).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    if (await session.scalar(query) or 0) >= MOST_KEYS:
        raise ConflictError(f"You have {MOST_KEYS} API keys; revoke one that is not used any more.")
    secret = PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        user_id=user_id, name=name, key_hash=digest(secret), prefix=secret[:SHOWN],
        requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute,
    )  # fmt: skip
    session.add(key)
    await session.flush()
    await session.refresh(key)
    return key, secret


async def list_of(session: AsyncSession, user_id: uuid.UUID) -> Sequence[ApiKey]:
    """Those in use, newest first."""
    query = select(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    return (await session.scalars(query.order_by(ApiKey.created_at.desc(), ApiKey.id.desc()))).all()


async def revoke(session: AsyncSession, user_id: uuid.UUID, key_id: uuid.UUID) -> None:
    """From now on the key opens nothing. Raises NotFoundError."""
    mine = (ApiKey.id == key_id) & (ApiKey.user_id == user_id) & ApiKey.revoked_at.is_(None)
    revoked = await session.scalar(update(ApiKey).where(mine).values(revoked_at=func.now()).returning(ApiKey.id))
    if revoked is None:
        raise NotFoundError("There is no such API key.")
