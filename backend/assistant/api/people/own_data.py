"""All that is kept about oneself, as one file."""

import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict

from assistant.api.chat.comparison_schemas import ComparisonOut
from assistant.api.chat.exports import conversations_json, download
from assistant.api.chat.history_schemas import Export
from assistant.api.chat.prompts import SavedPromptOut
from assistant.api.deps import PrincipalDep, ResourcesDep
from assistant.api.people.schemas import ApiKeyOut, UserOut
from assistant.api.schemas import Out
from assistant.resources import Resources
from assistant.services.chat import comparisons
from assistant.services.history import exports, prompts
from assistant.services.people import keys, users
from assistant.services.people.accounts import Principal

router = APIRouter(prefix="/api/me", tags=["accounts"])


class ApiCallOut(Out):
    """A call of the API, as it is kept."""

    model_config = ConfigDict(from_attributes=True, title="ApiCall")

    id: uuid.UUID
    endpoint: str
    prompt: dict[str, Any]
    parameters: dict[str, Any]
    response: str
    finish_reason: str
    accepted: bool | None
    prompt_tokens: int
    completion_tokens: int
    duration_s: float
    created_at: datetime


class OwnDataHead(Out):
    account: UserOut
    api_keys: list[ApiKeyOut]
    prompts: list[SavedPromptOut]
    comparisons: list[ComparisonOut]


class OwnData(OwnDataHead):
    """``conversations`` is a file that can be imported again."""

    api_calls: list[ApiCallOut]
    conversations: Export


@router.get("/export", response_class=StreamingResponse)
async def export_own_data(principal: PrincipalDep, resources: ResourcesDep) -> StreamingResponse:
    """Everything: account, keys (not the secrets), prompts, API calls, conversations with feedback."""
    async with resources.database.session() as session:
        head = OwnDataHead(
            account=UserOut.of(await users.get(session, principal.id)),
            api_keys=[ApiKeyOut.model_validate(key) for key in await keys.list_of(session, principal.id)],
            prompts=[SavedPromptOut.model_validate(row) for row in await prompts.list_of(session, principal.id)],
            comparisons=[ComparisonOut.of(row) for row in await comparisons.list_of(session, principal.id)],
        )
    return download(_json(head, principal, resources), "application/json", "my-data.json")


async def _json(head: OwnDataHead, who: Principal, resources: Resources) -> AsyncIterator[str]:
    yield head.model_dump_json().removesuffix("}") + ',"api_calls":['
    separator = ""
    async for call in exports.calls_of(resources.database, who.id):
        yield separator + ApiCallOut.model_validate(call).model_dump_json()
        separator = ","
    yield '],"conversations":'
    mine = exports.conversations_of(resources.database, who.id)
    async for part in conversations_json(resources.database, who, mine):
        yield part
    yield "}"
