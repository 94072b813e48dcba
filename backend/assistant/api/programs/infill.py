"""``/infill``: fill in at the cursor, as editors ask llama-server to.

A request that names an ``id_slot`` ends the one before it of the same client and slot; see ``services.autocomplete``.
A client is a person and their ``X-Client-Id`` header, or else their program and address.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from assistant.api.deps import PrincipalDep, ResourcesDep
from assistant.api.http.disconnects import STREAM_HEADERS, EventStream, sse, until_disconnected
from assistant.api.http.rendering import openai_error
from assistant.api.openai.answers import figures
from assistant.api.programs.infill_schemas import SAMPLERS, InfillCall
from assistant.engine.types import FinishReason, Priority, Timings
from assistant.resources import Resources
from assistant.services.calls.autocomplete import Autocomplete, Place
from assistant.services.calls.fragments import fit
from assistant.services.calls.interactions import Answer
from assistant.services.generators.types import EndEvent, InfillPrompt, TextEvent, TextRequest
from assistant.services.people.accounts import Principal

router = APIRouter(tags=["infill"])

NOTHING: Final = Timings(0, 0, 0, 0.0, 0.0, 0.0)


@router.post("/infill", response_model=None)
async def infill(body: InfillCall, request: Request, principal: PrincipalDep, resources: ResourcesDep) -> Response:
    """Fill in between what stands before and after the cursor; ``n_predict`` 0 only reads it all into the cache."""
    prompt, truncated = await asyncio.to_thread(_fitted, body, resources)
    wanted = _request(body, prompt, principal)
    place = Place(principal.id, _client(request), None if body.id_slot < 0 else body.id_slot)
    report = _Report(body, resources, wanted.max_tokens, truncated=truncated)
    if body.n_predict == 0:
        read = await until_disconnected(request, resources.autocompletes.read(principal, place, wanted))
        return _events([sse(report.of_reading(read))]) if body.stream else JSONResponse(report.of_reading(read))
    call = await resources.autocompletes.start(principal, place, wanted, copies=body.n_cmpl, indent=body.n_indent)
    if body.stream:
        return EventStream(_stream(call, report, resources), call.close)
    answers = await until_disconnected(request, resources.autocompletes.finish(call))
    return report.of(answers, superseded=call.superseded)


def _fitted(body: InfillCall, resources: Resources) -> tuple[InfillPrompt, bool]:
    """The prompt with room left for the answer. A generator that does not know its context gets everything."""
    context = resources.generator.context_tokens
    if context is None:
        return body.fragment.prompt, False
    room = context // 4 if body.max_tokens is None else min(body.max_tokens, context // 4)
    return fit(body.fragment, context - max(room, 1), resources.generator.count_tokens)


def _request(body: InfillCall, prompt: InfillPrompt, principal: Principal) -> TextRequest:
    return TextRequest(
        id=str(uuid.uuid4()), prompt=prompt, max_tokens=body.max_tokens, sampling=body.sampling(),
        stop=tuple(body.stop), priority=Priority.AUTOCOMPLETE, fairness_key=str(principal.id), model=body.model,
        max_prompt_s=body.max_prompt_s, max_predict_s=body.max_predict_s,
    )  # fmt: skip


def _client(request: Request) -> str:
    """What tells a person's editors apart. It counts within one person only, so a forged one harms its sender."""
    headers = request.headers
    address = headers.get("x-forwarded-for", "").partition(",")[0].strip()
    address = address or (request.client.host if request.client is not None else "")
    return headers.get("x-client-id") or f"{headers.get('user-agent', '')} at {address}"


class _Report:
    """Answers in llama-server's words, with the fields that the caller wants."""

    def __init__(self, body: InfillCall, resources: Resources, max_tokens: int | None, *, truncated: bool) -> None:
        self._body = body
        self._n_ctx = resources.generator.context_tokens
        self._limit = resources.settings.max_tokens if max_tokens is None else max_tokens
        self._truncated = truncated

    def of(self, answers: list[Answer], *, superseded: bool) -> Response:
        for answer in answers:
            if (failure := answer.end.failure) is not None:
                raise failure
        whole = [
            self.final(index, "" if superseded else answer.text, answer.model.name, answer.end, superseded=superseded)
            for index, answer in enumerate(answers)
        ]
        return JSONResponse(whole[0] if self._body.n_cmpl == 1 else whole)

    def of_reading(self, answer: Answer | None) -> dict[str, Any]:
        """A prompt that is still being read has no figures yet."""
        if answer is None:
            return self._selected(self._fields(0, "", self._body.model or "", NOTHING, "none"))
        if (failure := answer.end.failure) is not None:
            raise failure
        read = answer.end.timings
        timings = Timings(read.prompt_tokens, read.cached_tokens, 0, read.queued_s, read.prefill_s, 0.0)
        return self._selected(self._fields(0, "", answer.model.name, timings, "limit"))

    def final(self, index: int, text: str, model: str, end: EndEvent, *, superseded: bool) -> dict[str, Any]:
        kind = "eos" if end.stopped_by is None else "word"
        if superseded or end.reason is FinishReason.LENGTH:
            kind = "superseded" if superseded else "limit"
        return self._selected(self._fields(index, text, model, end.timings, kind, end.stopped_by or ""))

    def part(self, text: str, predicted: int, evaluated: int) -> dict[str, Any]:
        return {
            "index": 0, "content": text, "stop": False, "id_slot": self._body.id_slot, "tokens_predicted": predicted,
            "tokens_evaluated": evaluated,
        }  # fmt: skip

    def _fields(
        self, index: int, text: str, model: str, timings: Timings, stop_type: str, word: str = ""
    ) -> dict[str, Any]:
        return {
            "index": index, "content": text, "id_slot": self._body.id_slot, "stop": True, "model": model,
            "tokens_predicted": timings.completion_tokens, "tokens_evaluated": timings.prompt_tokens,
            "tokens_cached": timings.prompt_tokens + timings.completion_tokens, "truncated": self._truncated,
            "stop_type": stop_type, "stopping_word": word, "generation_settings": self._settings(),
            "timings": figures(timings),
        }  # fmt: skip

    def _settings(self) -> dict[str, Any]:
        sampling = self._body.sampling()
        return {
            "n_ctx": self._n_ctx, "n_predict": self._limit, "n_indent": self._body.n_indent, "seed": self._body.seed,
            "temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p,
            "min_p": sampling.min_p, "repeat_penalty": sampling.repeat_penalty,
            "presence_penalty": sampling.presence_penalty, "frequency_penalty": sampling.frequency_penalty,
            "stop": self._body.stop, "samplers": SAMPLERS if self._body.samplers is None else self._body.samplers,
        }  # fmt: skip

    def _selected(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields that ``response_fields`` names; a slash leads into an object, and stays in the name."""
        if not self._body.response_fields:
            return fields
        found = {path: _at(fields, path.split("/")) for path in self._body.response_fields}
        return {path: value[0] for path, value in found.items() if value}


async def _stream(call: Autocomplete, report: _Report, resources: Resources) -> AsyncIterator[str]:
    predicted, interaction = 0, call.interactions[0]
    async for event in resources.autocompletes.events(call):
        if isinstance(event, TextEvent):
            predicted += event.tokens
            if event.text:
                yield sse(report.part(event.text, predicted, interaction.prompt_tokens))
        elif isinstance(event, EndEvent):
            if (failure := event.failure) is not None:
                yield sse({"error": openai_error(failure)})
            else:
                yield sse(report.final(0, "", interaction.model.name, event, superseded=call.superseded))


def _events(lines: AsyncIterator[str] | list[str]) -> Response:
    return StreamingResponse(lines, media_type="text/event-stream", headers=STREAM_HEADERS)


def _at(fields: Any, keys: list[str]) -> list[Any]:
    """The value at a path, alone in a list; nothing where there is none."""
    for key in keys:
        if not isinstance(fields, dict) or key not in fields:
            return []
        fields = fields[key]
    return [fields]
