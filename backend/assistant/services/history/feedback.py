"""One person's verdict on one answer; the best of it becomes training data."""

import uuid

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import ConflictError, InvalidRequestError
from assistant.services.history import conversations
from codellama_core.models import Author, Feedback, Message


async def put(
    session: AsyncSession, user_id: uuid.UUID, message_id: uuid.UUID, *, rating: int | None, tags: list[str],
    comment: str | None, correction: str | None,
) -> Feedback:  # fmt: skip
    """Replace the person's feedback. Raises NotFoundError, InvalidRequestError (not an answer), ConflictError."""
    message = (await conversations.message_of(session, user_id, message_id)).message
    if message.author is not Author.ASSISTANT:
        raise InvalidRequestError("Only answers can be rated or corrected.")
    if conversations.is_active(message):
        raise ConflictError("This answer is still being written.")
    values = {"rating": rating, "tags": tags, "comment": comment, "correction": correction, "updated_at": func.now()}
    statement = insert(Feedback).values(message_id=message_id, user_id=user_id, **values)
    statement = statement.on_conflict_do_update(index_elements=["message_id", "user_id"], set_=values)
    row: Feedback = (await session.scalars(statement.returning(Feedback))).one()
    await session.refresh(row)
    return row


async def clear(session: AsyncSession, user_id: uuid.UUID, message_id: uuid.UUID) -> None:
    """Raises NotFoundError."""
    await conversations.message_of(session, user_id, message_id)
    mine = (Feedback.message_id == message_id) & (Feedback.user_id == user_id)
    await session.execute(delete(Feedback).where(mine))


async def copied(session: AsyncSession, user_id: uuid.UUID, message_id: uuid.UUID) -> None:
    """Remember when an answer was first copied. Raises NotFoundError, InvalidRequestError (not an answer)."""
    message = (await conversations.message_of(session, user_id, message_id)).message
    if message.author is not Author.ASSISTANT:
        raise InvalidRequestError("Only of answers is it kept that they were copied.")
    first = (Message.id == message_id) & Message.copied_at.is_(None)
    await session.execute(update(Message).where(first).values(copied_at=func.now()))
