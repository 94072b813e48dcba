"""What a run has learned from, where it came from, and what no run shall learn from again."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement

from codellama_core.models import (
    ApiInteraction,
    Conversation,
    Document,
    Feedback,
    Message,
    Split,
    TrainingExclusion,
    TrainingRow,
    User,
)

PREVIEW = 300
"""Characters of the text that was to be learned."""
RATED = ("rating", "correction")


@dataclass(frozen=True, slots=True)
class RowFilter:
    """What is None is not asked for."""

    kept: bool | None = None
    split: Split | None = None
    source_kind: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a row came from; all None when the source has been deleted since. The texts are shortened.

    ``who`` acted ``at`` that time. Only its owner is told the conversation: others see what was rated, not the rest.
    """

    question: str | None
    answer: str | None
    who: str | None
    at: datetime | None
    conversation_id: uuid.UUID | None
    message_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class RowView:
    """A row with its origin."""

    row: TrainingRow
    excluded: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows of a run are alike."""

    source_kind: str
    split: Split | None
    kept: bool
    reason: str | None
    rows: int


async def list_of(
    session: AsyncSession,
    run_id: uuid.UUID,
    viewer_id: uuid.UUID,
    wanted: RowFilter,
    after: uuid.UUID | None,
    limit: int,
) -> Sequence[RowView]:
    """In the order in which the run wrote them down, as ``viewer_id`` may see them."""
    row, asked = TrainingRow, aliased(Message)
    query = (
        select(row, _is_excluded(), *_origin(asked, viewer_id))
        .outerjoin(Feedback, (Feedback.id == row.source_id) & row.source_kind.in_(RATED))
        .outerjoin(Message, Message.id == Feedback.message_id)
        .outerjoin(Conversation, Conversation.id == Message.conversation_id)
        .outerjoin(asked, asked.id == Message.parent_id)
        .outerjoin(ApiInteraction, (ApiInteraction.id == row.source_id) & (row.source_kind == "interaction"))
        .outerjoin(Document, (Document.id == row.source_id) & (row.source_kind == "document"))
        .outerjoin(User, User.id == func.coalesce(Feedback.user_id, ApiInteraction.user_id, Document.user_id))
        .where(row.run_id == run_id, *_conditions(wanted))
    )
    if after is not None:
        query = query.where(row.id > after)
    found = await session.execute(query.order_by(row.id).limit(limit))
    return [RowView(row, excluded, Origin(*origin)) for row, excluded, *origin in found.all()]


async def counts(session: AsyncSession, run_id: uuid.UUID) -> list[Count]:
    """All rows of a run, the most frequent kind first."""
    kinds = (TrainingRow.source_kind, TrainingRow.split, TrainingRow.kept, TrainingRow.reason)
    query = select(*kinds, func.count()).where(TrainingRow.run_id == run_id).group_by(*kinds)
    return [Count(*row) for row in (await session.execute(query.order_by(func.count().desc(), *kinds))).all()]


def _conditions(wanted: RowFilter) -> list[ColumnElement[bool]]:
    values = {"kept": wanted.kept, "split": wanted.split, "source_kind": wanted.source_kind, "reason": wanted.reason}
    return [getattr(TrainingRow, name) == value for name, value in values.items() if value is not None]


def _origin(asked: type[Message], viewer_id: uuid.UUID) -> tuple[Any, ...]:
    kind = TrainingRow.source_kind
    question = case(
        (kind.in_(RATED), asked.content),
        (kind == "interaction", ApiInteraction.endpoint),
        (kind == "document", Document.repo + "/" + Document.path),
    )
    answer = case(
        (kind == "correction", Feedback.correction),
        (kind == "rating", Message.content),
        (kind == "interaction", ApiInteraction.response),
        (kind == "document", Document.content),
    )
    at = func.coalesce(Feedback.created_at, ApiInteraction.created_at, Document.created_at)
    own = [case((Conversation.user_id == viewer_id, part)) for part in (Message.conversation_id, Message.id)]
    return func.left(question, PREVIEW), func.left(answer, PREVIEW), User.email, at, *own


def _is_excluded() -> ColumnElement[bool]:
    out = TrainingExclusion
    return exists().where(out.source_kind == TrainingRow.source_kind, out.source_id == TrainingRow.source_id)


async def exclude(session: AsyncSession, source_kind: str, source_id: uuid.UUID) -> None:
    """No later run learns from this source. Once is as good as twice."""
    values = {"source_kind": source_kind, "source_id": source_id}
    await session.execute(insert(TrainingExclusion).values(values).on_conflict_do_nothing())


async def include(session: AsyncSession, source_kind: str, source_id: uuid.UUID) -> None:
    """Take an exclusion back."""
    out = TrainingExclusion
    await session.execute(delete(out).where(out.source_kind == source_kind, out.source_id == source_id))
