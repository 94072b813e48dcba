"""Rating and correcting answers, and that they were of use."""

import uuid

from fastapi import APIRouter

from assistant.api.deps import PrincipalDep, SessionDep
from assistant.api.schemas import FeedbackIn, FeedbackOut
from assistant.services.history import feedback

router = APIRouter(prefix="/api/messages", tags=["feedback"])


@router.put("/{message_id}/feedback")
async def put_feedback(
    message_id: uuid.UUID, body: FeedbackIn, principal: PrincipalDep, session: SessionDep
) -> FeedbackOut:
    """Rate or correct an answer; replaces what this person said of it before."""
    row = await feedback.put(session, principal.id, message_id, **body.model_dump())
    return FeedbackOut.model_validate(row)


@router.delete("/{message_id}/feedback", status_code=204)
async def delete_feedback(message_id: uuid.UUID, principal: PrincipalDep, session: SessionDep) -> None:
    """Take back what this person said of an answer."""
    await feedback.clear(session, principal.id, message_id)


@router.post("/{message_id}/copied", status_code=204)
async def answer_copied(message_id: uuid.UUID, principal: PrincipalDep, session: SessionDep) -> None:
    """Say that the answer, or code of it, was copied: it was of use. Nothing is learned from that alone."""
    await feedback.copied(session, principal.id, message_id)
