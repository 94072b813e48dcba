"""``/ws/chat``: a chat over one WebSocket, for scripts.

Each frame that the client sends is a question as JSON; each that it receives is JSON with an ``event``: queued, reading
and text while the answer is made, then end or error. The client keeps the conversation. Closing cancels the answer.
"""

import asyncio
import json
import uuid
from collections.abc import Coroutine
from typing import Annotated, Any, Final, Self, TypeVar

from fastapi import APIRouter, WebSocket
from fastapi.websockets import WebSocketDisconnect
from pydantic import Field, ValidationError, field_validator, model_validator

from assistant.api.deps import PrincipalDep, ResourcesDep, get_principal
from assistant.api.http import json_text
from assistant.api.http.rendering import explain, openai_error
from assistant.api.openai.answers import finish_reason, timings_of, usage_of
from assistant.api.openai.messages import Turn, check_conversation, conversation
from assistant.api.schemas import MAX_TEXT, PlainText, Strict
from assistant.engine.types import Priority, Sampling
from assistant.errors import AssistantError, ConflictError, UnauthenticatedError
from assistant.resources import Resources
from assistant.services.calls.interactions import Interaction
from assistant.services.chat.settings import CHAT_SAMPLING
from assistant.services.generators.types import (
    ChatPrompt,
    EndEvent,
    Event,
    QueuedEvent,
    ReadingEvent,
    TextEvent,
    TextRequest,
)
from assistant.services.people.accounts import Principal
from codellama_core.prompt import ChatMessage

router = APIRouter(tags=["simple"])

T = TypeVar("T")

ENDPOINT: Final = "/ws/chat"
DEFAULT_TOKENS: Final = 256
MOST_WAITING: Final = 8
UNAUTHENTICATED: Final = 1008


class Question(Strict):
    """``prompt``, or ``messages`` that end with the user's; sampling as in the browser's chat unless given."""

    prompt: Annotated[PlainText, Field(min_length=1, max_length=MAX_TEXT, pattern=r"\S")] | None = None
    messages: list[Turn] | None = Field(None, min_length=1, max_length=2000)
    model: PlainText | None = None
    max_tokens: int = Field(DEFAULT_TOKENS, ge=1)
    temperature: float = Field(CHAT_SAMPLING.temperature, ge=0, le=2, allow_inf_nan=False)
    top_p: float = Field(CHAT_SAMPLING.top_p, gt=0, le=1, allow_inf_nan=False)
    top_k: int = Field(CHAT_SAMPLING.top_k, ge=0, le=100_000)
    min_p: float = Field(CHAT_SAMPLING.min_p, ge=0, le=1, allow_inf_nan=False)
    repeat_penalty: float = Field(CHAT_SAMPLING.repeat_penalty, gt=0, le=2, allow_inf_nan=False)
    seed: int | None = Field(None, ge=0, lt=2**32)
    stop: list[Annotated[PlainText, Field(min_length=1, max_length=400)]] = Field([], max_length=16)

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("give either prompt or messages")
        return self

    @field_validator("messages")
    @classmethod
    def _make_a_conversation(cls, value: list[Turn] | None) -> list[Turn] | None:
        if value is not None:
            check_conversation(value)
        return value

    def request(self, who: Principal) -> TextRequest:
        turns = conversation(self.messages) if self.messages else (ChatMessage("user", self.prompt or ""),)
        sampling = Sampling(
            temperature=self.temperature, top_p=self.top_p, top_k=self.top_k, min_p=self.min_p,
            repeat_penalty=self.repeat_penalty, seed=self.seed,
        )  # fmt: skip
        return TextRequest(
            id=str(uuid.uuid4()), prompt=ChatPrompt(turns), max_tokens=self.max_tokens, sampling=sampling,
            stop=tuple(self.stop), priority=Priority.CHAT, fairness_key=str(who.id), model=self.model,
        )  # fmt: skip


@router.websocket("/ws/chat")
async def converse(socket: WebSocket, principal: PrincipalDep, resources: ResourcesDep) -> None:
    """One question after another, until either side closes."""
    await socket.accept()
    try:
        await _Conversation(socket, resources).run()
    except WebSocketDisconnect:
        return


class _Conversation:
    """Questions are answered one after another; those that come meanwhile wait."""

    def __init__(self, socket: WebSocket, resources: Resources) -> None:
        self._socket = socket
        self._resources = resources
        self._frames: asyncio.Queue[str | bytes] = asyncio.Queue(MOST_WAITING)
        self._reader = asyncio.create_task(self._read())

    async def run(self) -> None:
        """Until the other side closes, its key is no longer good, or it takes nothing any more."""
        try:
            while True:
                await self._answer_one(await self._unless_closed(self._frames.get()))
        except UnauthenticatedError as error:
            await self._send_error(error)
            await self._socket.close(UNAUTHENTICATED)
        except TimeoutError:
            return  # whatever could be said would wait behind what it does not take
        finally:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        """Ends when the connection does."""
        while (message := await self._socket.receive())["type"] != "websocket.disconnect":
            text: str | None = message.get("text")
            if self._frames.full():
                await self._send_error(ConflictError(f"{MOST_WAITING} questions wait; first read their answers."))
            else:
                self._frames.put_nowait(message["bytes"] if text is None else text)

    async def _unless_closed(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``. Raises WebSocketDisconnect when the other side closes before."""
        task = asyncio.create_task(work)
        try:
            await asyncio.wait((task, self._reader), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise WebSocketDisconnect
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _answer_one(self, frame: str | bytes) -> None:
        try:
            interaction = await self._start(frame)
            try:
                await self._unless_closed(self._send_all(interaction))
            finally:
                interaction.close()
        except UnauthenticatedError:
            raise
        except AssistantError as error:
            await self._send_error(error)

    async def _start(self, frame: str | bytes) -> Interaction:
        """Begin the answer to a question. The caller's rights are looked at again: the connection may be old."""
        question = _question(frame)
        who = await get_principal(self._socket, self._resources)
        self._resources.limits.take(who.key)
        return await self._resources.interactions.start(who, ENDPOINT, question.request(who))

    async def _send_all(self, interaction: Interaction) -> None:
        async for event in interaction:
            if isinstance(event, EndEvent) and (failure := event.failure) is not None:
                raise failure
            if (frame := _frame(event, interaction.model.name)) is not None:
                await self._send(frame)

    async def _send_error(self, error: AssistantError) -> None:
        await self._send({"event": "error", "error": openai_error(error)})

    async def _send(self, frame: dict[str, Any]) -> None:
        """Raises TimeoutError when the reader takes nothing; what waits for it is bounded by the answer's length."""
        await asyncio.wait_for(self._socket.send_json(frame), self._resources.settings.send_timeout_s)


def _question(frame: str | bytes) -> Question:
    """Raises InvalidRequestError, which names the field."""
    text = frame.encode(errors="surrogatepass") if isinstance(frame, str) else frame
    json_text.check(text)
    body = json.loads(text)
    try:
        return Question.model_validate(body)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
    raise explain(faults, body, openai=True)


def _frame(event: Event, model: str) -> dict[str, Any] | None:
    match event:
        case QueuedEvent(position, eta_s):
            return {"event": "queued", "position": position, "eta_s": eta_s}
        case ReadingEvent(done, total):
            return {"event": "reading", "done": done, "total": total}
        case TextEvent(text, tokens) if text:
            return {"event": "text", "text": text, "tokens": tokens}
        case EndEvent():
            return {
                "event": "end", "model": model, "finish_reason": finish_reason(event), "usage": usage_of(event),
                "timings": timings_of(event),
            }  # fmt: skip
        case _:
            return None
