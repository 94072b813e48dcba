"""Accounts: who people are, how they come in, what admins did."""

import enum
import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from codellama_core.models.base import Base, created, enum_of, new_id, owner


class Role(enum.StrEnum):
    MEMBER = "member"
    ADMIN = "admin"


class LinkPurpose(enum.StrEnum):
    """What a one-time link lets its holder do: make the first admin, or choose a password for an account."""

    SETUP = "setup"
    PASSWORD = "password"


class User(Base):
    """A person. ``training_consent`` false is an opt-out: nothing of theirs is ever trained on.

    ``oidc_subject`` is who they are at the identity provider: issuer and subject, separated by a space.
    """

    __tablename__ = "users"

    id: Mapped[uuid.UUID] = new_id()
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(enum_of(Role), default=Role.MEMBER)
    password_hash: Mapped[str | None]
    oidc_subject: Mapped[str | None] = mapped_column(unique=True)
    training_consent: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    created_at: Mapped[datetime] = created()
    last_sign_in_at: Mapped[datetime | None]


class AccountLink(Base):
    """A one-time link; it holds the secret, the row its SHA-256. Without a user it is for the first admin."""

    __tablename__ = "account_links"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[LinkPurpose] = mapped_column(enum_of(LinkPurpose))
    user_id: Mapped[uuid.UUID | None] = owner(nullable=True)
    created_at: Mapped[datetime] = created()
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
    user_id: Mapped[uuid.UUID] = owner()
    created_at: Mapped[datetime] = created()
    expires_at: Mapped[datetime]


class ApiKey(Base):
    """A bearer key for ``/v1`` and the simple calls; only its SHA-256 is stored. A limit that is null is none."""

    __tablename__ = "api_keys"
    __table_args__ = (
        CheckConstraint("requests_per_minute > 0", name="requests_per_minute"),
        CheckConstraint("tokens_per_minute > 0", name="tokens_per_minute"),
    )

    id: Mapped[uuid.UUID] = new_id()
    user_id: Mapped[uuid.UUID] = owner()
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(unique=True)
    prefix: Mapped[str]
    requests_per_minute: Mapped[int | None]
    tokens_per_minute: Mapped[int | None]
    created_at: Mapped[datetime] = created()
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AuditLog(Base):
    """Who did what to whom: accounts made and changed, promotions, roll-backs, deletions."""

    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_created_at", "created_at"),)

    id: Mapped[uuid.UUID] = new_id()
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[datetime] = created()
