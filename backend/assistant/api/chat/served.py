"""Which models a conversation may ask for, and how they answer where nothing else is chosen."""

import uuid

from fastapi import APIRouter
from pydantic import ConfigDict

from assistant.api.deps import PrincipalDep, ResourcesDep
from assistant.api.schemas import Out
from assistant.services.chat.settings import CHAT_SAMPLING
from assistant.services.generators.types import Alias

router = APIRouter(prefix="/api/models", tags=["models"])


class ServedModelOut(Out):
    """``alias`` is null for the further models of an upstream server."""

    model_config = ConfigDict(from_attributes=True, title="ServedModel")

    name: str
    alias: Alias | None
    version_id: uuid.UUID | None
    demo: bool


class ChatDefaults(Out):
    """``max_tokens`` is also the most that may be asked for."""

    temperature: float
    top_p: float
    max_tokens: int


class ServedModels(Out):
    """The first is the one that answers where none is chosen."""

    items: list[ServedModelOut]
    defaults: ChatDefaults


@router.get("/served")
async def list_model_choices(principal: PrincipalDep, resources: ResourcesDep) -> ServedModels:
    """The models that answer here now, by the names to ask for them."""
    demos = resources.models.demos if resources.models is not None else frozenset()
    items = [
        ServedModelOut(name=each.name, alias=each.alias, version_id=each.version_id, demo=each.version_id in demos)
        for each in resources.generator.models
    ]
    defaults = ChatDefaults(
        temperature=CHAT_SAMPLING.temperature, top_p=CHAT_SAMPLING.top_p, max_tokens=resources.settings.max_tokens
    )
    return ServedModels(items=items, defaults=defaults)
