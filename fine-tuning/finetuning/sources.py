"""Items in the database, as of one snapshot. Consent and deletion are decided here and nowhere else.

Rating, correcting and ingesting are acts of consent unless the user has opted out (``users.training_consent``).
"""

import uuid
from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, aliased

from codellama_core.licenses import ALLOWED, is_allowed
from codellama_core.models import (
    ApiInteraction,
    Attachment,
    Author,
    Conversation,
    Document,
    Feedback,
    Message,
    MessageStatus,
    TrainingExclusion,
    User,
)
from codellama_core.prompt import ChatMessage, ContextFile, with_files, with_system_prompt
from finetuning.items import Chat, Code, Content, Continuation, Infill, Item, Rejection, Source


def read_items(engine: Engine, licenses: Collection[str] = ALLOWED) -> tuple[list[Item], list[Rejection]]:
    """Everything that may be learned from, in a stable order, and what may not with the reason.

    Source code is learned from under ``licenses`` only.
    """
    isolated = engine.execution_options(isolation_level="REPEATABLE READ")
    with Session(isolated) as session:
        found = [*_rated(session), *_interactions(session), *_documents(session, licenses)]
        disliked, excluded = _disliked(session), _excluded(session)
    items: list[Item] = []
    rejections = [entry for entry in found if isinstance(entry, Rejection)]
    for item in (entry for entry in found if isinstance(entry, Item)):
        if (item.source.value, item.source_id) in excluded:
            rejections.append(Rejection.of(item, "excluded"))
        elif item.target.strip() in disliked:
            rejections.append(Rejection.of(item, "thumbs_down"))
        else:
            items.append(item)
    return items, rejections


def _rated(session: Session) -> Iterator[Item | Rejection]:
    owner, rater = aliased(User), aliased(User)
    query = (
        select(Feedback, Message, Conversation, owner.training_consent, rater.training_consent)
        .join(Message, Message.id == Feedback.message_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(owner, owner.id == Conversation.user_id)
        .join(rater, rater.id == Feedback.user_id)
        .where(Message.author == Author.ASSISTANT)
        .order_by(Feedback.id)
    )
    for feedback, message, conversation, owner_agrees, rater_agrees in session.execute(query):
        item = _rated_item(session, feedback, message, conversation)
        if item is None:
            continue
        reason = _rating_problem(item, feedback, message, agreed=owner_agrees and rater_agrees)
        yield item if reason is None else Rejection.of(item, reason)


def _rated_item(session: Session, feedback: Feedback, message: Message, conversation: Conversation) -> Item | None:
    """The prompt is what the model read; a system prompt that was changed since stands as it is now."""
    correction = (feedback.correction or "").strip()
    if not correction and feedback.rating is None:
        return None
    source, answer = (Source.CORRECTION, correction) if correction else (Source.RATING, message.content)
    prompt = with_system_prompt(conversation.settings.system_prompt, _branch(session, message))
    content = Chat(prompt, answer.strip())
    return Item(source, feedback.id, f"conversation:{message.conversation_id}", content)


def _rating_problem(item: Item, feedback: Feedback, message: Message, *, agreed: bool) -> str | None:
    if not agreed:
        return "no_consent"
    if item.source is Source.RATING and feedback.rating != 1:
        return "thumbs_down"
    if not isinstance(item.content, Chat) or not item.content.prompt or item.content.prompt[-1].role != "user":
        return "no_prompt"
    if item.source is Source.RATING and message.status is not MessageStatus.DONE:
        return "unfinished"
    if item.source is Source.RATING and message.finish_reason == "length":
        return "cut_off"
    return None if item.target else "empty"


def _branch(session: Session, message: Message) -> list[ChatMessage]:
    """The turns above a message, oldest first; empty ones (failed answers) and their questions left out."""
    turns: list[ChatMessage] = []
    parent = message.parent_id
    while parent is not None:
        above = session.get(Message, parent)
        if above is None:
            break
        turns.append(ChatMessage(above.author.value, with_files(above.content, _files(session, above))))
        parent = above.parent_id
    turns.reverse()
    kept: list[ChatMessage] = []
    for turn in turns:
        if kept and kept[-1].role == turn.role:
            kept.pop()
        if turn.content.strip():
            kept.append(turn)
    return kept


def _files(session: Session, message: Message) -> list[ContextFile]:
    query = select(Attachment).where(Attachment.message_id == message.id).order_by(Attachment.id)
    return [ContextFile(row.content, row.name) for row in session.scalars(query)]


def _interactions(session: Session) -> Iterator[Item | Rejection]:
    query = (
        select(ApiInteraction, User.training_consent)
        .join(User, User.id == ApiInteraction.user_id)
        .where(ApiInteraction.accepted.is_(True))
        .order_by(ApiInteraction.id)
    )
    for call, agrees in session.execute(query):
        content = _call_content(call.prompt, call.response)
        item = Item(Source.INTERACTION, call.id, f"interaction:{call.id}", content or Continuation("", call.response))
        if content is None:
            yield Rejection.of(item, "unknown_prompt")
        elif not agrees:
            yield Rejection.of(item, "no_consent")
        elif call.finish_reason == "length" and not isinstance(content, Continuation):
            yield Rejection.of(item, "cut_off")
        else:
            yield item if item.target.strip() else Rejection.of(item, "empty")


def _call_content(prompt: dict[str, Any], response: str) -> Content | None:
    match prompt:
        case {"messages": list(messages)}:
            turns = [ChatMessage(str(m["role"]), str(m["content"])) for m in messages if _is_turn(m)]
            whole = len(turns) == len(messages) and turns and turns[-1].role == "user"
            return Chat(tuple(turns), response.strip()) if whole else None
        case {"input_prefix": str(prefix), "input_suffix": str(suffix)}:
            return Infill(prefix, suffix, response)
        case {"prompt": str(prefix), "suffix": str(suffix)} if suffix:
            return Infill(prefix, suffix, response)
        case {"prompt": str(text)} | {"text": str(text)}:
            return Continuation(text, response)
    return None


def _is_turn(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and message.get("role") in ("system", "user", "assistant")
        and isinstance(message.get("content"), str)
    )


def _documents(session: Session, licenses: Collection[str]) -> Iterator[Item | Rejection]:
    erased = set(session.scalars(select(Document.sha256).where(Document.tombstoned_at.is_not(None))))
    query = select(Document, User.training_consent).outerjoin(User, User.id == Document.user_id)
    for document, agrees in session.execute(query.order_by(Document.repo, Document.path)):
        group = f"file:{document.repo}/{document.path}"
        item = Item(Source.DOCUMENT, document.id, group, Code(document.content, document.language))
        if document.tombstoned_at is not None or document.sha256 in erased:
            yield Rejection(item.source, item.source_id, document.sha256, "tombstoned")
        elif agrees is False:
            yield Rejection.of(item, "no_consent")
        elif not is_allowed(document.license, licenses):
            yield Rejection.of(item, "license")
        else:
            yield item if item.target.strip() else Rejection.of(item, "empty")


def _disliked(session: Session) -> set[str]:
    """Answers that somebody turned down; never a target, wherever they came from."""
    query = select(Message.content).join(Feedback, Feedback.message_id == Message.id).where(Feedback.rating == -1)
    return {text.strip() for text in session.scalars(query)} - {""}


def _excluded(session: Session) -> set[tuple[str, uuid.UUID]]:
    """Sources that an admin wants nothing to be learned from."""
    rows = session.execute(select(TrainingExclusion.source_kind, TrainingExclusion.source_id))
    return {(kind, identity) for kind, identity in rows}


def source_id(name: str) -> uuid.UUID:
    """A stable id for something that has no row of its own."""
    return uuid.uuid5(uuid.NAMESPACE_URL, name)
