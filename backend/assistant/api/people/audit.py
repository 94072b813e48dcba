"""What admins have done, for admins."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Query

from assistant.api.deps import AdminDep, SessionDep
from assistant.api.people.schemas import AuditEntry, AuditPage
from assistant.services.people import audit

router = APIRouter(prefix="/api/admin/audit", tags=["admin"])


@router.get("")
async def list_audit_log(
    admin: AdminDep,
    session: SessionDep,
    before: Annotated[uuid.UUID | None, Query(description="``next_before`` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Entries on a page")] = 50,
) -> AuditPage:
    """Newest first."""
    rows = await audit.entries(session, before, limit + 1)
    items = [AuditEntry.of(row) for row in rows[:limit]]
    return AuditPage(items=items, next_before=items[-1].id if len(rows) > limit else None)
