"""The tables. Every statement of schema lives here and in ``migrations``; a test compares the two.

Ids are UUIDv7, times are ``timestamptz`` in UTC. Relationships are spelled as joins in queries, never lazy-loaded.
"""

from codellama_core.models.base import NAMING, Base
from codellama_core.models.chat import (
    ACTIVE_STATUSES,
    Attachment,
    Author,
    ChatSettings,
    Comparison,
    Conversation,
    Feedback,
    GenerationEvent,
    Message,
    MessageSearch,
    MessageStatus,
    SavedPrompt,
    Vote,
)
from codellama_core.models.people import AccountLink, ApiKey, AuditLog, LinkPurpose, OidcAttempt, Role, Session, User
from codellama_core.models.serving import Alias, ApiInteraction, ModelAlias, ModelVersion, Replica, VersionState
from codellama_core.models.training import Document, RunState, Split, TrainingExclusion, TrainingRow, TrainingRun

__all__ = [
    "ACTIVE_STATUSES",
    "NAMING",
    "AccountLink",
    "Alias",
    "ApiInteraction",
    "ApiKey",
    "Attachment",
    "AuditLog",
    "Author",
    "Base",
    "ChatSettings",
    "Comparison",
    "Conversation",
    "Document",
    "Feedback",
    "GenerationEvent",
    "LinkPurpose",
    "Message",
    "MessageSearch",
    "MessageStatus",
    "ModelAlias",
    "ModelVersion",
    "OidcAttempt",
    "Replica",
    "Role",
    "RunState",
    "SavedPrompt",
    "Session",
    "Split",
    "TrainingExclusion",
    "TrainingRow",
    "TrainingRun",
    "User",
    "VersionState",
    "Vote",
]
