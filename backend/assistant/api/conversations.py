"""Conversations and their messages."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Query

from assistant.api.deps import PrincipalDep, ResourcesDep, SessionDep
from assistant.api.schemas import (
    ConversationOut,
    ConversationPage,
    ConversationWithMessages,
    CreateConversation,
    MessageOut,
    Moment,
    SendMessage,
    SendResult,
    UpdateConversation,
)
from assistant.services import conversations
from assistant.services.chat import NewMessage
from assistant.services.conversations import MessageView

router = APIRouter(prefix="/api/conversations", tags=["conversations"])


@router.get("")
async def list_conversations(
    principal: PrincipalDep,
    session: SessionDep,
    before: Annotated[Moment | None, Query(description="``next_before`` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Conversations on a page")] = 50,
) -> ConversationPage:
    """Newest first."""
    rows = await conversations.list_of(session, principal.id, before, limit + 1)
    items = [ConversationOut.model_validate(row) for row in rows[:limit]]
    return ConversationPage(items=items, next_before=items[-1].updated_at if len(rows) > limit else None)


@router.post("", status_code=201)
async def create_conversation(
    body: CreateConversation, principal: PrincipalDep, session: SessionDep
) -> ConversationOut:
    """An empty conversation, its first message to be sent next."""
    row = await conversations.create(session, principal.id, body.title or "")
    return ConversationOut.model_validate(row)


@router.get("/{conversation_id}")
async def get_conversation(
    conversation_id: uuid.UUID, principal: PrincipalDep, session: SessionDep
) -> ConversationWithMessages:
    """All messages, of every branch, in the order in which they were made; ``parent_id`` makes the tree."""
    conversation = await conversations.owned(session, principal.id, conversation_id)
    views = await conversations.messages_of(session, principal.id, conversation_id)
    return ConversationWithMessages.build(conversation, views)


@router.patch("/{conversation_id}")
async def update_conversation(
    conversation_id: uuid.UUID, body: UpdateConversation, principal: PrincipalDep, session: SessionDep
) -> ConversationOut:
    """Give it another title."""
    row = await conversations.rename(session, principal.id, conversation_id, body.title)
    return ConversationOut.model_validate(row)


@router.delete("/{conversation_id}", status_code=204)
async def delete_conversation(conversation_id: uuid.UUID, principal: PrincipalDep, resources: ResourcesDep) -> None:
    """Gone for good, with its messages and feedback; an answer being written is stopped."""
    async with resources.database.session() as session:
        running = await conversations.remove(session, principal.id, conversation_id)
    for message_id in running:
        await resources.generations.stop(message_id)


@router.post("/{conversation_id}/messages", status_code=202)
async def send_message(
    conversation_id: uuid.UUID, body: SendMessage, principal: PrincipalDep, resources: ResourcesDep
) -> SendResult:
    """Store a message and start its answer; follow it at ``/api/generations/{id}/events``."""
    new = NewMessage(body.content, body.parent_id, body.idempotency_key)
    exchange = await resources.chat.send(principal, conversation_id, new)
    model = resources.generator.model
    return SendResult(
        user_message=MessageOut.of(MessageView(exchange.question, None, None)),
        assistant_message=MessageOut.of(MessageView(exchange.answer, model.name if model else None, None)),
    )
