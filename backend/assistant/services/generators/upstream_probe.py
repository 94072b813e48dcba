"""Which models another server has, and whether it answers at all."""

import asyncio
import logging
import time
from typing import Final

import httpx
from pydantic import BaseModel, ValidationError

from assistant.services.generators.upstream_request import DIALECTS, OPENAI, Dialect

logger = logging.getLogger(__name__)

KEEP_S: Final = 2.0
"""How long an answer to the probe counts as fresh."""
PATIENCE_S: Final = 5.0


class _Meta(BaseModel):
    n_ctx: int | None = None


class Card(BaseModel):
    """A model in the server's list; the context is written as vLLM and we write it, or as llama.cpp does."""

    id: str
    owned_by: str = ""
    max_model_len: int | None = None
    meta: _Meta | None = None

    @property
    def context_tokens(self) -> int | None:
        return self.max_model_len or (self.meta.n_ctx if self.meta else None)


class _Cards(BaseModel):
    data: list[Card] = []


class Probe:
    """Asks for the list of models, at most every two seconds, and keeps the last list it got."""

    def __init__(self, client: httpx.AsyncClient, wanted: str | None) -> None:
        self._client = client
        self._wanted = wanted
        self._cards: list[Card] = []
        self._problem: str | None = "it has not been asked yet"
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()

    @property
    def name(self) -> str | None:
        """The model to ask for: the one that was configured, or the first in the list."""
        return self._wanted or (self._cards[0].id if self._cards else None)

    @property
    def names(self) -> tuple[str, ...]:
        """All that may be asked for: the one that was configured, or the whole list."""
        return (self._wanted,) if self._wanted else tuple(dict.fromkeys(card.id for card in self._cards))

    @property
    def card(self) -> Card | None:
        return next((card for card in self._cards if card.id == self.name), None)

    @property
    def dialect(self) -> Dialect:
        owners = [card.owned_by for card in self._cards]
        return next((DIALECTS[owner] for owner in owners if owner in DIALECTS), OPENAI)

    async def problem(self) -> str | None:
        """Why the server cannot be used now, or None."""
        async with self._asking:
            if self._asked_at is None or time.monotonic() - self._asked_at > KEEP_S:
                before, self._problem = self._problem, await self._ask()
                self._asked_at = time.monotonic()
                if self._problem and self._problem != before:
                    logger.warning("the upstream server cannot be used: %s", self._problem)
        return self._problem

    async def _ask(self) -> str | None:
        try:
            response = await self._client.get("models", timeout=PATIENCE_S)
            if response.status_code != 200:
                return f"it answers a request for its models with status {response.status_code}"
            self._cards = _Cards.model_validate_json(response.content).data
        except httpx.HTTPError as error:
            return f"it does not answer ({type(error).__name__})"
        except ValidationError:
            return "its list of models is not in OpenAI's shape"
        return None if self.name else "it has no model"
