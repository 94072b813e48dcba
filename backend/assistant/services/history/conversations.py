"""A person's conversations and their messages. Nobody sees what is not theirs: it is simply not there."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import CTE, Select, case, delete, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from assistant.errors import ConflictError, NotFoundError
from assistant.services.chat.blind import is_blind, seen
from assistant.services.history import attachments, search
from assistant.services.history.attachments import AttachedFile
from assistant.services.pages import Place
from codellama_core.models import (
    ACTIVE_STATUSES,
    Author,
    ChatSettings,
    Conversation,
    Feedback,
    Message,
    MessageStatus,
    ModelVersion,
)

MOST_PINNED: Final = 100
_PLACE: Final = tuple_(Conversation.updated_at, Conversation.id)


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message with the name of the model that wrote it, the reader's feedback on it, and what is attached to it.

    ``blind``: it is one of two that are being compared, so it must not be told who wrote it.
    """

    message: Message
    model: str | None
    feedback: Feedback | None
    files: Sequence[AttachedFile] = ()
    blind: bool = False

    def seen(self, name: str) -> Any:
        """A column of the message, as far as the reader may know it."""
        return seen(self.message, name, blind=self.blind)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which conversations of a person: archived or not, and those of one folder where it is given."""

    archived: bool = False
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change of a conversation; None leaves it, and so does ``refile`` false to the folder.

    ``settings`` are fields of ``ChatSettings`` by name; those that are not there stay.
    """

    title: str | None = None
    pinned: bool | None = None
    archived: bool | None = None
    refile: bool = False
    folder: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


async def list_of(
    session: AsyncSession, user_id: uuid.UUID, wanted: Filter, before: Place | None, limit: int
) -> Sequence[Conversation]:
    """Those that are not pinned, newest first, from ``before`` on into the past."""
    query = _wanted(user_id, wanted).where(Conversation.pinned_at.is_(None))
    if before is not None:
        query = query.where(tuple_(literal(before.at), literal(before.id)) > _PLACE)
    query = query.order_by(Conversation.updated_at.desc(), Conversation.id.desc())
    return (await session.scalars(query.limit(limit))).all()


async def pinned_of(session: AsyncSession, user_id: uuid.UUID, wanted: Filter) -> Sequence[Conversation]:
    """Those that are pinned, the one pinned last first; at most 100."""
    query = _wanted(user_id, wanted).where(Conversation.pinned_at.is_not(None))
    query = query.order_by(Conversation.pinned_at.desc(), Conversation.id.desc())
    return (await session.scalars(query.limit(MOST_PINNED))).all()


def _wanted(user_id: uuid.UUID, wanted: Filter) -> Select[Conversation]:
    archived = Conversation.archived_at.is_not(None) if wanted.archived else Conversation.archived_at.is_(None)
    query = select(Conversation).where(Conversation.user_id == user_id, archived)
    return query if wanted.folder is None else query.where(Conversation.folder == wanted.folder)


async def folders_of(session: AsyncSession, user_id: uuid.UUID) -> list[tuple[str, int]]:
    """The person's folders by name, each with the number of conversations in it that are not archived."""
    unarchived = func.count().filter(Conversation.archived_at.is_(None))
    mine = (Conversation.user_id == user_id) & Conversation.folder.is_not(None)
    query = select(Conversation.folder, unarchived).where(mine).group_by(Conversation.folder)
    rows = (await session.execute(query.order_by(Conversation.folder))).all()
    return [(name, count) for name, count in rows if name is not None]


async def create(session: AsyncSession, user_id: uuid.UUID, title: str, settings: ChatSettings) -> Conversation:
    conversation = Conversation(user_id=user_id, title=title, settings=settings)
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


async def change(
    session: AsyncSession, user_id: uuid.UUID, conversation_id: uuid.UUID, changes: Changes
) -> Conversation:
    """Raises NotFoundError as ``owned`` does, ConflictError when too many would be pinned."""
    conversation = await owned(session, user_id, conversation_id, lock=True)
    if changes.pinned is not None:
        await _pin(session, conversation, pinned=changes.pinned)
    if changes.archived is not None:
        conversation.archived_at = (conversation.archived_at or datetime.now(UTC)) if changes.archived else None
    if changes.refile:
        conversation.folder = changes.folder
    if changes.settings:
        conversation.settings = replace(conversation.settings, **changes.settings)
    if changes.title is not None and changes.title != conversation.title:
        conversation.title = changes.title
        await session.flush()
        await search.index(session, (Message.conversation_id == conversation_id) & Message.parent_id.is_(None))
    return conversation


async def _pin(session: AsyncSession, conversation: Conversation, *, pinned: bool) -> None:
    mine = (Conversation.user_id == conversation.user_id) & Conversation.pinned_at.is_not(None)
    if not pinned:
        conversation.pinned_at = None
    elif conversation.pinned_at is None:
        if (await session.scalar(select(func.count()).where(mine)) or 0) >= MOST_PINNED:
            raise ConflictError(f"{MOST_PINNED} conversations are pinned already; unpin one first.", param="pinned")
        conversation.pinned_at = datetime.now(UTC)


async def remove(session: AsyncSession, user_id: uuid.UUID, conversation_id: uuid.UUID) -> list[uuid.UUID]:
    """Delete a conversation with all that hangs on it; returns the messages that were still being written."""
    await owned(session, user_id, conversation_id, lock=True)
    return (await _delete(session, Conversation.id == conversation_id)).running


@dataclass(frozen=True, slots=True)
class Removed:
    """How many conversations are gone, and the messages that were still being written."""

    count: int
    running: list[uuid.UUID]


async def remove_all(session: AsyncSession, user_id: uuid.UUID, *, archived_only: bool) -> Removed:
    """Delete all conversations of a person, or those that are archived."""
    mine = Conversation.user_id == user_id
    return await _delete(session, mine & Conversation.archived_at.is_not(None) if archived_only else mine)


async def _delete(session: AsyncSession, which: ColumnElement[bool]) -> Removed:
    ids = list(await session.scalars(select(Conversation.id).where(which).with_for_update()))
    active = select(Message.id).where(Message.conversation_id.in_(ids), Message.status.in_(ACTIVE_STATUSES))
    running = list(await session.scalars(active))
    await session.execute(delete(Conversation).where(Conversation.id.in_(ids)))
    return Removed(len(ids), running)


async def message_of(session: AsyncSession, user_id: uuid.UUID, message_id: uuid.UUID) -> MessageView:
    """Raises NotFoundError when there is none, or it is somebody else's."""
    found = await views(session, user_id, Message.id == message_id)
    if not found:
        raise NotFoundError("There is no such message.")
    return found[0]


async def views(
    session: AsyncSession, user_id: uuid.UUID, condition: ColumnElement[bool], limit: int | None = None
) -> list[MessageView]:
    """A person's messages for which ``condition`` holds, oldest first."""
    blind = is_blind()
    name = case((blind, None), else_=func.coalesce(ModelVersion.name, Message.imported_model))
    query = (
        select(Message, name, Feedback, blind)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .outerjoin(ModelVersion, ModelVersion.id == Message.model_version_id)
        .outerjoin(Feedback, (Feedback.message_id == Message.id) & (Feedback.user_id == user_id))
        .where(Conversation.user_id == user_id, condition)
        .order_by(Message.created_at, Message.id)
        .limit(limit)
    )
    rows = (await session.execute(query)).all()
    asked = [message.id for message, *_ in rows if message.author is Author.USER]
    files = await attachments.listed(session, asked) if asked else {}
    return [
        MessageView(message, model, verdict, files.get(message.id, ()), blind)
        for message, model, verdict, blind in rows
    ]


def ancestry(message_id: uuid.UUID, depth: int | None = None) -> CTE:
    """``id`` and ``depth`` of a message (0) and of those above it (1, 2, …), ``depth`` of them at most."""
    start = select(Message.id, Message.parent_id, literal(0).label("depth")).where(Message.id == message_id)
    path = start.cte("ancestry", recursive=True)
    above = select(Message.id, Message.parent_id, path.c.depth + 1).where(Message.id == path.c.parent_id)
    return path.union_all(above if depth is None else above.where(path.c.depth < depth))


async def branch(session: AsyncSession, leaf: Message | None) -> list[Message]:
    """The messages from the first to ``leaf``, following parents."""
    if leaf is None:
        return []
    path = ancestry(leaf.id)
    query = select(Message).join(path, path.c.id == Message.id).order_by(path.c.depth.desc())
    return list(await session.scalars(query))


async def newest_branch(session: AsyncSession, conversation_id: uuid.UUID) -> Sequence[uuid.UUID]:
    """The ids of the branch that ends in the newest message, from the first one on."""
    last = await last_message(session, conversation_id)
    if last is None:
        return []
    path = ancestry(last.id)
    return (await session.scalars(select(path.c.id).order_by(path.c.depth.desc()))).all()


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
