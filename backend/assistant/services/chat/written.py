"""What is written down of a running generation, so that any process can follow it, and how it is read.

A row of ``generation_events`` is a piece of text, its ``seq`` the answer's length with it; one more row, with a ``seq``
that no text can have, says how the wait for the first word goes.
"""

import uuid
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Text, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from assistant.services.generators.types import QueuedEvent, ReadingEvent
from codellama_core.models import GenerationEvent, Message, MessageStatus

CHANGED: Final = "generation_changed"
STOP: Final = "generation_stop"
STAGE_SEQ: Final = -1
_STAGES: Final[dict[str, type[QueuedEvent] | type[ReadingEvent]]] = {"queued": QueuedEvent, "reading": ReadingEvent}
Stage = QueuedEvent | ReadingEvent


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that follows; ``seq`` is the answer's length, in characters, with it."""

    text: str
    seq: int
    tokens: int
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Written:
    """A generation as the database has it. ``text`` is what follows the place that was asked for."""

    status: MessageStatus
    text: str
    length: int
    tokens: int
    tokens_per_second: float
    stage: Stage | None


async def append(session: AsyncSession, message_id: uuid.UUID, piece: Piece) -> None:
    payload = {"text": piece.text, "tokens": piece.tokens, "tokens_per_second": piece.tokens_per_second}
    row = {"message_id": message_id, "seq": piece.seq, "kind": "text", "payload": payload}
    await session.execute(insert(GenerationEvent).values(row).on_conflict_do_nothing())


async def set_stage(session: AsyncSession, message_id: uuid.UUID, stage: Stage) -> None:
    """In place of the stage before."""
    kind = next(name for name, of in _STAGES.items() if isinstance(stage, of))
    values: dict[str, Any] = {"kind": kind, "payload": asdict(stage)}
    statement = insert(GenerationEvent).values(message_id=message_id, seq=STAGE_SEQ, **values)
    key = [GenerationEvent.message_id, GenerationEvent.seq]
    await session.execute(statement.on_conflict_do_update(index_elements=key, set_=values))


async def announce(session: AsyncSession, message_id: uuid.UUID, channel: str = CHANGED) -> None:
    """Wake the readers, or the writer, in other processes once this transaction is committed."""
    await session.execute(select(func.pg_notify(channel, str(message_id))))


async def read(session: AsyncSession, message_id: uuid.UUID, after: int = 0) -> Written:
    """The generation as it is now, with the text after character ``after``; one snapshot of it."""
    whole = Message.content + func.coalesce(later_text(), "")
    query = select(
        Message.status, func.substr(whole, after + 1), func.length(whole), _newest_payload(), _stage(),
        Message.completion_tokens, Message.tokens_per_second,
    ).where(Message.id == message_id)  # fmt: skip
    status, text, length, newest, stage, *ended_with = (await session.execute(query)).one()
    tokens, rate = (newest["tokens"], newest["tokens_per_second"]) if newest else ended_with
    kind, payload = stage or (None, {})
    return Written(status, text, length, tokens or 0, rate or 0.0, _STAGES[kind](**payload) if kind else None)


def later_text() -> ColumnElement[str | None]:
    """Text of the events that the message's content does not hold yet."""
    piece = GenerationEvent.payload["text"].astext.cast(Text)
    return (
        select(func.string_agg(piece, aggregate_order_by(literal(""), GenerationEvent.seq)))
        .where(GenerationEvent.message_id == Message.id, GenerationEvent.seq > func.length(Message.content))
        .correlate(Message)
        .scalar_subquery()
    )


def _newest_payload() -> ColumnElement[Any]:
    return (
        select(GenerationEvent.payload)
        .where(GenerationEvent.message_id == Message.id, GenerationEvent.seq > STAGE_SEQ)
        .order_by(GenerationEvent.seq.desc())
        .limit(1)
        .correlate(Message)
        .scalar_subquery()
    )


def _stage() -> ColumnElement[Any]:
    return (
        select(func.jsonb_build_array(GenerationEvent.kind, GenerationEvent.payload))
        .where(GenerationEvent.message_id == Message.id, GenerationEvent.seq == STAGE_SEQ)
        .correlate(Message)
        .scalar_subquery()
    )
