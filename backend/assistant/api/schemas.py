"""Shapes of the chat application's requests and responses. The front end's types are generated from these."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from assistant.api.chat.attachment_schemas import AttachmentOut, Attachments
from assistant.services.history.conversations import MessageView
from codellama_core.models import (
    Author,
    Feedback,
    MessageStatus,
    Role,
)

MAX_TEXT = 200_000
MAX_SYSTEM_PROMPT = 20_000


PlainText = str
"""Text from outside: neither NUL nor lone surrogates; ``http.json_text`` refuses them wherever they are."""


def _written_out(value: object) -> object:
    """Only the form that the description promises: no Unix time."""
    if isinstance(value, str) and "-" not in value[1:]:
        raise ValueError("must be a date and time in ISO 8601 with a time zone, such as 2026-01-31T12:00:00Z")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]


class Strict(BaseModel):
    """A request body: a field that is not listed is refused, never ignored, and so is "5" or true where 5 belongs."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ProblemOut(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(title="Problem")

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    param: str | None = None
    request_id: str | None = None


class Health(BaseModel):
    status: Literal["ok", "stuck"]
    engine_silent_s: int = Field(0, ge=0, description="Seconds since the engine's thread last moved; only when stuck")


class Readiness(BaseModel):
    status: Literal["ready", "loading", "stopping", "unavailable"]
    model: str | None
    engine: str = Field(description="What makes the text: llama.cpp, upstream or mock")
    database: Literal["ok", "away"]
    spooled_records: int = Field(ge=0, description="Records kept on disk until the database returns")
    problem: str | None = Field(None, description="Why there is no answer, or none of the champion's; only if so")


class ModelInfo(Out):
    """The model that answers now."""

    name: str
    version_id: uuid.UUID | None
    demo: bool


class Me(Out):
    id: uuid.UUID
    email: str
    name: str
    role: Role
    training_consent: bool = Field(description="Whether what this person writes may be trained on")
    has_password: bool
    auth_mode: Literal["local", "accounts"]
    model: ModelInfo | None
    context_tokens: int | None


class FeedbackOut(Out):
    model_config = ConfigDict(from_attributes=True, title="Feedback")

    rating: Literal[-1, 1] | None
    tags: list[str]
    comment: str | None
    correction: str | None


class FeedbackIn(Strict):
    """A verdict on an answer; ``correction`` is the answer as it should have been. Replaces the one before it."""

    rating: Literal[-1, 1] | None = None
    tags: list[Annotated[PlainText, Field(min_length=1, max_length=40)]] = Field(default=[], max_length=10)
    comment: Annotated[PlainText, Field(max_length=4000)] | None = None
    correction: Annotated[PlainText, Field(min_length=1, max_length=MAX_TEXT)] | None = None


class MessageOut(Out):
    model_config = ConfigDict(from_attributes=True, title="Message")

    id: uuid.UUID
    conversation_id: uuid.UUID
    parent_id: uuid.UUID | None
    author: Author
    content: str
    status: MessageStatus
    finish_reason: str | None
    error: str | None
    model: str | None
    model_version_id: uuid.UUID | None
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    time_to_first_token_s: float | None
    tokens_per_second: float | None
    duration_s: float | None
    created_at: datetime
    finished_at: datetime | None
    feedback: FeedbackOut | None
    attachments: list[AttachmentOut]

    @classmethod
    def of(cls, view: MessageView) -> "MessageOut":
        others = {"model": view.model, "feedback": _feedback(view.feedback), "attachments": view.files}
        message = {name: view.seen(name) for name in cls.model_fields if name not in others}
        return cls.model_validate({**message, **others})


def _feedback(row: Feedback | None) -> FeedbackOut | None:
    return None if row is None else FeedbackOut.model_validate(row)


class ConversationOut(Out):
    model_config = ConfigDict(from_attributes=True, title="Conversation")

    id: uuid.UUID
    title: str
    folder: str | None
    pinned: bool
    archived: bool
    created_at: datetime
    updated_at: datetime


class ChatSettingsOut(Out):
    """How the conversation is answered; null is the server's default, and for ``model`` whichever is champion."""

    model_config = ConfigDict(from_attributes=True, title="ChatSettings")

    system_prompt: str | None
    temperature: float | None
    top_p: float | None
    max_tokens: int | None
    model: str | None


class ConversationDetail(ConversationOut):
    """A conversation with its settings, which lists leave out."""

    model_config = ConfigDict(from_attributes=True, title="ConversationDetail")

    settings: ChatSettingsOut


Title = Annotated[PlainText, Field(min_length=1, max_length=200)]


SystemPrompt = Annotated[PlainText, Field(min_length=1, max_length=MAX_SYSTEM_PROMPT, pattern=r"\S")]


class ChatSettingsIn(Strict):
    """What to set; null is the server's default again. ``model`` is one of ``/api/models/served``, by name or alias."""

    system_prompt: SystemPrompt | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    max_tokens: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    model: Annotated[PlainText, Field(min_length=1, max_length=500)] | None = None


class CreateConversation(Strict):
    """Without a title, the first line of the first message becomes it."""

    title: Title | None = None
    settings: ChatSettingsIn | None = None


class SendMessage(Strict):
    """Continues after the newest message, after ``parent_id``, or asks the question ``beside_id`` in another way.

    ``attachments`` are put before it in the prompt, whole, and stay with it.
    The same idempotency key twice is one message.
    """

    content: Annotated[PlainText, Field(min_length=1, max_length=MAX_TEXT, pattern=r"\S")]
    parent_id: Annotated[uuid.UUID | None, Field(strict=False)] = None
    beside_id: Annotated[uuid.UUID | None, Field(strict=False)] = None
    attachments: Attachments = Field(default=[])
    idempotency_key: Annotated[PlainText, Field(min_length=1, max_length=100)] | None = None


class SendResult(Out):
    user_message: MessageOut
    assistant_message: MessageOut


class StopResult(Out):
    status: MessageStatus


class SnapshotPayload(BaseModel):
    """The whole text so far; replaces what the reader has. ``seq`` is the place to resume from."""

    model_config = ConfigDict(title="SnapshotEvent")

    text: str
    seq: int


class QueuedPayload(BaseModel):
    model_config = ConfigDict(title="QueuedEvent")

    position: int
    eta_s: float


class ReadingPayload(BaseModel):
    model_config = ConfigDict(title="ReadingEvent")

    done: int
    total: int


class TextPayload(BaseModel):
    """Text that follows. ``tokens`` counts the whole answer so far."""

    model_config = ConfigDict(title="TextDelta")

    text: str
    tokens: int
    tokens_per_second: float


class EndPayload(BaseModel):
    model_config = ConfigDict(title="EndEvent")

    message: MessageOut


STREAM_PAYLOADS = (SnapshotPayload, QueuedPayload, ReadingPayload, TextPayload, EndPayload)
