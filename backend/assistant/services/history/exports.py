"""What is a person's, read for export, a few rows at a time and each few in a transaction of their own.

So a slow reader holds neither memory nor a connection. What is written or deleted meanwhile may be in it or not.
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy import literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.services.database import Database
from assistant.services.history import attachments, conversations
from assistant.services.history.conversations import MessageView
from codellama_core.models import ApiInteraction, Conversation, Message
from codellama_core.prompt import ContextFile

BATCH: Final = 50
Owned = TypeVar("Owned", Conversation, ApiInteraction)


def conversations_of(database: Database, user_id: uuid.UUID) -> AsyncIterator[Conversation]:
    """All conversations of a person, the oldest first."""
    return _all_of(database, Conversation, user_id)


def calls_of(database: Database, user_id: uuid.UUID) -> AsyncIterator[ApiInteraction]:
    """All calls of the API that are kept, the oldest first."""
    return _all_of(database, ApiInteraction, user_id)


async def _all_of(database: Database, table: type[Owned], user_id: uuid.UUID) -> AsyncIterator[Owned]:
    after = uuid.UUID(int=0)
    while True:
        query = select(table).where(table.user_id == user_id, table.id > after).order_by(table.id).limit(BATCH)
        async with database.session() as session:
            rows = (await session.scalars(query)).all()
        for row in rows:
            yield row
        if len(rows) < BATCH:
            return
        after = rows[-1].id


@dataclass(frozen=True, slots=True)
class Entry:
    """A message, and the files attached to it."""

    view: MessageView
    files: Sequence[ContextFile]


async def messages_of(database: Database, user_id: uuid.UUID, conversation_id: uuid.UUID) -> AsyncIterator[Entry]:
    """All messages of a conversation, of every branch, oldest first; none where it is not theirs."""
    place = tuple_(Message.created_at, Message.id)
    condition = Message.conversation_id == conversation_id
    wanted = condition
    while True:
        async with database.session() as session:
            entries = await _entries(session, await conversations.views(session, user_id, wanted, BATCH))
        for entry in entries:
            yield entry
        if len(entries) < BATCH:
            return
        last = entries[-1].view.message
        wanted = condition & (place > tuple_(literal(last.created_at), literal(last.id)))


async def _entries(session: AsyncSession, views: Sequence[MessageView]) -> list[Entry]:
    files = await attachments.texts(session, [view.message.id for view in views if view.files])
    return [Entry(view, files.get(view.message.id, ())) for view in views]


async def branch_of(database: Database, user_id: uuid.UUID, conversation_id: uuid.UUID) -> AsyncIterator[Entry]:
    """The messages of the branch that ends in the newest message, from the first one on."""
    async with database.session() as session:
        path = await conversations.newest_branch(session, conversation_id)
    for start in range(0, len(path), BATCH):
        some = path[start : start + BATCH]
        async with database.session() as session:
            entries = await _entries(session, await conversations.views(session, user_id, Message.id.in_(some)))
        for entry in sorted(entries, key=lambda entry: some.index(entry.view.message.id)):
            yield entry
