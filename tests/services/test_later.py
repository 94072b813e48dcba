"""A stream that waits for its turn: nothing is asked before, and a full queue only delays it."""

import asyncio

from assistant.engine.types import FinishReason
from assistant.errors import ModelNotFoundError
from assistant.services.chat.later import LaterStream
from assistant.services.generators.mock import MockGenerator, MockOptions
from assistant.services.generators.types import EndEvent, TextEvent, TextPrompt, TextRequest, TextStream

FAST = MockOptions(slots=1, tokens_per_second=1000.0, queue_max_wait_s=0.0)


def request(identity: str, **more: str) -> TextRequest:
    return TextRequest(id=identity, prompt=TextPrompt("Hello"), max_tokens=20, **more)  # type: ignore[arg-type]


async def drained(stream: TextStream) -> tuple[str, EndEvent]:
    events = [event async for event in stream]
    assert isinstance(events[-1], EndEvent)
    return "".join(event.text for event in events if isinstance(event, TextEvent)), events[-1]


def later(generator: MockGenerator, **more: str) -> LaterStream:
    return LaterStream(generator.models[0], lambda: generator.start(request("later", **more)))


def test_nothing_is_asked_before_its_turn() -> None:
    async def test() -> None:
        generator = MockGenerator(FAST)
        stream = later(generator)
        reading = asyncio.create_task(drained(stream))
        first = await drained(await generator.start(request("first")))
        assert not reading.done()
        stream.begin()
        assert (await reading)[0] == first[0]

    asyncio.run(test())


def test_a_full_queue_only_delays_it() -> None:
    async def test() -> None:
        generator = MockGenerator(FAST)
        first = await generator.start(request("first"))
        stream = later(generator)
        stream.begin()
        texts = await asyncio.gather(drained(first), drained(stream))
        assert [end.reason for _, end in texts] == [FinishReason.LENGTH] * 2

    asyncio.run(test())


def test_it_can_be_cancelled_before_its_turn_and_after() -> None:
    async def test() -> None:
        generator = MockGenerator(FAST)
        before, after = later(generator), later(generator)
        before.cancel()
        assert (await drained(before))[1].reason is FinishReason.CANCELLED
        after.begin()
        reasons = []
        async for event in after:
            after.cancel()
            reasons += [event.reason] if isinstance(event, EndEvent) else []
        assert reasons == [FinishReason.CANCELLED]

    asyncio.run(test())


def test_a_refusal_ends_it() -> None:
    async def test() -> None:
        stream = later(MockGenerator(FAST), model="nobody")
        stream.begin()
        text, end = await drained(stream)
        assert (text, end.reason) == ("", FinishReason.ERROR)
        assert isinstance(end.cause, ModelNotFoundError)

    asyncio.run(test())
