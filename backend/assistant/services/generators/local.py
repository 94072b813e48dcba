"""Text from the engine: template, tokens, submission, and the model that is served now."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Final

from assistant.engine.engine import Engine
from assistant.engine.model import Model
from assistant.engine.types import (
    Emit,
    EngineStoppedError,
    GenerateRequest,
    InvalidGrammarError,
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
from assistant.services.calls.tools import as_read
from assistant.services.generators.assembler import TextAssembler
from assistant.services.generators.public import public_tokens
from assistant.services.generators.roster import Roster, ServedModel
from assistant.services.generators.streams import EngineStream, TimeLimits
from assistant.services.generators.types import (
    ChatPrompt,
    Format,
    GrammarFormat,
    Kind,
    Length,
    ModelIdentity,
    Prompt,
    Prospect,
    TextRequest,
    TokenPrompt,
    begun_of,
)
from assistant.services.grammar.formats import gbnf, parameter_of

NO_GRAMMARS: Final = (
    "'grammar' is turned off here: llama.cpp can take forever over some. Use response_format with a JSON schema, "
    "or let the server be started with ALLOW_GRAMMARS=on for people who are trusted."
)


class LocalGenerator:
    """The Generator over our engine."""

    kind: Kind = "llama.cpp"

    def __init__(self, engine: Engine, *, max_tokens: int, max_seconds: float, allow_grammars: bool = False) -> None:
        self._engine = engine
        self._max_tokens = max_tokens
        self._max_seconds = max_seconds
        self._allow_grammars = allow_grammars
        self.roster = Roster(engine)

    @property
    def model(self) -> ModelIdentity | None:
        return self.roster.champion.identity if self.roster.champion else None

    @property
    def models(self) -> tuple[ModelIdentity, ...]:
        return self.roster.models

    @property
    def predicted_wait_s(self) -> float:
        return self._engine.stats().predicted_wait_s

    async def problem(self) -> str | None:
        return None if self.roster.champion else "No model is loaded yet."

    @property
    def context_tokens(self) -> int | None:
        return self.roster.champion.n_ctx if self.roster.champion else None

    async def install(self, key: str, identity: ModelIdentity, model: Model) -> None:
        """Serve a loaded model from now on, in the place of the one before it."""
        await self.roster.install(key, identity, model)

    def count_tokens(self, prompt: Prompt) -> int:
        return len(self.roster.chosen(None).tokens(prompt))

    async def length_of(self, prompt: Prompt) -> Length:
        try:
            return Length(len(await self.roster.chosen(None).read(prompt)))
        except ContextLengthError as error:
            return Length(error.tokens, error.at_least)

    async def foresee(self, request: TextRequest) -> Prospect:
        """Raises ModelNotFoundError, ModelUnavailableError, InvalidRequestError (the template refuses)."""
        model = self.roster.chosen(request.model)
        limit = model.n_ctx - 1
        try:
            tokens = await model.read(request.prompt)
        except ContextLengthError as error:
            return Prospect(Length(error.tokens, error.at_least), limit)
        wanted = self._engine_request(request, model, tokens, model.n_ctx - len(tokens))
        wanted = replace(wanted, public_tokens=public_tokens(request.prompt, tokens, model.tokens))
        try:
            seen = self._engine.foresee(wanted, model.key)
        except (EngineStoppedError, UnknownModelError):
            raise ModelUnavailableError from None
        return Prospect(Length(len(tokens)), limit, seen.cached_tokens, seen.wait_s, seen.reading_s)

    async def start(self, request: TextRequest) -> EngineStream:
        """Submit a request to the version it names.

        Raises BusyError, ContextLengthError, InvalidRequestError, ModelNotFoundError, ModelUnavailableError.
        """
        model = self.roster.chosen(request.model)
        try:
            return await self._start(request, model)
        except (InvalidRequestError, ModelUnavailableError):
            current = self.roster.chosen(request.model)
            if current is model:
                raise
        return await self._start(request, current)  # the version was replaced in the meantime

    async def _start(self, request: TextRequest, model: ServedModel) -> EngineStream:
        self._check_ids(request, model)
        if isinstance(request.format, GrammarFormat) and not self._allow_grammars:
            raise InvalidRequestError(NO_GRAMMARS, param="grammar")
        prompt = as_read(request.prompt, request.format)
        tokens = await model.read(prompt)
        room = model.n_ctx - len(tokens)
        stream = EngineStream(
            model.identity,
            len(tokens),
            TextAssembler(request.stop, strip=isinstance(prompt, ChatPrompt), begun=bool(begun_of(prompt))),
            model.vocabulary.token_to_bytes,
            partial(self._engine.cancel, request.id),
            TimeLimits(self._max_seconds, request.max_prompt_s, request.max_predict_s),
        )
        wanted = self._engine_request(request, model, tokens, room)
        wanted = replace(wanted, public_tokens=public_tokens(prompt, tokens, model.tokens))
        try:
            if request.format is None:
                stream.expected_wait_s = self._engine.submit(wanted, stream.emit, model.key)
            else:  # making and parsing a grammar may take a while
                stream.expected_wait_s = await asyncio.to_thread(
                    self._submit_formatted, wanted, request.format, stream.emit, model.key
                )
        except QueueFullError as error:
            raise BusyError(error.retry_after_s) from None
        except PromptTooLongError as error:
            raise ContextLengthError(error.tokens, error.limit) from None
        except InvalidGrammarError as error:
            param = parameter_of(request.format)
            raise InvalidRequestError(f"{param}: {error}.", param=param) from None
        except EngineRefusal as error:
            raise InvalidRequestError(f"{error}.") from None
        except (EngineStoppedError, UnknownModelError):
            raise ModelUnavailableError from None
        return stream

    def _submit_formatted(self, request: GenerateRequest, wanted: Format, emit: Emit, key: str) -> float:
        return self._engine.submit(replace(request, grammar=gbnf(wanted)), emit, key)

    @staticmethod
    def _check_ids(request: TextRequest, model: ServedModel) -> None:
        given = {"logit_bias": [token for token, _ in request.sampling.logit_bias]}
        if isinstance(request.prompt, TokenPrompt):
            given["prompt"] = list(request.prompt.tokens)
        for param, tokens in given.items():
            unknown = next((token for token in tokens if not 0 <= token < model.vocabulary.size), None)
            if unknown is not None:
                text = f"{param}: this model has no token {unknown}; ids end at {model.vocabulary.size - 1}."
                raise InvalidRequestError(text, param=param)

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
            scope=request.fairness_key,
            logprobs=request.logprobs,
            adapter=model.adapter,
        )
