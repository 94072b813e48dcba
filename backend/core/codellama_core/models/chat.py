"""Conversations, and what hangs on them."""

import enum
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, composite, mapped_column

from codellama_core.models.base import Base, created, enum_of, new_id, owner


class Author(enum.StrEnum):
    """Who wrote a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class MessageStatus(enum.StrEnum):
    """Where a message is in its life. User messages are ``done`` from the start."""

    QUEUED = "queued"
    READING = "reading"
    WRITING = "writing"
    DONE = "done"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    ERROR = "error"


ACTIVE_STATUSES = (MessageStatus.QUEUED, MessageStatus.READING, MessageStatus.WRITING)


class Vote(enum.StrEnum):
    """Which of two answers is better; ``bad`` is neither, because both are."""

    LEFT = "left"
    RIGHT = "right"
    TIE = "tie"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """How a conversation is answered; None is the server's default, and for ``model`` whichever is champion."""

    system_prompt: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    model: str | None = None


class Conversation(Base):
    """A person's chat. A folder is only a name; there is one as long as a conversation is in it."""

    __tablename__ = "conversations"
    __table_args__ = (
        Index("ix_conversations_user_id_updated_at_id", "user_id", "updated_at", "id"),
        Index("ix_conversations_user_id_created_at", "user_id", "created_at"),
        CheckConstraint("length(folder) BETWEEN 1 AND 60", name="folder"),
        CheckConstraint("temperature BETWEEN 0 AND 2", name="temperature"),
        CheckConstraint("top_p > 0 AND top_p <= 1", name="top_p"),
        CheckConstraint("max_tokens > 0", name="max_tokens"),
    )

    id: Mapped[uuid.UUID] = new_id()
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str]
    folder: Mapped[str | None]
    pinned_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    settings: Mapped[ChatSettings] = composite(
        mapped_column("system_prompt", Text), mapped_column("temperature", Float), mapped_column("top_p", Float),
        mapped_column("max_tokens", Integer), mapped_column("model", Text), return_none_on=None,
    )  # fmt: skip
    created_at: Mapped[datetime] = created()
    updated_at: Mapped[datetime] = created()

    @property
    def pinned(self) -> bool:
        return self.pinned_at is not None

    @property
    def archived(self) -> bool:
        return self.archived_at is not None


class Message(Base):
    """One message of a conversation's tree. An assistant message is also the record of its generation.

    ``imported_model`` names a model that is no version of ours: another server's, or the one that the file names from
    which the message was imported. ``copied_at`` is when an answer was first copied, which says that it was of use;
    it is no consent to learn from it.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("conversation_id", "idempotency_key"),
        Index("ix_messages_conversation_id_created_at_id", "conversation_id", "created_at", "id"),
        Index("ix_messages_active", "status", postgresql_where=text("status IN ('queued','reading','writing')")),
    )

    id: Mapped[uuid.UUID] = new_id()
    conversation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    author: Mapped[Author] = mapped_column(enum_of(Author))
    content: Mapped[str] = mapped_column(default="")
    status: Mapped[MessageStatus] = mapped_column(enum_of(MessageStatus), default=MessageStatus.DONE)
    idempotency_key: Mapped[str | None]
    instance_id: Mapped[uuid.UUID | None]
    heartbeat_at: Mapped[datetime | None]
    stop_requested: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    finish_reason: Mapped[str | None]
    error: Mapped[str | None]
    model_version_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("model_versions.id"))
    imported_model: Mapped[str | None]
    copied_at: Mapped[datetime | None]
    prompt_tokens: Mapped[int | None]
    cached_tokens: Mapped[int | None]
    completion_tokens: Mapped[int | None]
    time_to_first_token_s: Mapped[float | None]
    tokens_per_second: Mapped[float | None]
    duration_s: Mapped[float | None]
    created_at: Mapped[datetime] = created()
    finished_at: Mapped[datetime | None]


class Attachment(Base):
    """A text file that belongs to a question; it is part of the prompt, see ``codellama_core.prompt.with_files``.

    Those of one message are in the order of their ids.
    """

    __tablename__ = "attachments"

    id: Mapped[uuid.UUID] = new_id()
    message_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    content: Mapped[str]


class Comparison(Base):
    """Two models' answers to one question, told apart only when it is closed: by a vote, or without one.

    Which model is left is drawn by lot. The names outlive the versions, so that votes can be counted.
    """

    __tablename__ = "comparisons"
    __table_args__ = (CheckConstraint("vote IS NULL OR closed_at IS NOT NULL", name="vote_closes"),)

    id: Mapped[uuid.UUID] = new_id()
    user_id: Mapped[uuid.UUID] = owner()
    question_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), unique=True)
    left_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), unique=True)
    right_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), unique=True)
    left_model: Mapped[str]
    right_model: Mapped[str]
    vote: Mapped[Vote | None] = mapped_column(enum_of(Vote))
    created_at: Mapped[datetime] = created()
    closed_at: Mapped[datetime | None]


class MessageSearch(Base):
    """The words by which a finished message is found, see ``codellama_core.search``; goes with its message.

    They are the message's own, not those of its attachments.
    ``user_id`` needs no foreign key, for a person's messages go with the person. The index has no list of pending
    entries, because every search would read it.
    """

    __tablename__ = "message_search"
    __table_args__ = (
        Index("ix_message_search_words", "words", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
    )

    message_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[uuid.UUID]
    created_at: Mapped[datetime]
    words: Mapped[str] = mapped_column(TSVECTOR)


class SavedPrompt(Base):
    """A prompt that a person wants to use again."""

    __tablename__ = "saved_prompts"

    id: Mapped[uuid.UUID] = new_id()
    user_id: Mapped[uuid.UUID] = owner()
    title: Mapped[str]
    content: Mapped[str]
    created_at: Mapped[datetime] = created()
    updated_at: Mapped[datetime] = created()


class GenerationEvent(Base):
    """A coalesced piece of a running generation; dropped once the message holds the whole text."""

    __tablename__ = "generation_events"

    message_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = created()


class Feedback(Base):
    """One user's verdict on one answer; ``correction`` is the answer as it should have been."""

    __tablename__ = "feedback"
    __table_args__ = (
        UniqueConstraint("message_id", "user_id"),
        CheckConstraint("rating IN (-1, 1)", name="rating"),
    )

    id: Mapped[uuid.UUID] = new_id()
    message_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID] = owner()
    rating: Mapped[int | None]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    comment: Mapped[str | None]
    correction: Mapped[str | None]
    created_at: Mapped[datetime] = created()
    updated_at: Mapped[datetime] = created()
