"""Conversations and their messages."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Query

from assistant.api.chat.answers import sent
from assistant.api.chat.attachment_schemas import files_of
from assistant.api.chat.history_schemas import (
    ConversationPage,
    ConversationWithMessages,
    DeletedOut,
    FolderList,
    FolderOut,
    UpdateConversation,
)
from assistant.api.chat.settings import chosen_settings
from assistant.api.deps import PrincipalDep, ResourcesDep, SessionDep
from assistant.api.schemas import (
    ConversationDetail,
    ConversationOut,
    CreateConversation,
    SendMessage,
    SendResult,
)
from assistant.services.chat.writing import NewMessage
from assistant.services.history import conversations, threads
from assistant.services.history.branches import Spot
from assistant.services.history.conversations import Changes, Filter
from assistant.services.history.threads import Window
from assistant.services.pages import Place
from codellama_core.models import ChatSettings

router = APIRouter(prefix="/api/conversations", tags=["conversations"])


@router.get("")
async def list_conversations(
    principal: PrincipalDep,
    session: SessionDep,
    before: Annotated[str, Query(max_length=200, description="``next_before`` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=200, description="Conversations on a page")] = 50,
    archived: Annotated[bool, Query(description="Those that are archived instead of those that are not")] = False,
    folder: Annotated[str, Query(max_length=60, description="Only those of this folder")] = "",
) -> ConversationPage:
    """Newest first; the first page also has those that are pinned."""
    wanted = Filter(archived, folder or None)
    place = Place.parse(before, "before") if before else None
    pinned = await conversations.pinned_of(session, principal.id, wanted) if place is None else []
    rows = await conversations.list_of(session, principal.id, wanted, place, limit + 1)
    last = Place(rows[limit - 1].updated_at, rows[limit - 1].id).cursor if len(rows) > limit else None
    return ConversationPage(
        pinned=[ConversationOut.model_validate(row) for row in pinned],
        items=[ConversationOut.model_validate(row) for row in rows[:limit]],
        next_before=last,
    )


@router.delete("")
async def delete_conversations(
    principal: PrincipalDep,
    resources: ResourcesDep,
    archived: Annotated[bool, Query(description="Only those that are archived")] = False,
) -> DeletedOut:
    """All of one's own conversations, gone for good; answers being written are stopped."""
    async with resources.database.session() as session:
        removed = await conversations.remove_all(session, principal.id, archived_only=archived)
    for message_id in removed.running:
        await resources.generations.stop(message_id)
    return DeletedOut(deleted=removed.count)


@router.get("/folders")
async def list_folders(principal: PrincipalDep, session: SessionDep) -> FolderList:
    """The folders that have a conversation in them."""
    rows = await conversations.folders_of(session, principal.id)
    return FolderList(items=[FolderOut(name=name, conversations=count) for name, count in rows])


@router.post("", status_code=201)
async def create_conversation(
    body: CreateConversation, principal: PrincipalDep, session: SessionDep, resources: ResourcesDep
) -> ConversationDetail:
    """An empty conversation, its first message to be sent next."""
    settings = ChatSettings(**chosen_settings(body.settings, resources))
    row = await conversations.create(session, principal.id, body.title or "", settings)
    return ConversationDetail.model_validate(row)


@router.get("/{conversation_id:uuid}")
async def get_conversation(
    conversation_id: uuid.UUID,
    principal: PrincipalDep,
    session: SessionDep,
    limit: Annotated[int, Query(ge=1, le=500, description="Messages of the branch")] = 200,
    before: Annotated[uuid.UUID | None, Query(description="Those before this message")] = None,
    after: Annotated[uuid.UUID | None, Query(description="Those after this message")] = None,
    around: Annotated[uuid.UUID | None, Query(description="The branch that goes through this message")] = None,
) -> ConversationWithMessages:
    """The end of the newest branch, or another part; siblings come along, and ``parent_id`` makes the tree."""
    wanted = Window(limit, before, after, around)
    return ConversationWithMessages.build(await threads.window(session, principal.id, conversation_id, wanted))


@router.patch("/{conversation_id:uuid}")
async def update_conversation(
    conversation_id: uuid.UUID,
    body: UpdateConversation,
    principal: PrincipalDep,
    session: SessionDep,
    resources: ResourcesDep,
) -> ConversationDetail:
    """Rename, pin, archive or file it, or choose how it is answered; a field that is left out stays."""
    given = body.model_dump(exclude_unset=True, exclude={"settings"})
    changes = Changes(**given, refile="folder" in given, settings=chosen_settings(body.settings, resources))
    row = await conversations.change(session, principal.id, conversation_id, changes)
    return ConversationDetail.model_validate(row)


@router.delete("/{conversation_id:uuid}", status_code=204)
async def delete_conversation(conversation_id: uuid.UUID, principal: PrincipalDep, resources: ResourcesDep) -> None:
    """Gone for good, with its messages and feedback; an answer being written is stopped."""
    async with resources.database.session() as session:
        running = await conversations.remove(session, principal.id, conversation_id)
    for message_id in running:
        await resources.generations.stop(message_id)


@router.post("/{conversation_id:uuid}/messages", status_code=202)
async def send_message(
    conversation_id: uuid.UUID, body: SendMessage, principal: PrincipalDep, resources: ResourcesDep
) -> SendResult:
    """Store a message and start its answer; follow it at ``/api/generations/{id}/events``."""
    spot = Spot(body.parent_id, body.beside_id)
    new = NewMessage(body.content, files_of(body.attachments), spot, body.idempotency_key)
    return sent(await resources.chat.send(principal, conversation_id, new))
