"""What every way of asking shares: the rows of a question and its answers, the request, the start of the generation."""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from assistant.engine.types import Priority
from assistant.errors import ModelNotFoundError
from assistant.services.chat.generations import Generations
from assistant.services.chat.live import LiveGeneration
from assistant.services.chat.settings import ModelGoneError, sampling_of
from assistant.services.database import Database
from assistant.services.generators.types import ChatPrompt, Generator, ModelIdentity, TextRequest, TextStream
from assistant.services.history import attachments, conversations, search
from assistant.services.history.branches import Spot
from assistant.services.people.accounts import Principal
from assistant.services.spool import Spool
from assistant.telemetry import Metrics
from codellama_core.ids import uuid7
from codellama_core.models import Author, ChatSettings, Conversation, Message, MessageStatus
from codellama_core.prompt import ChatMessage, ContextFile, with_system_prompt

TITLE_LENGTH: Final = 80


@dataclass(frozen=True, slots=True)
class NewMessage:
    """What a person sends, and where it belongs."""

    content: str
    files: Sequence[ContextFile] = ()
    spot: Spot = field(default_factory=Spot)
    idempotency_key: str | None = None


class Writing:
    """Makes rows and starts generations; the transaction is the caller's."""

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

    @property
    def models(self) -> Sequence[ModelIdentity]:
        """Those that may be asked now."""
        return self._generator.models

    async def question(
        self, session: AsyncSession, conversation: Conversation, parent: Message | None, new: NewMessage
    ) -> Message:
        """Store a question with its attachments; the first one gives the conversation its title."""
        now = datetime.now(UTC)
        question = Message(
            id=uuid7(), conversation_id=conversation.id, parent_id=parent.id if parent else None, author=Author.USER,
            content=new.content, idempotency_key=new.idempotency_key, created_at=now, finished_at=now,
        )  # fmt: skip
        session.add(question)
        await session.flush()
        await attachments.attach(session, question.id, new.files)
        if parent is None and conversation.title == "":
            conversation.title = title_of(new.content)
        conversations.touch(conversation)
        await session.flush()
        await search.index(session, Message.id == question.id)
        return question

    def answer(self, question: Message, idempotency_key: str | None = None) -> Message:
        """An answer that is still empty, to be added to the session."""
        return Message(
            id=uuid7(), conversation_id=question.conversation_id, parent_id=question.id, author=Author.ASSISTANT,
            status=MessageStatus.QUEUED, idempotency_key=idempotency_key, instance_id=self._instance_id,
            heartbeat_at=datetime.now(UTC), created_at=datetime.now(UTC),
        )  # fmt: skip

    def requeue(self, answer: Message) -> None:
        """Let an answer that has ended be written on, by this process."""
        answer.status, answer.instance_id = MessageStatus.QUEUED, self._instance_id
        answer.heartbeat_at, answer.finished_at = datetime.now(UTC), None
        answer.stop_requested, answer.finish_reason, answer.error = False, None, None

    async def ask(self, request: TextRequest) -> TextStream:
        """Raises ModelGoneError, and what ``Generator.start`` raises."""
        try:
            return await self._generator.start(request)
        except ModelNotFoundError:
            raise ModelGoneError(request.model or "", self._generator.models) from None

    def live(self, answer: Message, stream: TextStream) -> LiveGeneration:
        """The generation that writes a stream into an answer; ``adopt`` runs it."""
        return LiveGeneration(answer, stream, self._database, self._spool, self._metrics)

    def adopt(self, generation: LiveGeneration) -> asyncio.Task[None]:
        """Run a generation whose answer has been committed; the task ends with it."""
        return self._generations.adopt(generation)


def title_of(content: str) -> str:
    """The first line of the first message, shortened at a word."""
    line = next((line.strip() for line in content.splitlines() if line.strip()), "New chat")
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rsplit(" ", 1)[0] + "…"


def sign(answer: Message, model: ModelIdentity) -> None:
    """Write down who answers: the version, or the name of a model that is no version of ours."""
    answer.model_version_id = model.version_id
    answer.imported_model = model.name if model.version_id is None else None


def request(
    who: Principal, answer_id: uuid.UUID, turns: Sequence[ChatMessage], settings: ChatSettings, begun: str = ""
) -> TextRequest:
    """What the model is asked: turns that end in the question, and how its answer begins where it goes on."""
    return TextRequest(
        id=f"{answer_id}/{len(begun)}" if begun else str(answer_id),
        prompt=ChatPrompt(with_system_prompt(settings.system_prompt, turns), begun),
        max_tokens=settings.max_tokens,
        sampling=sampling_of(settings),
        model=settings.model,
        priority=Priority.CHAT,
        fairness_key=str(who.id),
    )
