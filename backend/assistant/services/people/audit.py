"""Who did what to whom, for admins to read. Nothing here is ever changed."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from codellama_core.models import AuditLog, User


@dataclass(frozen=True, slots=True)
class Entry:
    """``who`` is None when that account has been deleted since, or the server itself acted."""

    log: AuditLog
    who: str | None


def record(session: AsyncSession, actor_id: uuid.UUID, action: str, subject: str, **details: Any) -> None:
    """Written in the same transaction as the act itself."""
    session.add(AuditLog(user_id=actor_id, action=action, subject=subject, details=details))


async def entries(session: AsyncSession, before: uuid.UUID | None, limit: int) -> Sequence[Entry]:
    """Newest first; ``before`` is the id of the last one already seen."""
    query = select(AuditLog, User.email).outerjoin(User, User.id == AuditLog.user_id)
    if before is not None:
        last = select(AuditLog.created_at, AuditLog.id).where(AuditLog.id == before).subquery()
        query = query.join(last, tuple_(AuditLog.created_at, AuditLog.id) < tuple_(last.c.created_at, last.c.id))
    query = query.order_by(AuditLog.created_at.desc(), AuditLog.id.desc()).limit(limit)
    return [Entry(*row) for row in (await session.execute(query)).all()]
