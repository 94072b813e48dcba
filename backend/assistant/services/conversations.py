"""A person's conversations and their messages. Nobody sees what is not theirs: it is simply not there."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from assistant.errors import NotFoundError
from codellama_core.models import (
    ACTIVE_STATUSES,
    Conversation,
    Feedback,
    Message,
    MessageStatus,
    ModelVersion,
)


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message with the name of the model that wrote it, and the reader's feedback on it."""

    message: Message
    model: str | None
    feedback: Feedback | None


async def list_of(
    session: AsyncSession, user_id: uuid.UUID, before: datetime | None, limit: int
) -> Sequence[Conversation]:
    """Newest first; ``before`` is the ``updated_at`` of the last one already seen."""
    query = select(Conversation).where(Conversation.user_id == user_id)
    if before is not None:
        query = query.where(Conversation.updated_at < before)
    return (await session.scalars(query.order_by(Conversation.updated_at.desc()).limit(limit))).all()


async def create(session: AsyncSession, user_id: uuid.UUID, title: str) -> Conversation:
    conversation = Conversation(user_id=user_id, title=title)
    session.add(conversation)
    await session.flush()
    await session.refresh(conversation)
    return conversation


async def owned(
    session: AsyncSession, user_id: uuid.UUID, conversation_id: uuid.UUID, *, lock: bool = False
) -> Conversation:
    """Raises NotFoundError when there is none, or it is somebody else's."""
    query = select(Conversation).where(Conversation.id == conversation_id, Conversation.user_id == user_id)
    conversation = await session.scalar(query.with_for_update() if lock else query)
    if conversation is None:
        raise NotFoundError("There is no such conversation.")
    return conversation


async def rename(session: AsyncSession, user_id: uuid.UUID, conversation_id: uuid.UUID, title: str) -> Conversation:
    conversation = await owned(session, user_id, conversation_id, lock=True)
    conversation.title = title
    return conversation


async def remove(session: AsyncSession, user_id: uuid.UUID, conversation_id: uuid.UUID) -> list[uuid.UUID]:
    """Delete a conversation with all that hangs on it; returns the messages that were still being written."""
    await owned(session, user_id, conversation_id, lock=True)
    active = select(Message.id).where(Message.conversation_id == conversation_id, Message.status.in_(ACTIVE_STATUSES))
    running = list(await session.scalars(active))
    await session.execute(delete(Conversation).where(Conversation.id == conversation_id))
    return running


async def messages_of(session: AsyncSession, user_id: uuid.UUID, conversation_id: uuid.UUID) -> list[MessageView]:
    """All messages, oldest first. Raises NotFoundError as ``owned`` does."""
    await owned(session, user_id, conversation_id)
    return await _views(session, user_id, Message.conversation_id == conversation_id)


async def message_of(session: AsyncSession, user_id: uuid.UUID, message_id: uuid.UUID) -> MessageView:
    """Raises NotFoundError when there is none, or it is somebody else's."""
    found = await _views(session, user_id, Message.id == message_id)
    if not found:
        raise NotFoundError("There is no such message.")
    return found[0]


async def _views(session: AsyncSession, user_id: uuid.UUID, condition: ColumnElement[bool]) -> list[MessageView]:
    query = (
        select(Message, ModelVersion.name, Feedback)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .outerjoin(ModelVersion, ModelVersion.id == Message.model_version_id)
        .outerjoin(Feedback, (Feedback.message_id == Message.id) & (Feedback.user_id == user_id))
        .where(Conversation.user_id == user_id, condition)
        .order_by(Message.created_at, Message.id)
    )
    return [MessageView(*row) for row in (await session.execute(query)).all()]


async def branch(session: AsyncSession, leaf: Message | None) -> list[Message]:
    """The messages from the first to ``leaf``, following parents."""
    if leaf is None:
        return []
    query = select(Message).where(Message.conversation_id == leaf.conversation_id)
    by_id = {message.id: message for message in await session.scalars(query)}
    path: list[Message] = []
    current: Message | None = leaf
    while current is not None:
        path.append(current)
        current = by_id.get(current.parent_id) if current.parent_id else None
    return path[::-1]


async def last_message(session: AsyncSession, conversation_id: uuid.UUID) -> Message | None:
    query = select(Message).where(Message.conversation_id == conversation_id)
    return await session.scalar(query.order_by(Message.created_at.desc(), Message.id.desc()).limit(1))


def is_active(message: Message) -> bool:
    return message.status in ACTIVE_STATUSES


def touch(conversation: Conversation) -> None:
    conversation.updated_at = datetime.now(UTC)


def finished_text(message: Message) -> str | None:
    """What of a message goes into the next prompt: nothing of an answer that failed before its first word."""
    if message.status in (MessageStatus.ERROR, MessageStatus.INTERRUPTED) and not message.content:
        return None
    return message.content
