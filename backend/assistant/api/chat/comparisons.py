"""Two models' answers to one question, compared blind; and how often each was preferred."""

import uuid

from fastapi import APIRouter

from assistant.api.chat.attachment_schemas import files_of
from assistant.api.chat.comparison_schemas import (
    CastVote,
    CompareModels,
    ComparisonOut,
    ContestOut,
    StandingOut,
    Standings,
)
from assistant.api.deps import AdminDep, PrincipalDep, ResourcesDep, SessionDep
from assistant.services.chat import win_rates
from assistant.services.chat.writing import NewMessage
from assistant.services.history.branches import Spot

router = APIRouter(tags=["comparisons"])


@router.post("/api/conversations/{conversation_id:uuid}/comparisons", status_code=202)
async def begin_comparison(
    conversation_id: uuid.UUID, body: CompareModels, principal: PrincipalDep, resources: ResourcesDep
) -> ContestOut:
    """Store a question and have two models answer it, one after the other; nothing tells which is which."""
    spot = Spot(body.parent_id, body.beside_id)
    new = NewMessage(body.content, files_of(body.attachments), spot, body.idempotency_key)
    return ContestOut.of(await resources.comparisons.begin(principal, conversation_id, new, body.models))


@router.post("/api/comparisons/{comparison_id}/vote")
async def vote_in_comparison(
    comparison_id: uuid.UUID, body: CastVote, principal: PrincipalDep, resources: ResourcesDep
) -> ComparisonOut:
    """Say which answer is better. The names are told, and the conversation goes on after the better one."""
    contest = await resources.comparisons.vote(principal, comparison_id, body.vote)
    return ComparisonOut.of(contest.comparison)


@router.post("/api/comparisons/{comparison_id}/again", status_code=202)
async def write_comparison_again(
    comparison_id: uuid.UUID, principal: PrincipalDep, resources: ResourcesDep
) -> ContestOut:
    """Write what is missing: an answer that was stopped, interrupted or failed goes on where it broke off."""
    return ContestOut.of(await resources.comparisons.again(principal, comparison_id))


@router.post("/api/comparisons/{comparison_id}/end")
async def end_comparison(comparison_id: uuid.UUID, principal: PrincipalDep, resources: ResourcesDep) -> ComparisonOut:
    """Close it without a vote; answers that are being written are stopped, and the names are told."""
    contest, running = await resources.comparisons.end(principal, comparison_id)
    for message_id in running:
        await resources.generations.stop(message_id)
    return ComparisonOut.of(contest.comparison)


@router.get("/api/admin/comparisons")
async def list_standings(admin: AdminDep, session: SessionDep) -> Standings:
    """Wins, losses and ties of every pair of models that has been voted on, with win rates."""
    return Standings(items=[StandingOut.of(each) for each in await win_rates.standings(session)])
