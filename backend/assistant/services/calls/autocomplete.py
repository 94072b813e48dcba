"""Autocompletes of editors: the newest one of a place ends the one before it, and prompts are read ahead."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from assistant.engine.types import FinishReason, Priority
from assistant.errors import AssistantError
from assistant.services.calls.indentation import IndentedStream
from assistant.services.calls.interactions import Answer, Interaction, InteractionService
from assistant.services.generators.types import EndEvent, Event, TextRequest, TextStream
from assistant.services.people.accounts import Principal

logger = logging.getLogger(__name__)

ENDPOINT: Final = "/infill"
READING: Final = "/infill (reading ahead)"


@dataclass(frozen=True, slots=True)
class Place:
    """One editor of one person. Its requests for one ``slot`` replace each other; without a slot they live together."""

    who: uuid.UUID
    client: str
    slot: int | None


class Autocomplete:
    """One call: one answer, or several to the same prompt."""

    def __init__(self, who: Principal, place: Place, request: TextRequest) -> None:
        self.who = who
        self.place = place
        self.request = request
        self.interactions: list[Interaction] = []
        self.superseded = False

    def add(self, interaction: Interaction) -> None:
        """Take part in what happens to the call, also if it has happened already."""
        self.interactions.append(interaction)
        if self.superseded:
            interaction.close()

    def supersede(self) -> None:
        """A newer request has taken the place: the answers end within one step."""
        self.superseded = True
        self.close()

    def close(self) -> None:
        for interaction in self.interactions:
            interaction.close()


class AutocompleteService:
    """Belongs to the event loop."""

    def __init__(self, interactions: InteractionService) -> None:
        self._interactions = interactions
        self._running: dict[Place, Autocomplete] = {}
        self._reading: dict[Place, tuple[Interaction, asyncio.Task[Answer]]] = {}

    async def start(
        self, who: Principal, place: Place, request: TextRequest, *, copies: int = 1, indent: int = 0
    ) -> Autocomplete:
        """Begin ``copies`` answers, each cut at the first line with less ``indent``, in place of what runs there.

        Raises BusyError, ContextLengthError, InvalidRequestError, UnavailableError.
        """
        call = Autocomplete(who, place, request)
        self._take(place, call)
        try:
            for number in range(copies):
                through = partial(_indented, indent)
                call.add(await self._interactions.start(who, ENDPOINT, _copy_of(request, number), through=through))
        except BaseException:
            self._end(call)
            raise
        return call

    async def finish(self, call: Autocomplete) -> list[Answer]:
        """The whole answers. Cancelling the caller's task cancels the call."""
        try:
            answers = await asyncio.gather(*(interaction.finish() for interaction in call.interactions))
        finally:
            self._end(call)
        if any(_is_unread(answer.end) for answer in answers):
            await self._read_on(call)
        return answers

    async def events(self, call: Autocomplete) -> AsyncIterator[Event]:
        """The events of a call with one answer. Closing the iterator cancels the call."""
        unread = False
        try:
            async for event in call.interactions[0]:
                unread = isinstance(event, EndEvent) and _is_unread(event)
                yield event
        finally:
            self._end(call)
        if unread:
            await self._read_on(call)

    async def read(self, who: Principal, place: Place, request: TextRequest) -> Answer | None:
        """Read a prompt into the cache, behind everybody who waits for an answer.

        Returns after ``request.max_prompt_s`` at the latest, then None: the reading goes on until it is done or
        something new comes from the same place.
        """
        task = await self._read_ahead(who, place, request)
        try:
            return await asyncio.wait_for(asyncio.shield(task), request.max_prompt_s)
        except TimeoutError:
            return None
        except asyncio.CancelledError:
            self._stop_reading(place)
            raise

    async def close(self) -> None:
        """Stop reading ahead."""
        tasks = [task for _, task in self._reading.values()]
        for place in list(self._reading):
            self._stop_reading(place)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, place: Place, call: Autocomplete) -> None:
        self._stop_reading(place)
        if place.slot is not None:
            before = self._running.get(place)
            self._running[place] = call
            if before is not None:
                before.supersede()

    def _end(self, call: Autocomplete) -> None:
        call.close()
        if self._running.get(call.place) is call:
            del self._running[call.place]

    async def _read_on(self, call: Autocomplete) -> None:
        """Nobody waits for this prompt any more, but the next one from the same place begins like it."""
        if call.superseded or call.place in self._running:
            return
        with contextlib.suppress(AssistantError):
            await self._read_ahead(call.who, call.place, call.request)

    async def _read_ahead(self, who: Principal, place: Place, request: TextRequest) -> asyncio.Task[Answer]:
        self._stop_reading(place)
        reading = replace(
            request, id=str(uuid.uuid4()), max_tokens=1, stop=(), priority=Priority.BATCH, max_prompt_s=None
        )
        interaction = await self._interactions.start(who, READING, reading, recorded=False)
        self._stop_reading(place)
        task = asyncio.create_task(interaction.finish())
        self._reading[place] = (interaction, task)
        task.add_done_callback(partial(self._has_read, place))
        return task

    def _stop_reading(self, place: Place) -> None:
        if place in self._reading:
            self._reading[place][0].close()

    def _has_read(self, place: Place, task: asyncio.Task[Answer]) -> None:
        if place in self._reading and self._reading[place][1] is task:
            del self._reading[place]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("reading ahead failed", exc_info=error)


def _indented(indent: int, stream: TextStream) -> TextStream:
    return IndentedStream(stream, indent) if indent > 0 else stream


def _copy_of(request: TextRequest, number: int) -> TextRequest:
    """The same request again; a given seed gives other text each time."""
    seed = request.sampling.seed
    sampling = request.sampling if seed is None else replace(request.sampling, seed=(seed + number) & 0xFFFFFFFF)
    return replace(request, id=str(uuid.uuid4()), sampling=sampling)


def _is_unread(end: EndEvent) -> bool:
    """Whether the time for reading the prompt was over before it had been read."""
    return end.reason is FinishReason.LENGTH and end.timings.completion_tokens == 0
