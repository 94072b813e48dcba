"""Text from the engine: template, tokens, submission, and the model that is served now."""

import asyncio
import uuid
from dataclasses import dataclass
from functools import partial
from typing import Literal

from assistant.engine.engine import Engine
from assistant.engine.model import Model, Vocabulary
from assistant.engine.types import (
    EngineStoppedError,
    GenerateRequest,
    PromptTooLongError,
    QueueFullError,
    UnknownModelError,
)
from assistant.engine.types import InvalidRequestError as EngineRefusal
from assistant.errors import (
    BusyError,
    ContextLengthError,
    InvalidRequestError,
    ModelUnavailableError,
)
from assistant.services.generators.streams import EngineStream
from assistant.services.generators.types import (
    ChatPrompt,
    InfillPrompt,
    ModelIdentity,
    Prompt,
    TextPrompt,
    TextRequest,
)
from assistant.services.stream import TextAssembler
from codellama_core.prompt import (
    CODELLAMA_TEMPLATE,
    SpecialTokens,
    TemplateError,
    chat_tokens,
    infill_tokens,
)


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model in the engine, and how to speak to it. It outlives the model for streams that still run on it."""

    key: str
    identity: ModelIdentity
    vocabulary: Vocabulary
    special: SpecialTokens
    template: str
    n_ctx: int

    def tokens(self, prompt: Prompt) -> list[int]:
        """Raises InvalidRequestError when the prompt cannot be put to this model."""
        try:
            if isinstance(prompt, ChatPrompt):
                return chat_tokens(prompt.messages, self.vocabulary.tokenize, self.special, self.template)
            if isinstance(prompt, InfillPrompt):
                return infill_tokens(prompt.prefix, prompt.suffix, self.vocabulary.tokenize, self.special)
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
    return ServedModel(key, identity, vocabulary, special, template, min(model.n_ctx, model.n_ctx_train))


class LocalGenerator:
    """The Generator over our engine."""

    kind: Literal["llama.cpp", "mock"] = "llama.cpp"

    def __init__(self, engine: Engine, *, max_tokens: int, max_seconds: float) -> None:
        self._engine = engine
        self._max_tokens = max_tokens
        self._max_seconds = max_seconds
        self._served: ServedModel | None = None

    @property
    def model(self) -> ModelIdentity | None:
        return self._served.identity if self._served else None

    @property
    def version_id(self) -> uuid.UUID | None:
        return self._served.identity.version_id if self._served else None

    @property
    def context_tokens(self) -> int | None:
        return self._served.n_ctx if self._served else None

    async def install(self, key: str, identity: ModelIdentity, model: Model) -> None:
        """Serve a loaded model from now on; the one before it is let go when its last stream has ended."""
        await asyncio.to_thread(self._engine.add_model, key, model)
        before = self._served
        self._engine.activate(key)
        self._served = served(key, identity, model)
        if before is not None:
            self._engine.retire(before.key)

    def count_tokens(self, prompt: Prompt) -> int:
        return len(self._current().tokens(prompt))

    async def start(self, request: TextRequest) -> EngineStream:
        """Submit a request. Raises BusyError, ContextLengthError, InvalidRequestError, ModelUnavailableError."""
        model = self._current()
        self._check_bias(request, model)
        tokens = model.tokens(request.prompt)
        room = model.n_ctx - len(tokens)
        if room < 1:
            raise ContextLengthError(len(tokens), model.n_ctx - 1)
        stream = EngineStream(
            model.identity,
            len(tokens),
            TextAssembler(request.stop, strip=isinstance(request.prompt, ChatPrompt)),
            model.vocabulary.token_to_bytes,
            partial(self._engine.cancel, request.id),
            self._max_seconds,
        )
        try:
            self._engine.submit(self._engine_request(request, model, tokens, room), stream.emit, model.key)
        except QueueFullError as error:
            raise BusyError(error.retry_after_s) from None
        except PromptTooLongError as error:
            raise ContextLengthError(error.tokens, error.limit) from None
        except EngineRefusal as error:
            raise InvalidRequestError(f"{error}.") from None
        except (EngineStoppedError, UnknownModelError):
            raise ModelUnavailableError from None
        return stream

    @staticmethod
    def _check_bias(request: TextRequest, model: ServedModel) -> None:
        unknown = [token for token, _ in request.sampling.logit_bias if token >= model.vocabulary.size]
        if unknown:
            text = f"logit_bias: this model has no token {unknown[0]}; ids end at {model.vocabulary.size - 1}."
            raise InvalidRequestError(text, param="logit_bias")

    def _current(self) -> ServedModel:
        if self._served is None:
            raise ModelUnavailableError
        return self._served

    def _engine_request(
        self, request: TextRequest, model: ServedModel, tokens: list[int], room: int
    ) -> GenerateRequest:
        wanted = self._max_tokens if request.max_tokens is None else request.max_tokens
        stops = set(model.vocabulary.eog)
        if model.special.end_of_infill is not None:
            stops.add(model.special.end_of_infill)
        return GenerateRequest(
            id=request.id,
            tokens=tuple(tokens),
            max_tokens=min(wanted, self._max_tokens, room),
            sampling=request.sampling,
            stop_tokens=frozenset(stops),
            priority=request.priority,
            fairness_key=request.fairness_key,
        )
