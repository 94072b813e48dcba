"""Taking one's conversations out, and in again."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from assistant.api.chat.attachment_schemas import AttachmentIn, files_of
from assistant.api.chat.history_schemas import Export, ExportedConversation, ExportedMessage, ImportResult
from assistant.api.deps import PrincipalDep, ResourcesDep, SessionDep
from assistant.api.schemas import ChatSettingsIn, ConversationOut, FeedbackIn
from assistant.services.database import Database
from assistant.services.history import conversations, exports, imports
from assistant.services.history.exports import Entry
from assistant.services.history.imports import Figures, ImportedConversation, ImportedFeedback, ImportedMessage
from assistant.services.people.accounts import Principal
from codellama_core.models import Author, ChatSettings, Conversation
from codellama_core.prompt import with_files

router = APIRouter(prefix="/api/conversations", tags=["conversations"])

FIGURES: Final = tuple(Figures.__slots__)
SPEAKERS: Final = {Author.SYSTEM: "System", Author.USER: "You", Author.ASSISTANT: "Assistant"}


@router.get("/export", response_class=StreamingResponse)
async def export_conversations(principal: PrincipalDep, resources: ResourcesDep) -> StreamingResponse:
    """All of one's own conversations as JSON, with every branch, figures and feedback."""
    mine = exports.conversations_of(resources.database, principal.id)
    return download(conversations_json(resources.database, principal, mine), "application/json", "conversations.json")


@router.get("/{conversation_id:uuid}/export", response_class=StreamingResponse)
async def export_conversation(
    conversation_id: uuid.UUID,
    principal: PrincipalDep,
    resources: ResourcesDep,
    format: Annotated[Literal["json", "markdown"], Query(description="Markdown has the newest branch only")] = "json",
) -> StreamingResponse:
    """One conversation as a file."""
    async with resources.database.session() as session:
        conversation = await conversations.owned(session, principal.id, conversation_id)
    name = f"conversation-{conversation_id}"
    if format == "markdown":
        text = _markdown(resources.database, principal, conversation)
        return download(text, "text/markdown; charset=utf-8", f"{name}.md")
    return download(
        conversations_json(resources.database, principal, _only(conversation)), "application/json", f"{name}.json"
    )


@router.post("/import", status_code=201)
async def import_conversations(body: Export, principal: PrincipalDep, session: SessionDep) -> ImportResult:
    """Take in an export as new conversations of one's own; all of it or nothing."""
    given = [_conversation(each) for each in body.conversations]
    made = await imports.take_in(session, principal.id, given)
    count = sum(len(each.messages) for each in given)
    return ImportResult(conversations=[ConversationOut.model_validate(row) for row in made], messages=count)


def download(content: AsyncIterator[str], media_type: str, name: str) -> StreamingResponse:
    """A file for the browser to keep, sent as it is made."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(content, media_type=media_type, headers=headers)


async def _only(conversation: Conversation) -> AsyncIterator[Conversation]:
    yield conversation


async def conversations_json(
    database: Database, who: Principal, rows: AsyncIterator[Conversation]
) -> AsyncIterator[str]:
    """An ``Export``, message by message."""
    head = Export(format="codellama-conversations", version=1, exported_at=datetime.now(UTC), conversations=[])
    yield _open(head.model_dump_json())
    first = True
    async for row in rows:
        yield ("" if first else ",") + _open(_without_messages(row).model_dump_json())
        separator, first = "", False
        async for entry in exports.messages_of(database, who.id, row.id):
            yield separator + _exported(entry).model_dump_json()
            separator = ","
        yield "]}"
    yield "]}"


def _without_messages(row: Conversation) -> ExportedConversation:
    """Nothing is checked: what is stored is exported, whatever the limits are now."""
    names = [name for name in ExportedConversation.model_fields if name not in ("messages", "settings")]
    values: dict[str, Any] = {name: getattr(row, name) for name in names}
    if row.settings != ChatSettings():
        values["settings"] = ChatSettingsIn.model_construct(**asdict(row.settings))
    return ExportedConversation.model_construct(**{"settings": None, **values, "messages": []})


def _open(text: str) -> str:
    """JSON that ends in an empty list, without its end."""
    return text.removesuffix("]}")


def _exported(entry: Entry) -> ExportedMessage:
    view = entry.view
    names = [name for name in ExportedMessage.model_fields if name not in ("model", "feedback", "attachments")]
    values: dict[str, Any] = {name: view.seen(name) for name in names}
    values["attachments"] = [AttachmentIn.model_construct(name=f.filename, content=f.text) for f in entry.files]
    given = view.feedback
    if given is not None:
        verdict = {name: getattr(given, name) for name in FeedbackIn.model_fields}
        values["feedback"] = FeedbackIn.model_construct(**verdict)
    return ExportedMessage.model_construct(**{"feedback": None, **values, "model": view.model})


async def _markdown(database: Database, who: Principal, conversation: Conversation) -> AsyncIterator[str]:
    yield f"# {' '.join(conversation.title.split()) or 'New chat'}\n"
    async for entry in exports.branch_of(database, who.id, conversation.id):
        view = entry.view
        model = f" ({view.model})" if view.model else ""
        yield f"\n## {SPEAKERS[view.message.author]}{model}\n\n{with_files(view.message.content, entry.files)}\n"


def _conversation(given: ExportedConversation) -> ImportedConversation:
    return ImportedConversation(
        title=given.title, folder=given.folder, pinned=given.pinned, archived=given.archived,
        created_at=given.created_at, updated_at=given.updated_at,
        settings=ChatSettings() if given.settings is None else ChatSettings(**given.settings.model_dump()),
        messages=[_message(each) for each in given.messages],
    )  # fmt: skip


def _message(given: ExportedMessage) -> ImportedMessage:
    return ImportedMessage(
        id=given.id, parent_id=given.parent_id, author=given.author, content=given.content, model=given.model,
        figures=Figures(**{name: getattr(given, name) for name in FIGURES}), created_at=given.created_at,
        finished_at=given.finished_at, copied_at=given.copied_at, files=files_of(given.attachments),
        feedback=None if given.feedback is None else ImportedFeedback(**given.feedback.model_dump()),
    )  # fmt: skip
