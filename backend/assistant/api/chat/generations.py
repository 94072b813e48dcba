"""Following and stopping an answer that is being written."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from assistant.api.deps import PrincipalDep, ResourcesDep, SessionDep
from assistant.api.http.disconnects import STREAM_HEADERS
from assistant.api.schemas import (
    EndPayload,
    MessageOut,
    QueuedPayload,
    ReadingPayload,
    SnapshotPayload,
    StopResult,
    TextPayload,
)
from assistant.errors import DatabaseUnavailableError
from assistant.resources import Resources
from assistant.services.chat.generations import Ended, Snapshot, Update
from assistant.services.chat.written import Piece
from assistant.services.generators.types import QueuedEvent, ReadingEvent
from assistant.services.history import conversations
from assistant.services.history.conversations import MessageView
from assistant.services.people.accounts import Principal

router = APIRouter(prefix="/api/generations", tags=["generations"])

RETRY_S = 2


async def own_answer(message_id: uuid.UUID, principal: PrincipalDep, session: SessionDep) -> MessageView:
    """The message, decided before the stream begins: 404 when it is not there or not theirs."""
    return await conversations.message_of(session, principal.id, message_id)


OwnAnswer = Annotated[MessageView, Depends(own_answer)]


@router.get("/{message_id}/events", response_class=StreamingResponse)
async def follow_generation(
    answer: OwnAnswer,
    principal: PrincipalDep,
    resources: ResourcesDep,
    after: Annotated[int, Query(ge=0, description="Characters of the answer that the reader has")] = 0,
    last_event_id: Annotated[int | None, Header(ge=0)] = None,
) -> StreamingResponse:
    """Server-sent events: snapshot, queued, reading, text, end. An event's id is the place to resume from."""
    events = _events(resources, principal, answer, last_event_id or after)
    return StreamingResponse(events, media_type="text/event-stream", headers=STREAM_HEADERS)


@router.post("/{message_id}/stop", status_code=202)
async def stop_generation(answer: OwnAnswer, resources: ResourcesDep) -> StopResult:
    """End an answer; what is written so far stays."""
    await resources.generations.stop(answer.message.id)
    return StopResult(status=answer.message.status)


async def _events(resources: Resources, principal: Principal, answer: MessageView, after: int) -> AsyncIterator[str]:
    yield ": begin\n\n"
    try:
        async for update in resources.generations.follow(answer.message.id, after):
            if isinstance(update, Ended):
                yield _event("end", EndPayload(message=await _ended(resources, principal, answer, update)))
                return
            yield _render(update, blind=answer.blind)
    except DatabaseUnavailableError:
        return  # the browser comes back by itself


def _render(update: Update, *, blind: bool) -> str:
    """Of a blind answer neither counts nor speed are told: they would tell the models apart."""
    match update:
        case Snapshot(text):
            return _event("snapshot", SnapshotPayload(text=text, seq=len(text)), len(text))
        case Piece(text, seq, tokens, rate):
            tokens, rate = (0, 0.0) if blind else (tokens, rate)
            return _event("text", TextPayload(text=text, tokens=tokens, tokens_per_second=rate), seq)
        case QueuedEvent(position, eta_s):
            return _event("queued", QueuedPayload(position=position, eta_s=eta_s))
        case ReadingEvent(done, total) if not blind:
            return _event("reading", ReadingPayload(done=done, total=total))
        case _:
            return ": ping\n\n"


async def _ended(resources: Resources, principal: Principal, answer: MessageView, update: Ended) -> MessageOut:
    if update.message is not None:
        return MessageOut.of(replace(answer, message=update.message))
    while True:
        try:
            async with resources.database.session() as session:
                return MessageOut.of(await conversations.message_of(session, principal.id, answer.message.id))
        except DatabaseUnavailableError:
            await asyncio.sleep(RETRY_S)


def _event(name: str, payload: BaseModel, seq: int | None = None) -> str:
    data = json.dumps(payload.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":"))
    return (f"id: {seq}\n" if seq is not None else "") + f"event: {name}\ndata: {data}\n\n"
