"""What is shown of a conversation at once: a stretch of one branch, and what stands beside it.

A branch is a way through the tree from the first message to one without answers. The page is cut from one branch rather
than from the newest messages, which may be of another one, so whoever scrolls always gets what comes before. Beside the
branch stand the siblings of its messages; how those go on is asked for with ``around`` when one is chosen.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import InvalidRequestError
from assistant.services.chat import comparisons
from assistant.services.history import conversations
from assistant.services.history.conversations import MessageView
from codellama_core.models import Comparison, Conversation, Message


@dataclass(frozen=True, slots=True)
class Window:
    """At most ``limit`` messages of a branch.

    They end before one message, begin after one, have one in their middle, or are the end of the newest branch. The
    branch after a message is the one that ends in the newest message below it.
    """

    limit: int
    before: uuid.UUID | None = None
    after: uuid.UUID | None = None
    around: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """``branch`` are the stretch's ids, oldest first; ``views`` are its messages and their siblings, or all there are.

    ``contests`` are the comparisons that have answers among them.

    ``earlier`` and ``later``: the branch has more before or after it.
    """

    conversation: Conversation
    views: list[MessageView]
    branch: Sequence[uuid.UUID]
    earlier: bool
    later: bool
    contests: Sequence[Comparison]


@dataclass(frozen=True, slots=True)
class _Stretch:
    ids: Sequence[uuid.UUID]
    earlier: bool
    later: bool


async def window(session: AsyncSession, user_id: uuid.UUID, conversation_id: uuid.UUID, wanted: Window) -> Thread:
    """A conversation that has ``limit`` messages or fewer comes whole, unless a part before or after is asked for.

    Raises NotFoundError as ``conversations.owned`` does, InvalidRequestError when a message is not in it.
    """
    conversation = await conversations.owned(session, user_id, conversation_id)
    await _check(session, conversation_id, wanted)
    stretch = await _stretch(session, conversation_id, wanted)
    mine = Message.conversation_id == conversation_id
    if wanted.before or wanted.after or await _is_long(session, conversation_id, wanted.limit):
        parents = select(Message.parent_id).where(Message.id.in_(stretch.ids))
        roots = Message.parent_id.is_(None) & literal(not stretch.earlier and bool(stretch.ids))
        mine &= Message.parent_id.in_(parents) | roots
    views = await conversations.views(session, user_id, mine)
    questions = {view.message.parent_id for view in views if view.message.parent_id is not None}
    contests = await comparisons.of_questions(session, questions)
    return Thread(conversation, views, stretch.ids, stretch.earlier, stretch.later, contests)


async def _check(session: AsyncSession, conversation_id: uuid.UUID, wanted: Window) -> None:
    given = {name: id_ for name in ("before", "after", "around") if (id_ := getattr(wanted, name)) is not None}
    if len(given) > 1:
        names = " and ".join(given)
        raise InvalidRequestError(f"{names} cannot be combined; give one of them.", param=list(given)[1])
    for name, id_ in given.items():
        there = select(Message.id).where(Message.id == id_, Message.conversation_id == conversation_id)
        if await session.scalar(there) is None:
            raise InvalidRequestError(f"{name}: there is no such message in this conversation.", param=name)


async def _is_long(session: AsyncSession, conversation_id: uuid.UUID, limit: int) -> bool:
    some = select(Message.id).where(Message.conversation_id == conversation_id).limit(limit + 1)
    return (await session.scalar(select(func.count()).select_from(some.subquery())) or 0) > limit


async def _stretch(session: AsyncSession, conversation_id: uuid.UUID, wanted: Window) -> _Stretch:
    if wanted.before is not None:
        above = await _up(session, wanted.before, wanted.limit + 1)
        return _Stretch(above[:-1][-wanted.limit :], len(above) > wanted.limit + 1, later=True)
    if wanted.after is not None:
        below = await _down(session, wanted.after)
        return _Stretch(below[: wanted.limit], earlier=True, later=len(below) > wanted.limit)
    if wanted.around is not None:
        return await _around(session, wanted.around, wanted.limit)
    last = await conversations.last_message(session, conversation_id)
    path = await _up(session, last.id, wanted.limit) if last else []
    return _Stretch(path[-wanted.limit :], len(path) > wanted.limit, later=False)


async def _around(session: AsyncSession, message_id: uuid.UUID, limit: int) -> _Stretch:
    above, below = await _up(session, message_id, limit), await _down(session, message_id)
    branch = [*above, *below]
    start = max(0, min(len(above) - 1 - limit // 2, len(branch) - limit))
    return _Stretch(branch[start : start + limit], start > 0, len(branch) > start + limit)


async def _up(session: AsyncSession, message_id: uuid.UUID, count: int) -> list[uuid.UUID]:
    """A message and ``count`` above it, oldest first."""
    path = conversations.ancestry(message_id, count)
    return list(await session.scalars(select(path.c.id).order_by(path.c.depth.desc())))


async def _down(session: AsyncSession, message_id: uuid.UUID) -> list[uuid.UUID]:
    """What follows a message, oldest first, on the way to the newest message below it."""
    top = select(Message.id, Message.created_at).where(Message.id == message_id).cte("below", recursive=True)
    below = top.union_all(select(Message.id, Message.created_at).where(Message.parent_id == top.c.id))
    newest = await session.scalar(select(below.c.id).order_by(below.c.created_at.desc(), below.c.id.desc()).limit(1))
    path = conversations.ancestry(newest) if newest is not None else None
    if path is None:
        return []
    ids = list(await session.scalars(select(path.c.id).order_by(path.c.depth.desc())))
    return ids[ids.index(message_id) + 1 :]
