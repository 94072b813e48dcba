"""A chat message: stored, rendered, submitted and recorded."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.engine.types import Priority, Sampling
from assistant.errors import ConflictError, NotFoundError
from assistant.services import conversations
from assistant.services.accounts import Principal
from assistant.services.database import Database
from assistant.services.generations import Generations
from assistant.services.generators.types import ChatPrompt, Generator, TextRequest, TextStream
from assistant.services.live import LiveGeneration
from assistant.services.spool import Spool
from assistant.telemetry import Metrics
from codellama_core.ids import uuid7
from codellama_core.models import Author, Conversation, Message, MessageStatus
from codellama_core.prompt import ChatMessage

TITLE_LENGTH: Final = 80
CHAT_SAMPLING: Final = Sampling(temperature=0.2, top_p=0.95, top_k=40, min_p=0.05, repeat_penalty=1.05)


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What a person sends. ``parent_id`` None continues after the newest message."""

    content: str
    parent_id: uuid.UUID | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and the message that its answer is written into."""

    question: Message
    answer: Message


class ChatService:
    def __init__(
        self, database: Database, generator: Generator, generations: Generations, spool: Spool, metrics: Metrics,
        instance_id: uuid.UUID,
    ) -> None:  # fmt: skip
        self._database = database
        self._generator = generator
        self._generations = generations
        self._spool = spool
        self._metrics = metrics
        self._instance_id = instance_id

    async def send(self, who: Principal, conversation_id: uuid.UUID, new: NewMessage) -> Exchange:
        """Store a question and start its answer; both or neither. The same idempotency key again changes nothing.

        Raises NotFoundError, ConflictError (the newest answer is still being written), BusyError,
        ContextLengthError, UnavailableError.
        """
        stream: TextStream | None = None
        try:
            async with self._database.session() as session:
                conversation = await conversations.owned(session, who.id, conversation_id, lock=True)
                if (known := await _already_sent(session, conversation_id, new.idempotency_key)) is not None:
                    return known
                parent = await _parent(session, conversation_id, new.parent_id)
                exchange = await self._store(session, conversation, parent, new)
                history = [*await conversations.branch(session, parent), exchange.question]
                stream = await self._generator.start(_request(who, exchange.answer.id, history))
                exchange.answer.model_version_id = stream.model.version_id
        except BaseException:
            if stream is not None:
                stream.cancel()
            raise
        self._generations.adopt(LiveGeneration(exchange.answer, stream, self._database, self._spool, self._metrics))
        return exchange

    async def _store(
        self, session: AsyncSession, conversation: Conversation, parent: Message | None, new: NewMessage
    ) -> Exchange:
        now = datetime.now(UTC)
        question = Message(
            id=uuid7(), conversation_id=conversation.id, parent_id=parent.id if parent else None, author=Author.USER,
            content=new.content, idempotency_key=new.idempotency_key, created_at=now, finished_at=now,
        )  # fmt: skip
        session.add(question)
        await session.flush()
        answer = Message(
            id=uuid7(), conversation_id=conversation.id, parent_id=question.id, author=Author.ASSISTANT,
            status=MessageStatus.QUEUED, instance_id=self._instance_id, heartbeat_at=now, created_at=datetime.now(UTC),
        )  # fmt: skip
        session.add(answer)
        if parent is None and conversation.title == "":
            conversation.title = title_of(new.content)
        conversations.touch(conversation)
        await session.flush()
        return Exchange(question, answer)


def title_of(content: str) -> str:
    """The first line of the first message, shortened at a word."""
    line = next((line.strip() for line in content.splitlines() if line.strip()), "New chat")
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"


async def _already_sent(session: AsyncSession, conversation_id: uuid.UUID, key: str | None) -> Exchange | None:
    if key is None:
        return None
    sent = select(Message).where(Message.conversation_id == conversation_id, Message.idempotency_key == key)
    question = await session.scalar(sent)
    if question is None:
        return None
    answer = await session.scalar(select(Message).where(Message.parent_id == question.id).order_by(Message.id))
    return None if answer is None else Exchange(question, answer)


async def _parent(session: AsyncSession, conversation_id: uuid.UUID, parent_id: uuid.UUID | None) -> Message | None:
    parent = (
        await conversations.last_message(session, conversation_id)
        if parent_id is None
        else await session.get(Message, parent_id)
    )
    if parent is not None and conversations.is_active(parent):
        raise ConflictError("The answer before this one is still being written; stop it or wait.")
    if parent_id is not None and (parent is None or parent.conversation_id != conversation_id):
        raise NotFoundError("There is no such message in this conversation.", param="parent_id")
    return parent


def _request(who: Principal, message_id: uuid.UUID, history: Sequence[Message]) -> TextRequest:
    turns = [
        ChatMessage(str(message.author), text)
        for message in history
        if (text := conversations.finished_text(message)) is not None
    ]
    return TextRequest(
        id=str(message_id),
        prompt=ChatPrompt(tuple(turns)),
        max_tokens=None,
        sampling=CHAT_SAMPLING,
        priority=Priority.CHAT,
        fairness_key=str(who.id),
    )
