"""A chat message: stored, rendered, submitted and recorded."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.engine.types import FinishReason
from assistant.errors import ConflictError, InvalidRequestError
from assistant.services.chat.blind import check_closed
from assistant.services.chat.writing import NewMessage, Writing, request, sign
from assistant.services.database import Database
from assistant.services.generators.types import TextStream
from assistant.services.history import attachments, branches, conversations
from assistant.services.history.attachments import AttachedFile
from assistant.services.people.accounts import Principal
from codellama_core.models import ACTIVE_STATUSES, Author, ChatSettings, Conversation, Message, MessageStatus


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question with its attachments, and the message that its answer is written into.

    ``model`` is the name of who writes it.
    """

    question: Message
    answer: Message
    files: Sequence[AttachedFile] = ()
    model: str | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """``history`` is the branch to answer, None when there is nothing to be started; ``begun`` is where it goes on."""

    exchange: Exchange
    history: Sequence[Message] | None = None
    begun: str = ""
    settings: ChatSettings = field(default_factory=ChatSettings)


class ChatService:
    def __init__(self, database: Database, writing: Writing) -> None:
        self._database = database
        self._writing = writing

    async def send(self, who: Principal, conversation_id: uuid.UUID, new: NewMessage) -> Exchange:
        """Store a question and start its answer; both or neither. The same idempotency key again changes nothing.

        Raises NotFoundError, ConflictError (the newest answer is still being written), BusyError,
        ContextLengthError, UnavailableError.
        """

        async def prepare(session: AsyncSession) -> _Prepared:
            conversation = await conversations.owned(session, who.id, conversation_id, lock=True)
            if (known := await _already_sent(session, conversation, new.idempotency_key)) is not None:
                return _Prepared(known)
            parent = await branches.open_parent(session, conversation_id, new.spot)
            exchange = await self._store(session, conversation, parent, new)
            history = [*await conversations.branch(session, parent), exchange.question]
            return _Prepared(exchange, history, settings=conversation.settings)

        return await self._start(who, prepare)

    async def regenerate(self, who: Principal, message_id: uuid.UUID, idempotency_key: str | None) -> Exchange:
        """Start another answer to the same question, beside the one there is. The same key again changes nothing.

        Raises NotFoundError, InvalidRequestError (no answer to a question), ConflictError (one is still being
        written), BusyError, ContextLengthError, UnavailableError.
        """

        async def prepare(session: AsyncSession) -> _Prepared:
            conversation, exchange = await _answered(session, who, message_id)
            if (known := await _already_sent(session, conversation, idempotency_key)) is not None:
                return _Prepared(known)
            await _check_all_written(session, exchange.question)
            answer = self._writing.answer(exchange.question, idempotency_key)
            session.add(answer)
            conversations.touch(conversation)
            await session.flush()
            history = await conversations.branch(session, exchange.question)
            return _Prepared(Exchange(exchange.question, answer), history, settings=conversation.settings)

        return await self._start(who, prepare)

    async def go_on(self, who: Principal, message_id: uuid.UUID) -> Exchange:
        """Let an answer that broke off go on: the same message grows, so its feedback and its place stay.

        The model is given the text so far as the beginning of its answer. Raises NotFoundError, InvalidRequestError
        (no answer to a question), ConflictError (it is complete, empty, has been replied to, or is still being
        written), BusyError, ContextLengthError, UnavailableError.
        """

        async def prepare(session: AsyncSession) -> _Prepared:
            conversation, exchange = await _answered(session, who, message_id)
            answer = exchange.answer
            await _check_may_go_on(session, answer)
            self._writing.requeue(answer)
            conversations.touch(conversation)
            history = await conversations.branch(session, exchange.question)
            return _Prepared(exchange, history, answer.content, conversation.settings)

        return await self._start(who, prepare)

    async def _start(self, who: Principal, prepare: Callable[[AsyncSession], Awaitable[_Prepared]]) -> Exchange:
        """What ``prepare`` has stored is kept only if the model takes it."""
        stream: TextStream | None = None
        try:
            async with self._database.session() as session:
                prepared = await prepare(session)
                question = prepared.exchange.question
                files = (await attachments.listed(session, [question.id])).get(question.id, ())
                exchange = replace(prepared.exchange, files=files)
                if prepared.history is None:
                    return exchange
                turns = await branches.turns_of(session, prepared.history)
                asked = request(who, exchange.answer.id, turns, prepared.settings, prepared.begun)
                stream = await self._writing.ask(asked)
                sign(exchange.answer, stream.model)
        except BaseException:
            if stream is not None:
                stream.cancel()
            raise
        self._writing.adopt(self._writing.live(exchange.answer, stream))
        return replace(exchange, model=stream.model.name)

    async def _store(
        self, session: AsyncSession, conversation: Conversation, parent: Message | None, new: NewMessage
    ) -> Exchange:
        question = await self._writing.question(session, conversation, parent, new)
        answer = self._writing.answer(question)
        session.add(answer)
        await session.flush()
        return Exchange(question, answer)


async def _already_sent(session: AsyncSession, conversation: Conversation, key: str | None) -> Exchange | None:
    """What a key has led to before: a question and its first answer, or another answer to a question."""
    if key is None:
        return None
    sent = select(Message).where(Message.conversation_id == conversation.id, Message.idempotency_key == key)
    message = await session.scalar(sent)
    if message is None:
        return None
    if message.author is Author.ASSISTANT:
        question, answer = await session.get_one(Message, message.parent_id), message
    else:
        first = select(Message).where(Message.parent_id == message.id).order_by(Message.id).limit(1)
        question, answer = message, (await session.scalars(first)).one()
    view = await conversations.message_of(session, conversation.user_id, answer.id)
    return Exchange(question, answer, model=view.model)


async def _answered(session: AsyncSession, who: Principal, message_id: uuid.UUID) -> tuple[Conversation, Exchange]:
    """An answer with its question, and its conversation, which is locked."""
    answer = (await conversations.message_of(session, who.id, message_id)).message
    conversation = await conversations.owned(session, who.id, answer.conversation_id, lock=True)
    await session.refresh(answer)
    if answer.author is not Author.ASSISTANT or answer.parent_id is None:
        raise InvalidRequestError("Only answers to a question can be written again or go on.")
    await check_closed(session, answer.parent_id)
    return conversation, Exchange(await session.get_one(Message, answer.parent_id), answer)


async def _check_all_written(session: AsyncSession, question: Message) -> None:
    active = select(Message.id).where(Message.parent_id == question.id, Message.status.in_(ACTIVE_STATUSES))
    if await session.scalar(active.limit(1)) is not None:
        raise ConflictError("An answer to this question is still being written; stop it or wait.")


async def _check_may_go_on(session: AsyncSession, answer: Message) -> None:
    if conversations.is_active(answer):
        raise ConflictError("This answer is still being written.")
    if answer.status is MessageStatus.DONE and answer.finish_reason != FinishReason.LENGTH:
        raise ConflictError("This answer is complete; ask for another one, or for more.")
    if not answer.content:
        raise ConflictError("Nothing of this answer was written; ask for another one.")
    if await session.scalar(select(Message.id).where(Message.parent_id == answer.id).limit(1)) is not None:
        raise ConflictError("This answer has been replied to; ask for another one.")
