"""Blind comparisons: one question to two models, one after the other, and a vote before their names are known.

Never at once: on a CPU both would run at half their speed. The left answer is written first; which model is left is
drawn by lot, so neither order nor side tells anything. Both answers are rows from the beginning, and whoever writes
the first keeps the second alive; when that process dies, both end as interrupted and can be run again anywhere.
"""

import asyncio
import secrets
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import ConflictError, InvalidRequestError, ModelNotFoundError, NotFoundError
from assistant.services.chat.later import LaterStream
from assistant.services.chat.settings import ModelGoneError
from assistant.services.chat.writing import NewMessage, Writing, request, sign
from assistant.services.database import Database
from assistant.services.generators.types import ModelIdentity, TextStream, choose
from assistant.services.history import attachments, branches, conversations
from assistant.services.history.attachments import AttachedFile
from assistant.services.people.accounts import Principal
from codellama_core.models import ChatSettings, Comparison, Conversation, Message, MessageSearch, MessageStatus, Vote
from codellama_core.prompt import ChatMessage

ONE_IS_GONE = "One of the two models is not served any more; end the comparison to go on."


@dataclass(frozen=True, slots=True)
class Contest:
    """A comparison with its question, what is attached to that, and the two answers."""

    comparison: Comparison
    question: Message
    left: Message
    right: Message
    files: Sequence[AttachedFile] = ()

    @property
    def sides(self) -> tuple[tuple[Message, str], tuple[Message, str]]:
        """The answers in the order in which they are written, each with its model's name."""
        return (self.left, self.comparison.left_model), (self.right, self.comparison.right_model)


class ComparisonService:
    def __init__(self, database: Database, writing: Writing) -> None:
        self._database = database
        self._writing = writing

    async def begin(
        self, who: Principal, conversation_id: uuid.UUID, new: NewMessage, names: Sequence[str] | None
    ) -> Contest:
        """Store a question and start both answers; all or nothing. The same idempotency key again changes nothing.

        ``names`` None compares the first two models that are served. Raises NotFoundError, ConflictError,
        InvalidRequestError (not two models), BusyError, ContextLengthError, UnavailableError.
        """

        async def prepare(session: AsyncSession) -> tuple[Contest, bool]:
            conversation = await conversations.owned(session, who.id, conversation_id, lock=True)
            if (known := await _already_begun(session, conversation, new.idempotency_key)) is not None:
                return known, False
            pair = self._drawn(names)
            parent = await branches.open_parent(session, conversation_id, new.spot)
            question = await self._writing.question(session, conversation, parent, new)
            return await self._store(session, who, question, pair), True

        return await self._run(who, prepare)

    async def again(self, who: Principal, comparison_id: uuid.UUID) -> Contest:
        """Write what is missing of the two answers, from where they broke off.

        Raises NotFoundError, ConflictError (closed, being written, or nothing is missing), BusyError,
        ContextLengthError, UnavailableError.
        """

        async def prepare(session: AsyncSession) -> tuple[Contest, bool]:
            contest = await _open(session, who.id, comparison_id)
            missing = [answer for answer, _ in contest.sides if answer.status is not MessageStatus.DONE]
            if any(conversations.is_active(answer) for answer in missing):
                raise ConflictError("The answers are still being written; wait, or stop them.")
            if not missing:
                raise ConflictError("Both answers are there; vote for one of them.")
            for answer in missing:
                self._writing.requeue(answer)
            await session.flush()
            return contest, True

        try:
            return await self._run(who, prepare)
        except ModelGoneError:
            raise ConflictError(ONE_IS_GONE) from None

    async def vote(self, who: Principal, comparison_id: uuid.UUID, vote: Vote) -> Contest:
        """Close a comparison; the better answer is the one that goes on. The same vote again changes nothing.

        Raises NotFoundError, ConflictError (closed otherwise, or an answer is not complete).
        """
        async with self._database.session() as session:
            contest = await _contest(session, who.id, comparison_id, lock=True)
            comparison = contest.comparison
            if comparison.closed_at is not None:
                if comparison.vote is vote:
                    return contest
                raise ConflictError("This comparison has been closed already.")
            if any(answer.status is not MessageStatus.DONE for answer, _ in contest.sides):
                raise ConflictError("A vote needs two complete answers; run what is missing again, or end it.")
            comparison.vote, comparison.closed_at = vote, datetime.now(UTC)
            if vote is Vote.LEFT:
                await _continue_left(session, contest)
            return contest

    async def end(self, who: Principal, comparison_id: uuid.UUID) -> tuple[Contest, list[uuid.UUID]]:
        """Close a comparison without a vote; also returns the answers that were still being written.

        Raises NotFoundError, ConflictError (closed already).
        """
        async with self._database.session() as session:
            contest = await _open(session, who.id, comparison_id)
            contest.comparison.closed_at = datetime.now(UTC)
            if contest.left.content and not contest.right.content:
                await _continue_left(session, contest)
            return contest, [answer.id for answer, _ in contest.sides if conversations.is_active(answer)]

    def _drawn(self, names: Sequence[str] | None) -> list[ModelIdentity]:
        """The two models, the one for the left first."""
        served = self._writing.models
        if len(served) < 2:
            raise ConflictError("Only one model is served now; comparing needs a challenger beside the champion.")
        try:
            pair = [choose(served, name) for name in names] if names is not None else list(served[:2])
        except ModelNotFoundError as error:
            raise InvalidRequestError(error.message, param="models") from None
        if len({identity.name for identity in pair}) != 2:
            raise InvalidRequestError("models: two different models that are served are needed.", param="models")
        secrets.SystemRandom().shuffle(pair)
        return pair

    async def _store(
        self, session: AsyncSession, who: Principal, question: Message, pair: Sequence[ModelIdentity]
    ) -> Contest:
        left, right = sorted((self._writing.answer(question) for _ in pair), key=lambda answer: answer.id)
        right.created_at = left.created_at
        for answer, identity in zip((left, right), pair, strict=True):
            sign(answer, identity)
        session.add_all([left, right])
        await session.flush()
        comparison = Comparison(
            user_id=who.id, question_id=question.id, left_id=left.id, right_id=right.id, left_model=pair[0].name,
            right_model=pair[1].name,
        )  # fmt: skip
        session.add(comparison)
        await session.flush()
        return Contest(comparison, question, left, right)

    async def _run(self, who: Principal, prepare: "Prepare") -> Contest:
        """What ``prepare`` has stored is kept only if the model of the first missing answer takes it."""
        first: TextStream | None = None
        try:
            async with self._database.session() as session:
                contest, is_new = await prepare(session)
                files = (await attachments.listed(session, [contest.question.id])).get(contest.question.id, ())
                contest = replace(contest, files=files)
                if not is_new:
                    return contest
                conversation = await session.get_one(Conversation, contest.question.conversation_id)
                turns = await branches.turns_of(session, await conversations.branch(session, contest.question))
                missing = [
                    (answer, replace(conversation.settings, model=model))
                    for answer, model in contest.sides
                    if conversations.is_active(answer)
                ]
                start = partial(self._start, who, turns)
                first = await start(*missing[0])
        except BaseException:
            if first is not None:
                first.cancel()
            raise
        self._write(missing, first, start)
        return contest

    async def _start(
        self, who: Principal, turns: Sequence[ChatMessage], answer: Message, settings: ChatSettings
    ) -> TextStream:
        return await self._writing.ask(request(who, answer.id, turns, settings, answer.content))

    def _write(self, missing: Sequence[tuple[Message, ChatSettings]], first: TextStream, start: "Start") -> None:
        """Run the first generation, and have the second begin when it has ended, however that was."""
        task = self._writing.adopt(self._writing.live(missing[0][0], first))
        for answer, settings in missing[1:]:
            model = ModelIdentity(settings.model or "", answer.model_version_id)
            later = LaterStream(model, partial(start, answer, settings))
            generation = self._writing.live(answer, later)
            later.on_start = generation.begin_clock
            task.add_done_callback(partial(_begin, later))
            self._writing.adopt(generation)


Prepare = Callable[[AsyncSession], Awaitable[tuple[Contest, bool]]]
Start = Callable[[Message, ChatSettings], Awaitable[TextStream]]


def _begin(later: LaterStream, _: "asyncio.Task[None]") -> None:
    later.begin()


async def of_questions(session: AsyncSession, question_ids: Iterable[uuid.UUID]) -> Sequence[Comparison]:
    """The comparisons of some questions, open and closed."""
    return (await session.scalars(select(Comparison).where(Comparison.question_id.in_(question_ids)))).all()


async def list_of(session: AsyncSession, user_id: uuid.UUID) -> Sequence[Comparison]:
    """All of a person's comparisons, oldest first."""
    mine = select(Comparison).where(Comparison.user_id == user_id)
    return (await session.scalars(mine.order_by(Comparison.created_at, Comparison.id))).all()


async def _already_begun(session: AsyncSession, conversation: Conversation, key: str | None) -> Contest | None:
    if key is None:
        return None
    sent = select(Message).where(Message.conversation_id == conversation.id, Message.idempotency_key == key)
    question = await session.scalar(sent)
    if question is None:
        return None
    comparison = await session.scalar(select(Comparison).where(Comparison.question_id == question.id))
    if comparison is None:
        raise ConflictError("This idempotency key was used for something else.", param="idempotency_key")
    return await _contest(session, conversation.user_id, comparison.id)


async def _contest(
    session: AsyncSession, user_id: uuid.UUID, comparison_id: uuid.UUID, *, lock: bool = False
) -> Contest:
    query = select(Comparison).where(Comparison.id == comparison_id, Comparison.user_id == user_id)
    comparison = await session.scalar(query.with_for_update() if lock else query)
    if comparison is None:
        raise NotFoundError("There is no such comparison.")
    ids = (comparison.question_id, comparison.left_id, comparison.right_id)
    question, left, right = [await session.get_one(Message, id_) for id_ in ids]
    return Contest(comparison, question, left, right)


async def _open(session: AsyncSession, user_id: uuid.UUID, comparison_id: uuid.UUID) -> Contest:
    contest = await _contest(session, user_id, comparison_id, lock=True)
    if contest.comparison.closed_at is not None:
        raise ConflictError("This comparison has been closed already.")
    return contest


async def _continue_left(session: AsyncSession, contest: Contest) -> None:
    """The branch that is shown ends in the newest answer, which is the right one: make the left one that."""
    at = contest.right.created_at + timedelta(microseconds=1)
    contest.left.created_at = at
    found = update(MessageSearch).where(MessageSearch.message_id == contest.left.id)
    await session.execute(found.values(created_at=at))
