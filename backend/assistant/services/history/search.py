"""Full-text search over a person's own messages, newest first.

A message is found by its words from the moment it is finished; the first message of a conversation also by the title.
The index gives rows in no useful order, so it is asked for one week after another, the newest first, until there are
enough: a common word is found in the first weeks, and a rare one costs an empty look a week, 0.02 ms each. For an
unfinished word each look collects all the words that begin so, whatever the week. So the messages of the newest weeks
are read themselves first, which is enough for a common beginning; then several weeks are looked at at once, and more
of them the longer it takes.
"""

import asyncio
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import DateTime, Uuid, bindparam, case, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from assistant.errors import InvalidRequestError
from assistant.services.history.snippets import Snippet, excerpt, highlights
from assistant.services.pages import Place
from codellama_core.models import ACTIVE_STATUSES, Conversation, Message, MessageSearch
from codellama_core.search import Term, terms, tsquery, vector, week_of, week_word

MOST_TERMS: Final = 16
AT_ONCE: Final = 16
"""Weeks looked up at once for an unfinished word, to begin with."""
READ: Final = 3
"""Weeks whose messages are read, rather than looked up, for an unfinished word; the first of them is the next one."""
LONG_TEXT: Final = 32_000
"""Characters above which splitting texts may take long enough for others to notice."""
# The planner has to be kept from reading everybody's rows, and from compiling what takes less time than that.
_PLAIN_PLANS: Final = text(
    "SELECT set_config(name, 'off', true) FROM unnest(ARRAY['enable_seqscan', 'jit']) AS name"
    " UNION ALL SELECT set_config('max_parallel_workers_per_gather', '0', true)"
)
_PARAMETERS: Final = (
    bindparam("user_id", type_=Uuid), bindparam("before_id", type_=Uuid),
    bindparam("before_at", type_=DateTime(timezone=True)),
)  # fmt: skip
_IN_PLACE: Final = (
    "user_id = :user_id AND (CAST(:before_at AS timestamptz) IS NULL"
    " OR (created_at, message_id) < (:before_at, :before_id))"
)
_NEWEST: Final = "ORDER BY created_at DESC, message_id DESC LIMIT :limit"
# A lateral join is a loop: the stretches are tried in their order, until there are rows enough.
_LOOK_UP: Final = text(
    "SELECT found.message_id FROM unnest(CAST(:stretches AS text[])) AS stretches(weeks) CROSS JOIN LATERAL ("
    "SELECT message_id FROM message_search WHERE words @@ CAST(stretches.weeks || ' & ' || :query AS tsquery)"
    f" AND {_IN_PLACE} {_NEWEST}) AS found LIMIT :limit"
).bindparams(*_PARAMETERS)
# OFFSET keeps the two conditions apart, and the second one from the index.
_READ: Final = text(
    "SELECT message_id FROM (SELECT message_id, created_at, words FROM message_search"
    f" WHERE words @@ CAST(:weeks AS tsquery) AND {_IN_PLACE} OFFSET 0) AS recent"
    f" WHERE words @@ CAST(:query AS tsquery) {_NEWEST}"
).bindparams(*_PARAMETERS)


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found; ``title_ranges`` are the places in the conversation's title to highlight."""

    message: Message
    title: str
    title_ranges: tuple[tuple[int, int], ...]
    snippet: Snippet


async def index(session: AsyncSession, condition: ColumnElement[bool]) -> None:
    """Bring the index up to date for finished messages; those that are being written are left for later."""
    title = case((Message.parent_id.is_(None), Conversation.title), else_="")
    query = (
        select(Message.id, Conversation.user_id, Message.created_at, title, Message.content)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(condition, Message.status.not_in(ACTIVE_STATUSES))
    )
    found = (await session.execute(query)).all()
    size = sum(len(content) for *_, content in found)
    rows = _rows(found) if size < LONG_TEXT else await asyncio.to_thread(_rows, found)
    if rows:
        statement = insert(MessageSearch)
        words = statement.excluded.words
        statement = statement.on_conflict_do_update(index_elements=["message_id"], set_={"words": words})
        await session.execute(statement, rows)


def _rows(found: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {"message_id": id_, "user_id": owner, "created_at": at, "words": vector(owner, at, *texts)}
        for id_, owner, at, *texts in found
    ]


async def find(session: AsyncSession, user_id: uuid.UUID, query: str, before: Place | None, limit: int) -> list[Hit]:
    """At most ``limit`` messages with all that ``query`` asks for, from ``before`` on into the past.

    Raises InvalidRequestError when the query has no word, or too many.
    """
    wanted = terms(query)
    if not 0 < len(wanted) <= MOST_TERMS:
        raise InvalidRequestError(f"q: give 1 to {MOST_TERMS} words, made of letters or digits.", param="q")
    await session.execute(_PLAIN_PLANS)
    return await _hits(session, await _found(session, user_id, wanted, before, limit), wanted)


async def _found(
    session: AsyncSession, user_id: uuid.UUID, wanted: Sequence[Term], before: Place | None, limit: int
) -> Sequence[uuid.UUID]:
    weeks, width = await _weeks(session, user_id, before), 1
    values = {
        "user_id": user_id, "query": tsquery(user_id, wanted),
        "before_at": before and before.at, "before_id": before and before.id,
    }  # fmt: skip
    ids: list[uuid.UUID] = []
    if weeks and any(term.prefix for term in wanted):
        read, weeks, width = weeks[:READ], weeks[READ:], AT_ONCE
        ids += await session.scalars(_READ, {**values, "weeks": _either(user_id, read), "limit": limit})
    if len(ids) < limit:
        stretches = list(_stretches(user_id, weeks, width))
        ids += await session.scalars(_LOOK_UP, {**values, "stretches": stretches, "limit": limit - len(ids)})
    return ids


async def _weeks(session: AsyncSession, user_id: uuid.UUID, before: Place | None) -> Sequence[int]:
    """Those that may have messages, the newest first; one more at either end, for clocks differ."""
    first = await session.scalar(select(func.min(Conversation.created_at)).where(Conversation.user_id == user_id))
    now = datetime.now(UTC)
    last = min(before.at, now) if before else now
    return () if first is None else range(week_of(last) + 1, week_of(first) - 2, -1)


def _stretches(user_id: uuid.UUID, weeks: Sequence[int], width: int) -> Iterator[str]:
    """Conditions for ``width`` weeks, then for four times as many, again and again; one by one if it is 1."""
    start = 0
    while start < len(weeks):
        yield _either(user_id, weeks[start : start + width])
        start, width = start + width, width if width == 1 else 4 * width


def _either(user_id: uuid.UUID, weeks: Iterable[int]) -> str:
    return f"({' | '.join(week_word(user_id, week) for week in weeks)})"


async def _hits(session: AsyncSession, ids: Sequence[uuid.UUID], wanted: Sequence[Term]) -> list[Hit]:
    query = select(Message, Conversation.title).join(Conversation, Conversation.id == Message.conversation_id)
    rows = {message.id: (message, title) for message, title in await session.execute(query.where(Message.id.in_(ids)))}
    return [
        Hit(message, title, highlights(title, wanted), excerpt(message.content, wanted))
        for message, title in (rows[id_] for id_ in ids if id_ in rows)
    ]
