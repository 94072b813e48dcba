"""Answers written again, and answers that go on."""

import uuid

from fastapi import APIRouter

from assistant.api.chat.history_schemas import Regenerate
from assistant.api.deps import PrincipalDep, ResourcesDep
from assistant.api.schemas import MessageOut, SendResult
from assistant.services.chat.messages import Exchange
from assistant.services.history.conversations import MessageView

router = APIRouter(prefix="/api/messages", tags=["conversations"])


def sent(exchange: Exchange) -> SendResult:
    """A question and the answer that has been started."""
    return SendResult(
        user_message=MessageOut.of(MessageView(exchange.question, None, None, exchange.files)),
        assistant_message=MessageOut.of(MessageView(exchange.answer, exchange.model, None)),
    )


@router.post("/{message_id}/regenerate", status_code=202)
async def regenerate_answer(
    message_id: uuid.UUID, body: Regenerate, principal: PrincipalDep, resources: ResourcesDep
) -> SendResult:
    """Another answer to the same question, a sibling of this one; follow it at ``/api/generations/{id}/events``."""
    return sent(await resources.chat.regenerate(principal, message_id, body.idempotency_key))


@router.post("/{message_id}/continue", status_code=202)
async def continue_answer(message_id: uuid.UUID, principal: PrincipalDep, resources: ResourcesDep) -> SendResult:
    """Go on with an answer that was cut short: the same message grows; follow it as when it began."""
    return sent(await resources.chat.go_on(principal, message_id))
