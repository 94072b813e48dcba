"""How much the assistant is used, day by day."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Date, Select, cast, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from codellama_core.models import ApiInteraction, Author, Conversation, Message


@dataclass(frozen=True, slots=True)
class Day:
    """``people`` have asked something. Times are seconds; None on a day without answers."""

    day: date
    people: int
    chat_answers: int
    api_calls: int
    prompt_tokens: int
    completion_tokens: int
    first_token_p50_s: float | None
    first_token_p95_s: float | None


async def by_day(session: AsyncSession, days: int) -> list[Day]:
    """The last ``days`` days in UTC, oldest first, also those on which nothing happened."""
    today = datetime.now(UTC).date()
    since = datetime.combine(today - timedelta(days=days - 1), time(), UTC)
    calls = union_all(_answers(since), _calls(since)).subquery("calls")
    waits = [func.percentile_cont(share).within_group(calls.c.wait_s) for share in (0.5, 0.95)]
    query = select(
        calls.c.day,
        func.count(calls.c.user_id.distinct()),
        func.count().filter(calls.c.is_chat),
        func.count().filter(~calls.c.is_chat),
        func.coalesce(func.sum(calls.c.prompt_tokens), 0),
        func.coalesce(func.sum(calls.c.completion_tokens), 0),
        *waits,
    ).group_by(calls.c.day)
    found = {row[0]: Day(*row) for row in (await session.execute(query)).all()}
    span = [today - timedelta(days=back) for back in range(days - 1, -1, -1)]
    return [found.get(day, Day(day, 0, 0, 0, 0, 0, None, None)) for day in span]


def _answers(since: datetime) -> Select[Any]:
    return (
        select(
            _day(Message.created_at).label("day"),
            Conversation.user_id.label("user_id"),
            literal(True).label("is_chat"),
            Message.prompt_tokens.label("prompt_tokens"),
            Message.completion_tokens.label("completion_tokens"),
            Message.time_to_first_token_s.label("wait_s"),
        )
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Message.author == Author.ASSISTANT, Message.created_at >= since)
    )


def _calls(since: datetime) -> Select[Any]:
    call = ApiInteraction
    return select(
        _day(call.created_at), call.user_id, literal(False), call.prompt_tokens, call.completion_tokens,
        call.time_to_first_token_s,
    ).where(call.created_at >= since)  # fmt: skip


def _day(moment: Any) -> Any:
    return cast(func.timezone("UTC", moment), Date)
