"""The OpenAI-compatible API: chat completions, completions and models.

Source: OpenAI API reference.
"""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from assistant.api.deps import PrincipalDep, ResourcesDep
from assistant.api.http.disconnects import EventStream, until_disconnected
from assistant.api.http.waiting import predicted_wait
from assistant.api.openai.answers import Calls, Envelope, Kind, whole
from assistant.api.openai.schemas import ChatCompletionRequest, CompletionRequest
from assistant.api.openai.stream import Chunks, stream
from assistant.resources import Resources
from assistant.services.generators.types import ModelIdentity, ToolUse, choose
from assistant.services.people.accounts import Principal

router = APIRouter(prefix="/v1", tags=["openai"])


@router.post("/chat/completions", response_model=None)
async def create_chat_completion(
    body: ChatCompletionRequest, request: Request, principal: PrincipalDep, resources: ResourcesDep
) -> Response:
    """Answer a conversation, in a format that is kept to where one is asked for.

    Tools are best effort: the model writes a call that is well formed, whether or not it makes sense.
    """
    return await _answer(body, "chat.completion", request, principal, resources)


@router.post("/completions", response_model=None)
async def create_completion(
    body: CompletionRequest, request: Request, principal: PrincipalDep, resources: ResourcesDep
) -> Response:
    """Continue a text, or fill in between ``prompt`` and ``suffix``."""
    return await _answer(body, "text_completion", request, principal, resources)


@router.get("/models")
async def list_served_models(principal: PrincipalDep, resources: ResourcesDep) -> dict[str, Any]:
    """Every version that a request may name."""
    return {"object": "list", "data": [_model_card(model, resources) for model in resources.generator.models]}


@router.get("/models/{name:path}")
async def get_served_model(name: str, principal: PrincipalDep, resources: ResourcesDep) -> dict[str, Any]:
    """One version being served, by its name or as ``champion``, ``challenger`` or ``default``."""
    return _model_card(choose(resources.generator.models, name), resources)


def _model_card(model: ModelIdentity, resources: Resources) -> dict[str, Any]:
    return {
        "id": model.name, "object": "model", "created": resources.started_at, "owned_by": "codellama-assistant",
        "max_model_len": resources.generator.context_tokens,
    }  # fmt: skip


async def _answer(
    body: ChatCompletionRequest | CompletionRequest, kind: Kind, request: Request, principal: Principal,
    resources: Resources,
) -> Response:  # fmt: skip
    wanted = body.request(str(principal.id))
    if resources.generator.models:
        choose(resources.generator.models, wanted.model)
    path = "/v1/chat/completions" if kind == "chat.completion" else "/v1/completions"
    interaction = await resources.interactions.start(principal, path, wanted)
    headers = predicted_wait(interaction)
    envelope = Envelope(kind, interaction.model.name)
    calls = Calls(possible=isinstance(wanted.format, ToolUse))
    echo = (body.text or "") if isinstance(body, CompletionRequest) and body.echo else ""
    if body.stream:
        events = stream(interaction, Chunks(envelope, calls, usage=body.wants_usage, echo=echo))
        return EventStream(events, interaction.close, headers)
    answer = await until_disconnected(request, interaction.finish())
    if (failure := answer.end.failure) is not None:
        raise failure
    return JSONResponse(whole(answer, envelope, calls, echo), headers=headers)
