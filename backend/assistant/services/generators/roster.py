"""The versions that are loaded: who is champion, who is challenger, and how one takes another's place.

A version that is replaced takes nothing new from that moment on, and is freed when its last stream has ended.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from assistant.engine.engine import Engine
from assistant.engine.model import Model, Vocabulary
from assistant.engine.types import EngineError, UnknownModelError
from assistant.errors import ContextLengthError, InvalidRequestError
from assistant.services.generators.types import (
    Alias,
    ChatPrompt,
    InfillPrompt,
    ModelIdentity,
    Prompt,
    TextPrompt,
    choose,
    text_bytes,
)
from assistant.services.serving.memory import give_back
from codellama_core.ids import uuid7
from codellama_core.prompt import CODELLAMA_TEMPLATE, SpecialTokens, TemplateError, chat_tokens, infill_tokens

logger = logging.getLogger(__name__)

LOOK_AGAIN_S: Final = 0.5
LONG_TEXT: Final = 16 * 1024
"""Bytes above which tokenizing may take long enough for others to notice."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model in the engine, and how to speak to it. It outlives the model for streams that still run on it.

    ``adapter`` names the LoRA adapter that makes the version out of the model ``key``; None is the model as it is.
    ``base`` is the name in the file, which fine-tuning keeps.
    """

    key: str
    identity: ModelIdentity
    vocabulary: Vocabulary
    special: SpecialTokens
    template: str
    n_ctx: int
    base: str = ""
    adapter: str | None = None

    async def read(self, prompt: Prompt) -> list[int]:
        """The prompt's tokens; long texts are tokenized on another thread.

        Raises ContextLengthError, InvalidRequestError.
        """
        size = text_bytes(prompt)
        least = size // self.vocabulary.longest
        if least >= self.n_ctx:  # some texts take llama.cpp quadratic time: these are never tokenized
            raise ContextLengthError(least, self.n_ctx - 1, at_least=True)
        tokens = self.tokens(prompt) if size < LONG_TEXT else await asyncio.to_thread(self.tokens, prompt)
        if len(tokens) >= self.n_ctx:
            raise ContextLengthError(len(tokens), self.n_ctx - 1)
        return tokens

    def tokens(self, prompt: Prompt) -> list[int]:
        """Raises InvalidRequestError when the prompt cannot be put to this model."""
        try:
            if isinstance(prompt, ChatPrompt):
                return chat_tokens(prompt.messages, self.vocabulary.tokenize, self.special, self.template, prompt.begun)
            if isinstance(prompt, InfillPrompt):
                return infill_tokens(prompt.prefix, prompt.suffix, self.vocabulary.tokenize, self.special, prompt.extra)
        except TemplateError as error:
            raise InvalidRequestError(f"The chat template refuses these messages: {error}", param="messages") from None
        except ValueError as error:
            raise InvalidRequestError(f"This model cannot fill in: {error}.", param="suffix") from None
        if isinstance(prompt, TextPrompt):
            text = self.vocabulary.tokenize(prompt.text) if prompt.text else []
            return [self.special.bos, *text]
        return list(prompt.tokens)


def served(key: str, identity: ModelIdentity, model: Model) -> ServedModel:
    """Describe a loaded model; the template is the file's own, or CodeLlama's where the file has none."""
    vocabulary = model.vocabulary
    special = SpecialTokens(
        bos=1 if vocabulary.bos is None else vocabulary.bos,
        eos=2 if vocabulary.eos is None else vocabulary.eos,
        prefix=vocabulary.fim_prefix,
        suffix=vocabulary.fim_suffix,
        middle=vocabulary.fim_middle,
        end_of_infill=vocabulary.eot,
    )
    template = model.chat_template or CODELLAMA_TEMPLATE
    n_ctx, base = min(model.n_ctx, model.n_ctx_train), model.metadata.get("general.name", "")
    return ServedModel(key, identity, vocabulary, special, template, n_ctx, base)


class Roster:
    """The loaded versions by their place. Belongs to the event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._served: dict[Alias, ServedModel] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def champion(self) -> ServedModel | None:
        return self._served.get("champion")

    @property
    def challenger(self) -> ServedModel | None:
        return self._served.get("challenger")

    @property
    def models(self) -> tuple[ModelIdentity, ...]:
        return tuple(each.identity for each in self)

    def __iter__(self) -> Iterator[ServedModel]:
        return iter([each for each in (self.champion, self.challenger) if each is not None])

    def chosen(self, name: str | None) -> ServedModel:
        """The version that a request names. Raises ModelNotFoundError, ModelUnavailableError."""
        chosen = choose(self.models, name)
        return next(each for each in self if each.identity is chosen)

    async def install(
        self, key: str, identity: ModelIdentity, model: Model, *, fingerprint: str | None = None,
        threads: int | None = None,
    ) -> None:  # fmt: skip
        """Serve a loaded model from now on, in the place of the version that has its alias."""
        add = self._engine.add_model
        await asyncio.to_thread(add, key, model, fingerprint=fingerprint, threads=threads)
        self._place(served(key, identity, model))

    async def install_adapter(self, identity: ModelIdentity, path: Path) -> None:
        """Serve a challenger that is the champion's weights and an adapter.

        Raises ModelLoadError when the file is not an adapter of these weights.
        """
        champion = self.chosen(None)
        name = f"{identity.name}@{uuid7()}"  # the same version may come again before it has gone
        await asyncio.to_thread(self._engine.add_adapter, champion.key, name, path)
        self._place(replace(champion, identity=identity, adapter=name))

    def promote(self, version_id: uuid.UUID) -> bool:
        """Make the challenger champion, without loading anything. False: it is not loaded with weights of its own."""
        challenger = self.challenger
        if challenger is None or challenger.identity.version_id != version_id or challenger.adapter is not None:
            return False
        del self._served["challenger"]
        self._place(replace(challenger, identity=replace(challenger.identity, alias="champion")))
        return True

    def remove_challenger(self) -> None:
        """Serve the champion only."""
        challenger = self._served.pop("challenger", None)
        if challenger is not None:
            self._let_go(challenger)

    def _place(self, new: ServedModel) -> None:
        alias = new.identity.alias
        assert alias is not None, "what is loaded here has a place"
        before = self._served.get(alias)
        self._served[alias] = new
        if alias == "champion":
            self._engine.activate(new.key)
            if self.challenger is not None and self.challenger.adapter is not None:
                self.remove_challenger()
        if before is not None:
            self._let_go(before)

    def _let_go(self, old: ServedModel) -> None:
        if old.adapter is None:
            gone = self._engine.retire(old.key).is_set
        else:
            gone = partial(self._drop_adapter, old.key, old.adapter)
        task = asyncio.create_task(self._see_off(gone))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _see_off(self, gone: Callable[[], bool]) -> None:
        while True:
            if await asyncio.to_thread(gone):
                await asyncio.to_thread(give_back)
                return
            await asyncio.sleep(LOOK_AGAIN_S)

    def _drop_adapter(self, key: str, name: str) -> bool:
        """Adapters have to be free before they can go; with their model they go by themselves."""
        try:
            self._engine.remove_adapter(key, name)
        except (UnknownModelError, CancelledError):
            return True
        except (EngineError, TimeoutError):
            return False
        logger.info("adapter %s has been freed", name)
        return True
