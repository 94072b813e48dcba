"""Whose request ends whose, step by step over a scripted model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from assistant.engine.engine import Engine
from assistant.engine.types import FinishReason, Priority
from assistant.errors import ContextLengthError
from assistant.services.calls.autocomplete import AutocompleteService, Place
from assistant.services.calls.interactions import InteractionService
from assistant.services.database import Database
from assistant.services.generators.local import LocalGenerator
from assistant.services.generators.types import InfillPrompt, ModelIdentity, TextRequest
from assistant.services.people.accounts import Principal
from assistant.services.people.limits import RateLimits
from assistant.services.spool import Spool
from assistant.telemetry import Metrics
from codellama_core.ids import uuid7
from codellama_core.models import Role
from codellama_core.prompt import ContextFile
from tests.fakes import FakeModel

ADA = Principal(uuid7(), "ada@example.org", "Ada", Role.MEMBER)
BOB = Principal(uuid7(), "bob@example.org", "Bob", Role.MEMBER)
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@dataclass(frozen=True, slots=True)
class World:
    service: AutocompleteService
    engine: Engine
    spool: Spool

    async def step(self) -> None:
        """One step of the engine, and its events seen by everybody who waits for them."""
        self.engine.step()
        for _ in range(10):
            await asyncio.sleep(0)

    def running(self) -> int:
        """Requests that the engine has not finished."""
        return self.engine.stats().in_system


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    model = FakeModel(n_ctx=4096, n_seq_max=8, next_token=lambda tokens: 16 + ord("x"))
    engine = Engine(clock=model.clock)
    generator = LocalGenerator(engine, max_tokens=1000, max_seconds=600)
    await generator.install("a", ModelIdentity("scripted", None), model)
    spool = Spool(Database(NOWHERE), folder)
    interactions = InteractionService(generator, spool, Metrics(), RateLimits())
    service = AutocompleteService(interactions)
    try:
        yield World(service, engine, spool)
    finally:
        await service.close()
        await interactions.drain()
        await asyncio.to_thread(engine.close)


def request(prefix: str = "def f():", max_tokens: int = 500, max_prompt_s: float | None = None) -> TextRequest:
    prompt = InfillPrompt(prefix, "\nend", (ContextFile("x = 1\n" * 10),))
    return TextRequest("any", prompt, max_tokens, priority=Priority.AUTOCOMPLETE, max_prompt_s=max_prompt_s)


def place(who: Principal = ADA, client: str = "vim", slot: int | None = 0) -> Place:
    return Place(who.id, client, slot)


def test_a_superseded_request_frees_its_sequence_within_one_step(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            older = asyncio.create_task(here.service.finish(await here.service.start(ADA, place(), request())))
            for _ in range(5):
                await here.step()
            assert here.running() == 1
            newer = await here.service.start(ADA, place(), request("def g():"))
            await here.step()
            assert here.running() == 1
            assert older.done()
            assert older.result()[0].end.reason is FinishReason.CANCELLED
            assert not newer.superseded
            newer.close()
            await here.step()
            assert here.running() == 0

    asyncio.run(play())


def test_only_the_same_slot_of_the_same_client_of_the_same_person_is_superseded(tmp_path: Path) -> None:
    others = [place(BOB), place(client="code"), place(slot=1), place(slot=None), place(slot=None)]

    async def play() -> None:
        async with world(tmp_path) as here:
            calls = [await here.service.start(ADA if at.who == ADA.id else BOB, at, request()) for at in others]
            await here.service.start(ADA, place(), request())
            assert [call.superseded for call in calls] == [False] * len(others)
            assert here.running() == len(others) + 1

    asyncio.run(play())


def test_a_request_that_was_refused_leaves_nothing_running(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            first = await here.service.start(ADA, place(), request())
            with pytest.raises(ContextLengthError):
                await here.service.start(ADA, place(), request("x" * 5000), copies=3)
            await here.step()
            assert first.superseded
            assert here.running() == 0

    asyncio.run(play())


def test_a_warm_up_is_answered_in_time_and_read_to_its_end_behind_the_others(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            assert await here.service.read(ADA, place(), request(max_prompt_s=0.001)) is None
            assert here.running() == 1
            while here.running():
                await here.step()
            call = await here.service.start(ADA, place(), request("def f():\n"))
            finishing = asyncio.create_task(here.service.finish(call))
            while here.running():
                await here.step()
            assert (await finishing)[0].end.timings.cached_tokens > 60

    asyncio.run(play())


def test_a_keystroke_ends_the_reading_ahead_of_its_place_and_a_newer_warm_up_the_older(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            first = asyncio.create_task(here.service.read(ADA, place(), request("first")))
            await here.step()
            second = asyncio.create_task(here.service.read(ADA, place(), request("second" * 100)))
            await asyncio.sleep(0)
            await here.step()
            assert first.done()
            assert here.running() == 1
            call = await here.service.start(ADA, place(), request())
            await here.step()
            assert second.done()
            assert here.running() == 1
            call.close()
            await here.step()

    asyncio.run(play())


def test_what_was_not_read_in_time_is_read_afterwards(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            call = await here.service.start(ADA, place(), request(max_prompt_s=0.001))
            finishing = asyncio.create_task(here.service.finish(call))
            await asyncio.sleep(0.02)
            await here.step()
            answer = (await finishing)[0]
            assert (answer.text, answer.end.reason, answer.end.timings.completion_tokens) == (
                "",
                FinishReason.LENGTH,
                0,
            )
            assert here.running() == 1
            while here.running():
                await here.step()

    asyncio.run(play())


def test_warm_ups_leave_no_record_and_answers_do(tmp_path: Path) -> None:
    async def play() -> None:
        async with world(tmp_path) as here:
            reading = asyncio.create_task(here.service.read(ADA, place(), request()))
            await asyncio.sleep(0)
            while here.running():
                await here.step()
            await reading
            assert here.spool.pending == 0
            finishing = asyncio.create_task(
                here.service.finish(await here.service.start(ADA, place(), request(max_tokens=3)))
            )
            while here.running():
                await here.step()
            assert (await finishing)[0].text == "xxx"

    asyncio.run(play())
    assert len(list(tmp_path.glob("*.json"))) == 1
