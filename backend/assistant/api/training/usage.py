"""How much the assistant is used, for admins."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from assistant.api.deps import AdminDep, SessionDep
from assistant.api.schemas import Out
from assistant.services import usage

router = APIRouter(prefix="/api/admin/usage", tags=["admin"])


class UsageDay(Out):
    """One day in UTC. Times are seconds; None on a day without answers."""

    model_config = ConfigDict(from_attributes=True, title="UsageDay")

    day: date
    people: int = Field(description="Who have asked something")
    chat_answers: int
    api_calls: int
    prompt_tokens: int
    completion_tokens: int
    first_token_p50_s: float | None
    first_token_p95_s: float | None


class UsageReport(Out):
    days: list[UsageDay]


@router.get("")
async def get_usage(
    admin: AdminDep,
    session: SessionDep,
    days: Annotated[int, Query(ge=1, le=366, description="Days, up to today")] = 30,
) -> UsageReport:
    """Day by day, oldest first. API calls are known for as long as they are kept (API_RETENTION_DAYS)."""
    return UsageReport(days=[UsageDay.model_validate(day) for day in await usage.by_day(session, days)])
