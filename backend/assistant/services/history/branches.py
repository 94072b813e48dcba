"""Where in a conversation a question belongs, and what the model reads of the branch above it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import ConflictError, InvalidRequestError, NotFoundError
from assistant.services.chat.blind import check_closed
from assistant.services.history import attachments, conversations
from codellama_core.models import Author, Message
from codellama_core.prompt import ChatMessage, with_files


@dataclass(frozen=True, slots=True)
class Spot:
    """A question follows ``parent_id`` or stands beside the question ``beside_id``, else it follows the newest message.

    Beside means: another way to ask, in the same place, also where that is the beginning.
    """

    parent_id: uuid.UUID | None = None
    beside_id: uuid.UUID | None = None


async def parent_at(session: AsyncSession, conversation_id: uuid.UUID, spot: Spot) -> Message | None:
    """The message that a question there replies to; None at the beginning.

    Raises NotFoundError when a message is not in the conversation, InvalidRequestError when the spot is none.
    """
    if spot.beside_id is not None:
        return await _parent_beside(session, conversation_id, spot)
    if spot.parent_id is None:
        return await conversations.last_message(session, conversation_id)
    return await _message_in(session, conversation_id, spot.parent_id, "parent_id")


async def open_parent(session: AsyncSession, conversation_id: uuid.UUID, spot: Spot) -> Message | None:
    """The same, and it may be replied to: it has been written to its end, and is not one of two being compared.

    Raises what ``parent_at`` raises, and ConflictError.
    """
    parent = await parent_at(session, conversation_id, spot)
    if parent is None:
        return None
    if parent.author is Author.ASSISTANT:
        await check_closed(session, parent.parent_id)
    if conversations.is_active(parent):
        raise ConflictError("The answer before this one is still being written; stop it or wait.")
    return parent


async def _parent_beside(session: AsyncSession, conversation_id: uuid.UUID, spot: Spot) -> Message | None:
    if spot.parent_id is not None:
        raise InvalidRequestError("beside_id and parent_id cannot be combined; give one of them.", param="beside_id")
    assert spot.beside_id is not None
    question = await _message_in(session, conversation_id, spot.beside_id, "beside_id")
    if question.author is not Author.USER:
        raise InvalidRequestError("beside_id: only a question can be asked in another way.", param="beside_id")
    return None if question.parent_id is None else await session.get_one(Message, question.parent_id)


async def _message_in(session: AsyncSession, conversation_id: uuid.UUID, message_id: uuid.UUID, param: str) -> Message:
    message = await session.get(Message, message_id)
    if message is None or message.conversation_id != conversation_id:
        raise NotFoundError("There is no such message in this conversation.", param=param)
    return message


async def turns_of(session: AsyncSession, history: Sequence[Message]) -> list[ChatMessage]:
    """A branch as the model reads it, attachments and all."""
    files = await attachments.texts(session, [message.id for message in history if message.author is Author.USER])
    return [
        ChatMessage(str(message.author), with_files(text, files.get(message.id, ())))
        for message in history
        if (text := conversations.finished_text(message)) is not None
    ]
