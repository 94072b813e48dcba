"""The OpenAI-compatible API: chat completions, completions and models.

Source: OpenAI API reference. A stream is chunks of server-sent events that end with ``[DONE]``; closing the connection
cancels the generation.
"""

import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from assistant.api.deps import PrincipalDep, ResourcesDep
from assistant.api.disconnects import until_disconnected
from assistant.api.openai_schemas import ChatCompletionRequest, CompletionRequest
from assistant.api.rendering import openai_error
from assistant.engine.types import FinishReason, Priority
from assistant.errors import AssistantError, ModelNotFoundError
from assistant.resources import Resources
from assistant.services.generators.types import ChatPrompt, EndEvent, InfillPrompt, TextEvent, TextPrompt, TextRequest
from assistant.services.interactions import Answer, Interaction

router = APIRouter(prefix="/v1", tags=["openai"])

STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all chunks of one answer share."""

    kind: Literal["chat.completion", "text_completion"]
    model: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def is_chat(self) -> bool:
        return self.kind == "chat.completion"

    def wrap(self, choices: list[dict[str, Any]], *, chunk: bool = False, **more: Any) -> dict[str, Any]:
        prefix, suffix = ("chatcmpl", ".chunk" if chunk else "") if self.is_chat else ("cmpl", "")
        return {
            "id": f"{prefix}-{self.id}", "object": self.kind + suffix, "created": self.created, "model": self.model,
            "choices": choices, **more,
        }  # fmt: skip

    def choice(self, text: str, reason: str | None) -> dict[str, Any]:
        content = {"message": {"role": "assistant", "content": text}} if self.is_chat else {"text": text}
        return {"index": 0, **content, "logprobs": None, "finish_reason": reason}

    def delta(self, text: str | None, reason: str | None = None, *, role: bool = False) -> dict[str, Any]:
        content: dict[str, Any] = {"text": text or ""}
        if self.is_chat:
            spoken = {} if text is None else {"content": text}
            content = {"delta": ({"role": "assistant"} if role else {}) | spoken}
        return {"index": 0, **content, "logprobs": None, "finish_reason": reason}


@router.post("/chat/completions", response_model=None)
async def create_chat_completion(
    body: ChatCompletionRequest, request: Request, principal: PrincipalDep, resources: ResourcesDep
) -> Response:
    """Answer a conversation."""
    wanted = TextRequest(
        id=str(uuid.uuid4()),
        prompt=ChatPrompt(tuple(turn.message() for turn in body.messages)),
        max_tokens=body.limit,
        sampling=body.sampling(),
        stop=body.stops(),
        priority=Priority.CHAT,
        fairness_key=str(principal.id),
    )
    _require_served(resources, body.model)
    interaction = await resources.interactions.start(principal, "/v1/chat/completions", wanted)
    return await _respond(request, interaction, "chat.completion", stream=body.stream, usage=body.wants_usage)


@router.post("/completions", response_model=None)
async def create_completion(
    body: CompletionRequest, request: Request, principal: PrincipalDep, resources: ResourcesDep
) -> Response:
    """Continue a text, or fill in between ``prompt`` and ``suffix``."""
    wanted = TextRequest(
        id=str(uuid.uuid4()),
        prompt=TextPrompt(body.text) if body.suffix is None else InfillPrompt(body.text, body.suffix),
        max_tokens=16 if body.max_tokens is None else body.max_tokens,
        sampling=body.sampling(),
        stop=body.stops(),
        priority=Priority.CHAT if body.suffix is None else Priority.AUTOCOMPLETE,
        fairness_key=str(principal.id),
    )
    _require_served(resources, body.model)
    interaction = await resources.interactions.start(principal, "/v1/completions", wanted)
    return await _respond(request, interaction, "text_completion", stream=body.stream, usage=body.wants_usage)


@router.get("/models")
async def list_served_models(principal: PrincipalDep, resources: ResourcesDep) -> dict[str, Any]:
    """The model being served."""
    identity = resources.generator.model
    return {"object": "list", "data": [] if identity is None else [_model_card(identity.name, resources)]}


@router.get("/models/{name:path}")
async def get_served_model(name: str, principal: PrincipalDep, resources: ResourcesDep) -> dict[str, Any]:
    _require_served(resources, name)
    return _model_card(name, resources)


def _model_card(name: str, resources: Resources) -> dict[str, Any]:
    return {
        "id": name, "object": "model", "created": resources.started_at, "owned_by": "codellama-assistant",
        "max_model_len": resources.generator.context_tokens,
    }  # fmt: skip


def _require_served(resources: Resources, name: str | None) -> None:
    """``champion``, ``default`` and no name at all mean whichever version is served."""
    served = resources.generator.model
    if name in (None, "", "default", "champion") or served is None or name == served.name:
        return
    raise ModelNotFoundError(f"The model '{name}' is not served here; '{served.name}' is.", param="model")


async def _respond(
    request: Request, interaction: Interaction, kind: Literal["chat.completion", "text_completion"], *,
    stream: bool | None, usage: bool,
) -> Response:  # fmt: skip
    envelope = Envelope(kind, interaction.model.name)
    if stream:
        chunks = _chunks(interaction, envelope, usage=usage)
        return StreamingResponse(chunks, media_type="text/event-stream", headers=STREAM_HEADERS)
    answer = await until_disconnected(request, interaction.finish())
    if answer.end.reason is FinishReason.ERROR:
        raise AssistantError(answer.end.error or "The model failed on this request.")
    choice = envelope.choice(answer.text, finish_reason(answer.end))
    return JSONResponse(envelope.wrap([choice], usage=usage_of(answer.end), timings=timings_of(answer.end)))


async def _chunks(interaction: Interaction, envelope: Envelope, *, usage: bool) -> AsyncIterator[str]:
    # with include_usage every chunk has the field, null but for the last
    more: dict[str, Any] = {"usage": None} if usage else {}

    def chunk(choices: list[dict[str, Any]], **extra: Any) -> str:
        return _sse(envelope.wrap(choices, chunk=True, **(more | extra)))

    try:
        if envelope.is_chat:
            yield chunk([envelope.delta("", role=True)])
        async for event in interaction:
            if isinstance(event, TextEvent) and event.text:
                yield chunk([envelope.delta(event.text)])
            elif isinstance(event, EndEvent):
                for line in _ending(event, envelope, chunk, usage=usage):
                    yield line
    finally:
        interaction.close()


def _ending(end: EndEvent, envelope: Envelope, chunk: Callable[..., str], *, usage: bool) -> list[str]:
    if end.reason is FinishReason.ERROR:
        return [_sse({"error": openai_error(AssistantError(end.error or "The model failed on this request."))})]
    lines = [chunk([envelope.delta(None, finish_reason(end))], timings=timings_of(end))]
    if usage:
        lines.append(chunk([], usage=usage_of(end)))
    return [*lines, "data: [DONE]\n\n"]


def _sse(payload: dict[str, Any]) -> str:
    return f"data: {json.dumps(payload, ensure_ascii=False, separators=(',', ':'))}\n\n"


def finish_reason(end: EndEvent) -> str:
    return "length" if end.reason is FinishReason.LENGTH else "stop"


def usage_of(end: EndEvent) -> dict[str, Any]:
    timings = end.timings
    return {
        "prompt_tokens": timings.prompt_tokens,
        "completion_tokens": timings.completion_tokens,
        "total_tokens": timings.prompt_tokens + timings.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": timings.cached_tokens},
    }


def timings_of(end: EndEvent) -> dict[str, float]:
    """An extension: seconds in the queue, reading and writing."""
    return {"queued_s": end.timings.queued_s, "prefill_s": end.timings.prefill_s, "decode_s": end.timings.decode_s}


def answer_body(answer: Answer) -> dict[str, Any]:
    """What the simple calls add to their text."""
    return {"model": answer.model.name, "finish_reason": finish_reason(answer.end), "usage": usage_of(answer.end)}
