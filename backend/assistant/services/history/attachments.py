"""Files that people attach to a question. They are text, and go into the prompt whole or not at all."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import NotFoundError
from codellama_core.ids import uuid7
from codellama_core.models import Attachment, Conversation, Message
from codellama_core.prompt import ContextFile


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """An attachment without its text; ``size`` is in bytes of UTF-8."""

    id: uuid.UUID
    name: str
    size: int


def rows_of(message_id: uuid.UUID, files: Sequence[ContextFile]) -> list[dict[str, object]]:
    """Rows to insert; their ids are in the order of the files."""
    ids = sorted(uuid7() for _ in files)
    return [
        {"id": id_, "message_id": message_id, "name": file.filename, "content": file.text}
        for id_, file in zip(ids, files, strict=True)
    ]


async def attach(session: AsyncSession, message_id: uuid.UUID, files: Sequence[ContextFile]) -> None:
    if files:
        await session.execute(insert(Attachment), rows_of(message_id, files))


async def listed(session: AsyncSession, message_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Sequence[AttachedFile]]:
    """The attachments of each message that has some, in the order in which they were attached."""
    size = func.octet_length(Attachment.content)
    query = select(Attachment.message_id, Attachment.id, Attachment.name, size)
    found: dict[uuid.UUID, list[AttachedFile]] = defaultdict(list)
    rows = await session.execute(query.where(Attachment.message_id.in_(message_ids)).order_by(Attachment.id))
    for message_id, *values in rows:
        found[message_id].append(AttachedFile(*values))
    return found


async def texts(session: AsyncSession, message_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Sequence[ContextFile]]:
    """The same with their texts, as prompts and exports need them."""
    query = select(Attachment).where(Attachment.message_id.in_(message_ids)).order_by(Attachment.id)
    found: dict[uuid.UUID, list[ContextFile]] = defaultdict(list)
    for row in await session.scalars(query):
        found[row.message_id].append(ContextFile(row.content, row.name))
    return found


async def get(session: AsyncSession, user_id: uuid.UUID, attachment_id: uuid.UUID) -> Attachment:
    """Raises NotFoundError when there is none, or it is somebody else's."""
    query = (
        select(Attachment)
        .join(Message, Message.id == Attachment.message_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Attachment.id == attachment_id, Conversation.user_id == user_id)
    )
    attachment = await session.scalar(query)
    if attachment is None:
        raise NotFoundError("There is no such attachment.")
    return attachment
