"""What a run has learned from, where it came from, and what no run shall learn from again."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import case, delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.sql.elements import ColumnElement

from codellama_core.models import ApiInteraction, Document, Feedback, Message, Split, TrainingExclusion, TrainingRow

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
class RowView:
    """A row with its origin. ``question`` and ``answer`` are shortened, and None when the source has been deleted."""

    row: TrainingRow
    excluded: bool
    question: str | None
    answer: str | None


async def list_of(
    session: AsyncSession, run_id: uuid.UUID, wanted: RowFilter, after: uuid.UUID | None, limit: int
) -> Sequence[RowView]:
    """In the order in which the run wrote them down."""
    row, asked = TrainingRow, aliased(Message)
    query = (
        select(row, _is_excluded(), *_origin(asked))
        .outerjoin(Feedback, (Feedback.id == row.source_id) & row.source_kind.in_(RATED))
        .outerjoin(Message, Message.id == Feedback.message_id)
        .outerjoin(asked, asked.id == Message.parent_id)
        .outerjoin(ApiInteraction, (ApiInteraction.id == row.source_id) & (row.source_kind == "interaction"))
        .outerjoin(Document, (Document.id == row.source_id) & (row.source_kind == "document"))
        .where(row.run_id == run_id, *_conditions(wanted))
    )
    if after is not None:
        query = query.where(row.id > after)
    return [RowView(*found) for found in (await session.execute(query.order_by(row.id).limit(limit))).all()]


def _conditions(wanted: RowFilter) -> list[ColumnElement[bool]]:
    values = {"kept": wanted.kept, "split": wanted.split, "source_kind": wanted.source_kind, "reason": wanted.reason}
    return [getattr(TrainingRow, name) == value for name, value in values.items() if value is not None]


def _origin(asked: type[Message]) -> tuple[ColumnElement[str | None], ColumnElement[str | None]]:
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
    return func.left(question, PREVIEW), func.left(answer, PREVIEW)


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
