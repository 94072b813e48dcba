"""A person's own library of prompts."""

import uuid
from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import ConflictError, NotFoundError
from codellama_core.models import SavedPrompt

MOST: Final = 500
"""Prompts of one person."""


async def list_of(session: AsyncSession, user_id: uuid.UUID) -> Sequence[SavedPrompt]:
    """By title."""
    query = select(SavedPrompt).where(SavedPrompt.user_id == user_id)
    return (await session.scalars(query.order_by(func.lower(SavedPrompt.title), SavedPrompt.id))).all()


async def create(session: AsyncSession, user_id: uuid.UUID, title: str, content: str) -> SavedPrompt:
    """Raises ConflictError when the person has MOST of them."""
    count = await session.scalar(select(func.count()).where(SavedPrompt.user_id == user_id))
    if (count or 0) >= MOST:
        raise ConflictError(f"You have {MOST} saved prompts; delete one that is not used any more.")
    prompt = SavedPrompt(user_id=user_id, title=title, content=content)
    session.add(prompt)
    await session.flush()
    await session.refresh(prompt)
    return prompt


async def change(
    session: AsyncSession, user_id: uuid.UUID, prompt_id: uuid.UUID, title: str | None, content: str | None
) -> SavedPrompt:
    """What is None stays as it is. Raises NotFoundError."""
    mine = (SavedPrompt.id == prompt_id) & (SavedPrompt.user_id == user_id)
    prompt = await session.scalar(select(SavedPrompt).where(mine).with_for_update())
    if prompt is None:
        raise NotFoundError("There is no such prompt.")
    prompt.title = prompt.title if title is None else title
    prompt.content = prompt.content if content is None else content
    prompt.updated_at = func.now()
    await session.flush()
    await session.refresh(prompt)
    return prompt


async def remove(session: AsyncSession, user_id: uuid.UUID, prompt_id: uuid.UUID) -> None:
    """Raises NotFoundError."""
    mine = (SavedPrompt.id == prompt_id) & (SavedPrompt.user_id == user_id)
    if await session.scalar(delete(SavedPrompt).where(mine).returning(SavedPrompt.id)) is None:
        raise NotFoundError("There is no such prompt.")
