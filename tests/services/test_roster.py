"""Versions that come and go while requests are on their way to them."""

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from assistant.engine.engine import Engine
from assistant.engine.lane import EngineOptions
from assistant.engine.types import Sampling
from assistant.errors import ModelNotFoundError, ModelUnavailableError
from assistant.services.generators.local import LocalGenerator
from assistant.services.generators.types import Alias, GrammarFormat, ModelIdentity, TextPrompt, TextRequest
from tests.fakes import FakeModel


def run(test: Callable[[Engine, LocalGenerator], Awaitable[None]]) -> None:
    async def inner() -> None:
        engine = Engine(EngineOptions())
        try:
            await test(engine, LocalGenerator(engine, max_tokens=100, max_seconds=60, allow_grammars=True))
        finally:
            engine.close()

    asyncio.run(inner())


async def install(generator: LocalGenerator, name: str, alias: Alias = "champion") -> None:
    await generator.install(name, ModelIdentity(name, uuid.uuid4(), alias), FakeModel())


def request(number: int, model: str | None = None, grammar: str | None = None) -> TextRequest:
    wanted = GrammarFormat(grammar) if grammar else None
    return TextRequest(str(number), TextPrompt("x"), 4, Sampling(temperature=0), model=model, format=wanted)


def test_a_name_means_the_version_that_has_it_and_nothing_else() -> None:
    async def test(engine: Engine, generator: LocalGenerator) -> None:
        with pytest.raises(ModelUnavailableError):
            await generator.start(request(0))
        await install(generator, "one")
        await install(generator, "two", "challenger")
        asked = {
            None: "one",
            "": "one",
            "default": "one",
            "champion": "one",
            "one": "one",
            "challenger": "two",
            "two": "two",
        }
        for number, (name, meant) in enumerate(asked.items()):
            assert (await generator.start(request(number, name))).model.name == meant
        with pytest.raises(ModelNotFoundError, match="'one' and 'two' may be asked for"):
            await generator.start(request(99, "three"))

    run(test)


def test_a_request_that_meets_a_swap_on_its_way_goes_to_the_new_version() -> None:
    async def test(engine: Engine, generator: LocalGenerator) -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        await install(generator, "old")
        doors = [threading.Event(), threading.Event()]
        waits = [asyncio.create_task(asyncio.to_thread(doors[0].wait))]
        swap = asyncio.create_task(install(generator, "new"))
        await asyncio.sleep(0)
        waits.append(asyncio.create_task(asyncio.to_thread(doors[1].wait)))
        await asyncio.sleep(0)
        start = asyncio.create_task(generator.start(request(1, grammar='root ::= "a"')))
        await asyncio.sleep(0)
        doors[0].set()
        await swap
        doors[1].set()
        assert (await start).model.name == "new"
        assert engine.stats().queue_depth == 1
        await asyncio.gather(*waits)

    run(test)


def test_the_winner_keeps_its_place_in_the_engine_and_the_loser_goes() -> None:
    async def test(engine: Engine, generator: LocalGenerator) -> None:
        await install(generator, "one")
        winner = ModelIdentity("two", uuid.uuid4(), "challenger")
        await generator.install("two", winner, FakeModel())
        assert winner.version_id is not None
        assert not generator.roster.promote(uuid.uuid4())
        assert generator.roster.promote(winner.version_id)
        assert [(each.name, each.alias) for each in generator.models] == [("two", "champion")]
        assert engine.active == "two"
        engine.step()
        assert engine.stats().models == ("two",)

    run(test)


def test_a_streams_version_outlives_its_replacement() -> None:
    async def test(engine: Engine, generator: LocalGenerator) -> None:
        await install(generator, "old")
        stream = await generator.start(request(1))
        await install(generator, "new")
        engine.step()
        assert engine.stats().models == ("old", "new")
        while engine.step():
            pass
        assert [event async for event in stream]
        assert engine.stats().models == ("new",)

    run(test)
