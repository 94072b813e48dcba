"""The upstream engine over a fake server: ways to ask it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from assistant.engine.types import Sampling
from assistant.errors import AssistantError
from assistant.services.generators.pieces import PieceStream
from assistant.services.generators.types import (
    ChatPrompt,
    EndEvent,
    TextEvent,
    TextRequest,
)
from assistant.services.generators.upstream import UpstreamGenerator, UpstreamOptions
from codellama_core.prompt import ChatMessage
from tests.services.fake_upstream import MODELS, Behaviour, Exchange, FakeUpstream, well

PATIENCE_S = 30.0
CHAT = ChatPrompt((ChatMessage("user", "Hello?"),))
PLAIN = Sampling(temperature=0.0, top_p=1.0, top_k=0, min_p=0.0)


def request(**more: Any) -> TextRequest:
    return TextRequest(**{"id": "1", "prompt": CHAT, "max_tokens": 8, "sampling": PLAIN, **more})


def run(
    test: Callable[[FakeUpstream, UpstreamGenerator], Awaitable[None]], upstream: FakeUpstream, **options: Any
) -> None:
    """Run ``test`` on a generator over the fake server."""

    async def inner() -> None:
        async with asyncio.timeout(PATIENCE_S), upstream.running():
            generator = UpstreamGenerator(UpstreamOptions(**{"url": upstream.url, **options}))
            try:
                await test(upstream, generator)
            finally:
                await generator.close()

    asyncio.run(inner())


async def drained(stream: PieceStream) -> tuple[str, EndEvent]:
    events = [event async for event in stream]
    text = "".join(event.text for event in events if isinstance(event, TextEvent))
    assert isinstance(events[-1], EndEvent)
    return text, events[-1]


def refused_with(behaviour: Behaviour, error: type[AssistantError], **more: Any) -> AssistantError:
    """The error that ``start`` raises when the server behaves so."""
    caught: list[AssistantError] = []

    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        with pytest.raises(error) as info:
            await generator.start(request(**more))
        caught.append(info.value)
        assert (generator.desk.running, generator.desk.waiting) == (0, 0)

    run(test, FakeUpstream(behaviour, models=more.pop("models", MODELS)))
    return caught[0]


def sent_for(**more: Any) -> dict[str, Any]:
    """The body that a request becomes."""
    upstream = FakeUpstream(well, models=more.pop("models", MODELS))

    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        await drained(await generator.start(request(**more)))

    run(test, upstream)
    return upstream.exchanges[0].body | {"path": upstream.exchanges[0].path}


def owned_by(owner: str) -> dict[str, Any]:
    return {"data": [{"id": "fake", "owned_by": owner}]}


async def hangs(exchange: Exchange) -> None:
    await exchange.hung_up.wait()


async def hangs_after_a_word(exchange: Exchange) -> None:
    await exchange.accept()
    await exchange.write("Hel")
    await exchange.hung_up.wait()
