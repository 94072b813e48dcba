"""Shapes of the history: lists of conversations, pages of one, search, export and import."""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field

from assistant.api.chat.attachment_schemas import Attachments
from assistant.api.chat.comparison_schemas import ComparisonOut
from assistant.api.schemas import (
    ChatSettingsIn,
    ConversationDetail,
    ConversationOut,
    FeedbackIn,
    MessageOut,
    Out,
    PlainText,
    Strict,
    Title,
)
from assistant.services.history.search import Hit
from assistant.services.history.threads import Thread
from codellama_core.models import Author, MessageStatus

MAX_CONVERSATIONS: Final = 1000
MAX_MESSAGES: Final = 20_000
EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""There was nothing to export before; search looks at every week since the oldest conversation."""
MAX_TITLE: Final = 1000
MAX_CONTENT: Final = 2_000_000
"""An answer may be longer than a question can be."""


def _trimmed(name: str) -> str:
    trimmed = name.strip()
    if not trimmed or not trimmed.isprintable():
        raise ValueError("must be one line of text and not blank")
    return trimmed


Folder = Annotated[PlainText, Field(min_length=1, max_length=60), AfterValidator(_trimmed)]


class ConversationPage(Out):
    """``pinned`` come with the first page only, the one pinned last first, and are not among ``items``.

    ``next_before`` is None on the last page.
    """

    pinned: list[ConversationOut]
    items: list[ConversationOut]
    next_before: str | None


class FolderOut(Out):
    """``conversations`` counts those that are not archived."""

    model_config = ConfigDict(from_attributes=True, title="Folder")

    name: str
    conversations: int


class FolderList(Out):
    """In the order of their names."""

    items: list[FolderOut]


class UpdateConversation(Strict):
    """What is null or left out stays, but for ``folder``: null takes the conversation out of its folder.

    Of ``settings``, fields that are left out stay too, and null is the default again.
    """

    title: Title | None = None
    pinned: bool | None = None
    archived: bool | None = None
    folder: Folder | None = None
    settings: ChatSettingsIn | None = None


class DeletedOut(Out):
    model_config = ConfigDict(from_attributes=True, title="Deleted")

    deleted: int


class ConversationWithMessages(ConversationDetail):
    """``branch`` are the ids of the messages to show, oldest first; ``messages`` are these and their siblings.

    Where a conversation is not longer than the page, ``messages`` are all there are. ``earlier`` and ``later`` say
    whether the branch has more before or after. ``comparisons`` are those that have answers among ``messages``.
    """

    model_config = ConfigDict(from_attributes=True, title="ConversationWithMessages")

    messages: list[MessageOut]
    branch: list[uuid.UUID]
    earlier: bool
    later: bool
    comparisons: list[ComparisonOut]

    @classmethod
    def build(cls, thread: Thread) -> "ConversationWithMessages":
        summary = ConversationDetail.model_validate(thread.conversation).model_dump()
        messages = [MessageOut.of(view) for view in thread.views]
        return cls(
            **summary, messages=messages, branch=list(thread.branch), earlier=thread.earlier, later=thread.later,
            comparisons=[ComparisonOut.of(row) for row in thread.contests],
        )  # fmt: skip


Range = tuple[int, int]


class SearchHit(Out):
    """``snippet`` is plain text; ``highlights`` are [start, end) in its characters, ``title_highlights`` in the title.

    A character is a Unicode code point: in JavaScript, an element of ``Array.from(text)``.
    """

    conversation_id: uuid.UUID
    title: str
    title_highlights: list[Range]
    message_id: uuid.UUID
    author: Author
    created_at: datetime
    snippet: str
    highlights: list[Range]

    @classmethod
    def of(cls, hit: Hit) -> "SearchHit":
        message = hit.message
        return cls(
            conversation_id=message.conversation_id, title=hit.title, title_highlights=list(hit.title_ranges),
            message_id=message.id, author=message.author, created_at=message.created_at,
            snippet=hit.snippet.text, highlights=list(hit.snippet.ranges),
        )  # fmt: skip


class SearchPage(Out):
    """Newest first; ``next_before`` is None on the last page."""

    items: list[SearchHit]
    next_before: str | None


class Regenerate(Strict):
    """The same idempotency key twice is one answer."""

    idempotency_key: Annotated[PlainText, Field(min_length=1, max_length=100)] | None = None


Id = Annotated[uuid.UUID, Field(strict=False)]
Time = Annotated[AwareDatetime, Field(strict=False, ge=EPOCH)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ExportedMessage(Strict):
    """A message as it was. Taken in again it is done, whatever its ``status`` was."""

    id: Id
    parent_id: Id | None
    author: Annotated[Author, Field(strict=False)]
    content: Annotated[PlainText, Field(max_length=MAX_CONTENT)]
    status: Annotated[MessageStatus, Field(strict=False)]
    finish_reason: Annotated[PlainText, Field(max_length=100)] | None = None
    error: Annotated[PlainText, Field(max_length=4000)] | None = None
    model: Annotated[PlainText, Field(max_length=500)] | None = None
    prompt_tokens: Count | None = None
    cached_tokens: Count | None = None
    completion_tokens: Count | None = None
    time_to_first_token_s: Seconds | None = None
    tokens_per_second: Seconds | None = None
    duration_s: Seconds | None = None
    created_at: Time
    finished_at: Time | None = None
    copied_at: Time | None = None
    feedback: FeedbackIn | None = None
    attachments: Attachments = Field(default=[])


class ExportedConversation(Strict):
    """``messages`` are of every branch, oldest first; ``parent_id`` names one of the same conversation."""

    id: Id
    title: Annotated[PlainText, Field(max_length=MAX_TITLE)]
    folder: Folder | None = None
    pinned: bool = False
    archived: bool = False
    created_at: Time
    updated_at: Time
    settings: ChatSettingsIn | None = None
    messages: Annotated[list[ExportedMessage], Field(max_length=MAX_MESSAGES)]


class Export(Strict):
    """Our own file format; ``version`` says how to read it."""

    format: Literal["codellama-conversations"]
    version: Literal[1]
    exported_at: Time | None = None
    conversations: Annotated[list[ExportedConversation], Field(max_length=MAX_CONVERSATIONS)]


class ImportResult(Out):
    """What was made; ``conversations`` in the order of the file."""

    conversations: list[ConversationOut]
    messages: int
