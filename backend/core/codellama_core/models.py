"""The tables. Every statement of schema lives here and in ``migrations``; a test compares the two.

Ids are UUIDv7, times are ``timestamptz`` in UTC. Relationships are spelled as joins in queries, never lazy-loaded.
"""

import enum
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, composite, mapped_column

from codellama_core.ids import uuid7

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        str: Text(),
        dict[str, Any]: JSONB(),
        list[str]: ARRAY(Text()),
    }


class Role(enum.StrEnum):
    MEMBER = "member"
    ADMIN = "admin"


class LinkPurpose(enum.StrEnum):
    """What a one-time link lets its holder do: make the first admin, or choose a password for an account."""

    SETUP = "setup"
    PASSWORD = "password"


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


class RunState(enum.StrEnum):
    """State of a training run; the stage it is in stands in ``TrainingRun.stage``."""

    RUNNING = "running"
    PUBLISHED = "published"
    REJECTED = "rejected"
    NOTHING_TO_DO = "nothing_to_do"
    FAILED = "failed"


class VersionState(enum.StrEnum):
    AVAILABLE = "available"
    REJECTED = "rejected"
    DELETED = "deleted"


class Alias(enum.StrEnum):
    CHAMPION = "champion"
    CHALLENGER = "challenger"
    PREVIOUS = "previous"


class Vote(enum.StrEnum):
    """Which of two answers is better; ``bad`` is neither, because both are."""

    LEFT = "left"
    RIGHT = "right"
    TIE = "tie"
    BAD = "bad"


class Split(enum.StrEnum):
    TRAIN = "train"
    DEV = "dev"
    GATE = "gate"


def _enum(kind: type[enum.StrEnum]) -> Enum:
    return Enum(kind, native_enum=False, length=16, values_callable=lambda members: [m.value for m in members])


def _id() -> Mapped[uuid.UUID]:
    return mapped_column(primary_key=True, default=uuid7)


def _created() -> Mapped[datetime]:
    return mapped_column(server_default=func.now())


def _user(*, nullable: bool = False) -> Mapped[Any]:
    return mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True, nullable=nullable)


class User(Base):
    """A person. ``training_consent`` false is an opt-out: nothing of theirs is ever trained on.

    ``oidc_subject`` is who they are at the identity provider: issuer and subject, separated by a space.
    """

    __tablename__ = "users"

    id: Mapped[uuid.UUID] = _id()
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(_enum(Role), default=Role.MEMBER)
    password_hash: Mapped[str | None]
    oidc_subject: Mapped[str | None] = mapped_column(unique=True)
    training_consent: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    created_at: Mapped[datetime] = _created()
    last_sign_in_at: Mapped[datetime | None]


class AccountLink(Base):
    """A one-time link; it holds the secret, the row its SHA-256. Without a user it is for the first admin."""

    __tablename__ = "account_links"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[LinkPurpose] = mapped_column(_enum(LinkPurpose))
    user_id: Mapped[uuid.UUID | None] = _user(nullable=True)
    created_at: Mapped[datetime] = _created()
    expires_at: Mapped[datetime]


class OidcAttempt(Base):
    """A sign-in under way at the identity provider; the cookie holds the secret, the row its SHA-256."""

    __tablename__ = "oidc_attempts"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime]


class Session(Base):
    """A browser session; the cookie holds the secret, the row its SHA-256."""

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = _user()
    created_at: Mapped[datetime] = _created()
    expires_at: Mapped[datetime]


class ApiKey(Base):
    """A bearer key for ``/v1`` and the simple calls; only its SHA-256 is stored. A limit that is null is none."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("requests_per_minute > 0", name="requests_per_minute"),
        CheckConstraint("tokens_per_minute > 0", name="tokens_per_minute"),
    )

    id: Mapped[uuid.UUID] = _id()
    user_id: Mapped[uuid.UUID] = _user()
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(unique=True)
    prefix: Mapped[str]
    requests_per_minute: Mapped[int | None]
    tokens_per_minute: Mapped[int | None]
    created_at: Mapped[datetime] = _created()
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


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

    id: Mapped[uuid.UUID] = _id()
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str]
    folder: Mapped[str | None]
    pinned_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    settings: Mapped[ChatSettings] = composite(
        mapped_column("system_prompt", Text), mapped_column("temperature", Float), mapped_column("top_p", Float),
        mapped_column("max_tokens", Integer), mapped_column("model", Text), return_none_on=None,
    )  # fmt: skip
    created_at: Mapped[datetime] = _created()
    updated_at: Mapped[datetime] = _created()

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

    id: Mapped[uuid.UUID] = _id()
    conversation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("conversations.id", ondelete="CASCADE"))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    author: Mapped[Author] = mapped_column(_enum(Author))
    content: Mapped[str] = mapped_column(default="")
    status: Mapped[MessageStatus] = mapped_column(_enum(MessageStatus), default=MessageStatus.DONE)
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
    created_at: Mapped[datetime] = _created()
    finished_at: Mapped[datetime | None]


class Attachment(Base):
    """A text file that belongs to a question; it is part of the prompt, see ``codellama_core.prompt.with_files``.

    Those of one message are in the order of their ids.
    """

    __tablename__ = "attachments"

    id: Mapped[uuid.UUID] = _id()
    message_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    content: Mapped[str]


class Comparison(Base):
    """Two models' answers to one question, told apart only when it is closed: by a vote, or without one.

    Which model is left is drawn by lot. The names outlive the versions, so that votes can be counted.
    """

    __tablename__ = "comparisons"
    __table_args__ = (CheckConstraint("vote IS NULL OR closed_at IS NOT NULL", name="vote_closes"),)

    id: Mapped[uuid.UUID] = _id()
    user_id: Mapped[uuid.UUID] = _user()
    question_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), unique=True)
    left_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), unique=True)
    right_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), unique=True)
    left_model: Mapped[str]
    right_model: Mapped[str]
    vote: Mapped[Vote | None] = mapped_column(_enum(Vote))
    created_at: Mapped[datetime] = _created()
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

    id: Mapped[uuid.UUID] = _id()
    user_id: Mapped[uuid.UUID] = _user()
    title: Mapped[str]
    content: Mapped[str]
    created_at: Mapped[datetime] = _created()
    updated_at: Mapped[datetime] = _created()


class GenerationEvent(Base):
    """A coalesced piece of a running generation; dropped once the message holds the whole text."""

    __tablename__ = "generation_events"

    message_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = _created()


class Feedback(Base):
    """One user's verdict on one answer; ``correction`` is the answer as it should have been."""

    __tablename__ = "feedback"
    __table_args__ = (
        UniqueConstraint("message_id", "user_id"),
        CheckConstraint("rating IN (-1, 1)", name="rating"),
    )

    id: Mapped[uuid.UUID] = _id()
    message_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("messages.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID] = _user()
    rating: Mapped[int | None]
    tags: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    comment: Mapped[str | None]
    correction: Mapped[str | None]
    created_at: Mapped[datetime] = _created()
    updated_at: Mapped[datetime] = _created()


class ApiInteraction(Base):
    """One programmatic call: what was asked, with which parameters, what came back."""

    __tablename__ = "api_interactions"
    __table_args__ = (Index("ix_api_interactions_created_at", "created_at"),)

    id: Mapped[uuid.UUID] = _id()
    user_id: Mapped[uuid.UUID] = _user()
    endpoint: Mapped[str]
    prompt: Mapped[dict[str, Any]]
    parameters: Mapped[dict[str, Any]]
    response: Mapped[str]
    finish_reason: Mapped[str]
    accepted: Mapped[bool | None]
    model_version_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("model_versions.id"))
    prompt_tokens: Mapped[int]
    completion_tokens: Mapped[int]
    time_to_first_token_s: Mapped[float | None] = mapped_column(Float)
    duration_s: Mapped[float]
    created_at: Mapped[datetime] = _created()


class Document(Base):
    """A source file offered for training. A tombstone keeps the hash so that the file is not taken in again."""

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("repo", "path"),)

    id: Mapped[uuid.UUID] = _id()
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    repo: Mapped[str]
    path: Mapped[str]
    language: Mapped[str]
    license: Mapped[str | None]
    sha256: Mapped[str] = mapped_column(index=True)
    content: Mapped[str]
    tombstoned_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = _created()


class TrainingRun(Base):
    """One weekly run. ``stages`` holds what each finished stage reported; ``verdict`` the gate's table."""

    __tablename__ = "training_runs"

    id: Mapped[uuid.UUID] = _id()
    state: Mapped[RunState] = mapped_column(_enum(RunState), default=RunState.RUNNING)
    stage: Mapped[str]
    base_model: Mapped[str]
    settings: Mapped[dict[str, Any]]
    stages: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    progress: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    verdict: Mapped[dict[str, Any] | None]
    dataset_fingerprint: Mapped[str | None]
    error: Mapped[str | None]
    started_at: Mapped[datetime] = _created()
    heartbeat_at: Mapped[datetime] = _created()
    finished_at: Mapped[datetime | None]


class TrainingRow(Base):
    """Where a training row came from, and whether and why it was kept. The text itself is in the run's snapshot."""

    __tablename__ = "training_rows"

    id: Mapped[uuid.UUID] = _id()
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("training_runs.id", ondelete="CASCADE"), index=True)
    source_kind: Mapped[str]
    source_id: Mapped[uuid.UUID]
    sha256: Mapped[str]
    split: Mapped[Split | None] = mapped_column(_enum(Split))
    kept: Mapped[bool]
    reason: Mapped[str | None]


class TrainingExclusion(Base):
    """A source that an admin wants no run to learn from; ``source_kind`` and ``source_id`` as in ``training_rows``."""

    __tablename__ = "training_exclusions"

    source_kind: Mapped[str] = mapped_column(primary_key=True)
    source_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = _created()


class ModelVersion(Base):
    """An immutable model file. ``path`` is relative to MODELS_DIR, or absolute for a file kept elsewhere."""

    __tablename__ = "model_versions"

    id: Mapped[uuid.UUID] = _id()
    name: Mapped[str] = mapped_column(unique=True)
    path: Mapped[str]
    sha256: Mapped[str] = mapped_column(unique=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    parent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("model_versions.id"))
    run_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("training_runs.id", ondelete="SET NULL"))
    state: Mapped[VersionState] = mapped_column(_enum(VersionState), default=VersionState.AVAILABLE)
    metrics: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = _created()


class ModelAlias(Base):
    """The truth about which version is served: ``champion`` now, ``previous`` before it."""

    __tablename__ = "model_aliases"

    alias: Mapped[Alias] = mapped_column(_enum(Alias), primary_key=True)
    version_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("model_versions.id"))
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Replica(Base):
    """A running backend process: which version it serves, and when it last said so."""

    __tablename__ = "replicas"

    instance_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    host: Mapped[str]
    version_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("model_versions.id"))
    started_at: Mapped[datetime] = _created()
    heartbeat_at: Mapped[datetime] = _created()


class AuditLog(Base):
    """Who did what to whom: accounts made and changed, promotions, roll-backs, deletions."""

    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_created_at", "created_at"),)

    id: Mapped[uuid.UUID] = _id()
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = _created()
