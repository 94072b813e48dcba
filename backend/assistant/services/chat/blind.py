"""What nobody may know of two answers that are compared: who wrote them, until the comparison is closed."""

import uuid
from typing import Any, Final

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import ColumnElement

from assistant.errors import ConflictError
from codellama_core.models import Comparison, Message

TELLING: Final = frozenset({
    "model_version_id", "imported_model", "prompt_tokens", "cached_tokens", "completion_tokens",
    "time_to_first_token_s", "tokens_per_second", "duration_s", "finished_at",
})  # fmt: skip
"""Speed tells two models apart as well as a name does."""
FAILED: Final = "This answer could not be written. Run it again, or end the comparison to see why."


def is_blind() -> ColumnElement[bool]:
    """Whether a message is an answer to a question whose comparison is open."""
    return exists().where(Comparison.question_id == Message.parent_id, Comparison.closed_at.is_(None))


def seen(message: Message, name: str, *, blind: bool) -> Any:
    """A message's column as its owner may know it now."""
    if blind and name in TELLING:
        return None
    if blind and name == "error" and message.error is not None:
        return FAILED
    return getattr(message, name)


async def check_closed(session: AsyncSession, question_id: uuid.UUID | None) -> None:
    """Raises ConflictError while the answers to a question are being compared."""
    is_open = select(Comparison.id).where(Comparison.question_id == question_id, Comparison.closed_at.is_(None))
    if question_id is not None and await session.scalar(is_open) is not None:
        raise ConflictError("Two answers to this question are being compared; vote, or end the comparison first.")
