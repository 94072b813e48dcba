"""One's own library of prompts."""

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from assistant.api.deps import PrincipalDep, SessionDep
from assistant.api.schemas import MAX_TEXT, Out, PlainText, Strict, Title
from assistant.services.history import prompts

router = APIRouter(prefix="/api/prompts", tags=["prompts"])

Content = Annotated[PlainText, Field(min_length=1, max_length=MAX_TEXT, pattern=r"\S")]


class SavedPromptOut(Out):
    model_config = ConfigDict(from_attributes=True, title="SavedPrompt")

    id: uuid.UUID
    title: str
    content: str
    created_at: datetime
    updated_at: datetime


class SavedPrompts(Out):
    items: list[SavedPromptOut]


class SavePrompt(Strict):
    title: Title
    content: Content


class UpdatePrompt(Strict):
    """A field left out stays as it is."""

    title: Title | None = None
    content: Content | None = None


@router.get("")
async def list_prompts(principal: PrincipalDep, session: SessionDep) -> SavedPrompts:
    """All of yours, by title."""
    rows = await prompts.list_of(session, principal.id)
    return SavedPrompts(items=[SavedPromptOut.model_validate(row) for row in rows])


@router.post("", status_code=201)
async def save_prompt(body: SavePrompt, principal: PrincipalDep, session: SessionDep) -> SavedPromptOut:
    """Keep a prompt to use it again."""
    return SavedPromptOut.model_validate(await prompts.create(session, principal.id, body.title, body.content))


@router.patch("/{prompt_id}")
async def update_prompt(
    prompt_id: uuid.UUID, body: UpdatePrompt, principal: PrincipalDep, session: SessionDep
) -> SavedPromptOut:
    """Change its title or text."""
    row = await prompts.change(session, principal.id, prompt_id, body.title, body.content)
    return SavedPromptOut.model_validate(row)


@router.delete("/{prompt_id}", status_code=204)
async def delete_prompt(prompt_id: uuid.UUID, principal: PrincipalDep, session: SessionDep) -> None:
    """Forget a prompt."""
    await prompts.remove(session, principal.id, prompt_id)
