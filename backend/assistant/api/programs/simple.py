"""Two calls for scripts that want one string back."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from assistant.api.deps import PrincipalDep, ResourcesDep
from assistant.api.http.disconnects import until_disconnected
from assistant.api.http.waiting import predicted_wait
from assistant.api.openai.answers import answer_body
from assistant.api.schemas import MAX_TEXT, PlainText, Strict
from assistant.engine.types import Priority, Sampling
from assistant.resources import Resources
from assistant.services.calls.interactions import Answer
from assistant.services.chat.settings import CHAT_SAMPLING
from assistant.services.generators.types import ChatPrompt, Prompt, TextPrompt, TextRequest
from assistant.services.people.accounts import Principal
from codellama_core.prompt import ChatMessage

router = APIRouter(tags=["simple"])

Text = Annotated[PlainText, Field(min_length=1, max_length=MAX_TEXT, pattern=r"\S")]
DEFAULT_TOKENS = 256


class ChatCall(Strict):
    prompt: Text
    max_tokens: int = Field(DEFAULT_TOKENS, ge=1)


class GenerateCall(Strict):
    text: Text
    max_tokens: int = Field(DEFAULT_TOKENS, ge=1)
    temperature: float = Field(CHAT_SAMPLING.temperature, ge=0, le=2, allow_inf_nan=False)


@router.post("/chat")
async def chat(
    body: ChatCall, request: Request, response: Response, principal: PrincipalDep, resources: ResourcesDep
) -> dict[str, Any]:
    """Ask one question; the chat template is applied."""
    prompt = ChatPrompt((ChatMessage("user", body.prompt),))
    answer = await _answer(request, response, principal, resources, "/chat", prompt, body.max_tokens, CHAT_SAMPLING)
    return {"response": answer.text, **answer_body(answer)}


@router.post("/generate")
async def generate(
    body: GenerateCall, request: Request, response: Response, principal: PrincipalDep, resources: ResourcesDep
) -> dict[str, Any]:
    """Continue a text as it stands."""
    sampling = Sampling(temperature=body.temperature)
    prompt = TextPrompt(body.text)
    answer = await _answer(request, response, principal, resources, "/generate", prompt, body.max_tokens, sampling)
    return {"generated_text": answer.text, **answer_body(answer)}


async def _answer(
    request: Request, response: Response, principal: Principal, resources: Resources, endpoint: str, prompt: Prompt,
    max_tokens: int, sampling: Sampling,
) -> Answer:  # fmt: skip
    wanted = TextRequest(
        id=str(uuid.uuid4()), prompt=prompt, max_tokens=max_tokens, sampling=sampling, priority=Priority.CHAT,
        fairness_key=str(principal.id),
    )  # fmt: skip
    interaction = await resources.interactions.start(principal, endpoint, wanted)
    response.headers.update(predicted_wait(interaction))
    answer = await until_disconnected(request, interaction.finish())
    if (failure := answer.end.failure) is not None:
        raise failure
    return answer
