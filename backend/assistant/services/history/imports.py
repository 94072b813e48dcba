"""Conversations taken in from an export: as new rows of the importer's, with new ids and the old links."""

import uuid
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import ConflictError, InvalidRequestError
from assistant.services.history import attachments, search
from assistant.services.history.conversations import MOST_PINNED
from codellama_core.ids import uuid7
from codellama_core.models import (
    Attachment,
    Author,
    ChatSettings,
    Conversation,
    Feedback,
    Message,
    MessageStatus,
)
from codellama_core.prompt import ContextFile

MAX_MESSAGES: Final = 20_000


@dataclass(frozen=True, slots=True)
class ImportedFeedback:
    rating: int | None
    tags: list[str]
    comment: str | None
    correction: str | None


@dataclass(frozen=True, slots=True)
class Figures:
    """How an answer ended, and the engine's measurements of it; None what is not known."""

    finish_reason: str | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    time_to_first_token_s: float | None
    tokens_per_second: float | None
    duration_s: float | None


@dataclass(frozen=True, slots=True)
class ImportedMessage:
    """``id`` and ``parent_id`` are the file's; they only tell who answers whom."""

    id: uuid.UUID
    parent_id: uuid.UUID | None
    author: Author
    content: str
    model: str | None
    figures: Figures
    created_at: datetime
    finished_at: datetime | None
    copied_at: datetime | None
    feedback: ImportedFeedback | None
    files: Sequence[ContextFile] = ()


@dataclass(frozen=True, slots=True)
class ImportedConversation:
    title: str
    folder: str | None
    pinned: bool
    archived: bool
    created_at: datetime
    updated_at: datetime
    settings: ChatSettings = field(default_factory=ChatSettings)
    messages: Sequence[ImportedMessage] = field(default_factory=tuple)


async def take_in(
    session: AsyncSession, user_id: uuid.UUID, given: Sequence[ImportedConversation]
) -> list[Conversation]:
    """All of it or nothing. Every message is done, and names its model without being one of its generations.

    Raises InvalidRequestError, naming the place in the file, when a tree is none or there are too many messages;
    ConflictError when too many conversations would be pinned.
    """
    if sum(len(each.messages) for each in given) > MAX_MESSAGES:
        text = f"conversations: there are more than {MAX_MESSAGES:,} messages; import the file in parts."
        raise InvalidRequestError(text, param="conversations")
    ordered = [_ordered(number, each.messages) for number, each in enumerate(given)]
    await _check_pinned(session, user_id, sum(each.pinned for each in given))
    made = [_conversation(user_id, each, id_) for each, id_ in zip(given, _new_ids(len(given)), strict=True)]
    session.add_all(made)
    await session.flush()
    for conversation, messages in zip(made, ordered, strict=True):
        await _add(session, conversation, messages)
    await search.index(session, Message.conversation_id.in_([each.id for each in made]))
    return made


def _new_ids(count: int) -> list[uuid.UUID]:
    """New ids that sort in the order in which they are given out."""
    return sorted(uuid7() for _ in range(count))


def _ordered(number: int, messages: Sequence[ImportedMessage]) -> list[ImportedMessage]:
    """Parents before their children, otherwise as they come. Raises InvalidRequestError unless they are trees."""
    place, known = f"conversations.{number}.messages", {message.id for message in messages}
    below: dict[uuid.UUID | None, list[ImportedMessage]] = defaultdict(list)
    seen: set[uuid.UUID] = set()
    for index, message in enumerate(messages):
        if message.id in seen:
            raise _refusal(f"{place}.{index}.id", "there is a message with this id before")
        if message.parent_id is not None and message.parent_id not in known:
            raise _refusal(f"{place}.{index}.parent_id", "there is no such message in this conversation")
        if message.files and message.author is not Author.USER:
            raise _refusal(f"{place}.{index}.attachments", "only questions have attachments")
        seen.add(message.id)
        below[message.parent_id].append(message)
    waiting, found = deque(below[None]), list[ImportedMessage]()
    while waiting:
        found.append(waiting.popleft())
        waiting.extend(below[found[-1].id])
    if len(found) < len(messages):
        reached = {message.id for message in found}
        index = next(index for index, message in enumerate(messages) if message.id not in reached)
        raise _refusal(f"{place}.{index}.parent_id", "these messages follow one another in a circle")
    return found


def _refusal(param: str, text: str) -> InvalidRequestError:
    return InvalidRequestError(f"{param}: {text}.", param=param)


async def _check_pinned(session: AsyncSession, user_id: uuid.UUID, more: int) -> None:
    mine = (Conversation.user_id == user_id) & Conversation.pinned_at.is_not(None)
    if more and (await session.scalar(select(func.count()).where(mine)) or 0) + more > MOST_PINNED:
        text = f"More than {MOST_PINNED} conversations would be pinned; unpin some, or some in the file."
        raise ConflictError(text, param="conversations")


def _conversation(user_id: uuid.UUID, given: ImportedConversation, id_: uuid.UUID) -> Conversation:
    """Not younger than its first message: search looks no further back than the oldest conversation."""
    now = datetime.now(UTC)
    created_at = min(now, given.created_at, *(message.created_at for message in given.messages))
    return Conversation(
        id=id_, user_id=user_id, title=given.title, folder=given.folder, pinned_at=now if given.pinned else None,
        archived_at=now if given.archived else None, created_at=created_at,
        updated_at=min(given.updated_at, now), settings=given.settings,
    )  # fmt: skip


async def _add(session: AsyncSession, conversation: Conversation, messages: Sequence[ImportedMessage]) -> None:
    """Times of the future become now, and no answer is older than its question: both would upset the order."""
    if not messages:
        return
    now, ids = datetime.now(UTC), dict(zip((each.id for each in messages), _new_ids(len(messages)), strict=True))
    times: dict[uuid.UUID, datetime] = {}
    rows: list[dict[str, Any]] = []
    for message in messages:
        at = min(message.created_at, now)
        times[message.id] = at if message.parent_id is None else max(at, times[message.parent_id])
        parent = None if message.parent_id is None else ids[message.parent_id]
        rows.append(_row(conversation.id, ids[message.id], parent, times[message.id], message))
    await session.execute(insert(Message), rows)
    files = [row for each in messages for row in attachments.rows_of(ids[each.id], each.files)]
    if files:
        await session.execute(insert(Attachment), files)
    verdicts = [
        {"id": uuid7(), "message_id": ids[each.id], "user_id": conversation.user_id, **_columns(each.feedback)}
        for each in messages
        if each.feedback is not None
    ]
    if verdicts:
        await session.execute(insert(Feedback), verdicts)


def _row(
    conversation_id: uuid.UUID, id_: uuid.UUID, parent_id: uuid.UUID | None, at: datetime, message: ImportedMessage
) -> dict[str, Any]:
    return {
        "id": id_, "conversation_id": conversation_id, "parent_id": parent_id, "author": message.author,
        "content": message.content, "status": MessageStatus.DONE, "imported_model": message.model, "created_at": at,
        "finished_at": message.finished_at, "copied_at": message.copied_at, **_columns(message.figures),
    }  # fmt: skip


def _columns(part: ImportedFeedback | Figures) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__slots__}
