"""The upstream engine: answers, limits, cancelling and the queue in front of a server."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from assistant.engine.types import FinishReason, Priority
from assistant.errors import BusyError
from assistant.services.generators.streams import MOST_UNREAD, TOO_SLOW
from assistant.services.generators.types import (
    ChatPrompt,
    QueuedEvent,
    ReadingEvent,
    TextEvent,
    TextRequest,
    Tool,
    ToolUse,
)
from assistant.services.generators.upstream import UpstreamGenerator
from codellama_core.prompt import ChatMessage
from tests.services.fake_upstream import Behaviour, Exchange, FakeUpstream, well
from tests.services.upstream import drained, hangs, hangs_after_a_word, owned_by, request, run


def test_text_and_the_servers_own_counts_come_through() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        stream = await generator.start(request())
        text, end = await drained(stream)
        assert (text, end.reason, end.error) == ("Hello there", FinishReason.STOP, None)
        assert (end.timings.prompt_tokens, end.timings.cached_tokens, end.timings.completion_tokens) == (7, 3, 2)
        assert stream.model.name == "fake"
        assert generator.context_tokens == 4096
        assert (generator.tally.prompt_tokens, generator.tally.generated_tokens) == (7, 2)
        assert await generator.problem() is None

    run(test, FakeUpstream(well), api_key="secret")


def test_logprobs_are_read_in_both_of_openais_shapes() -> None:
    place = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": [{"token": "b", "logprob": -0.4}] * 3}
    shapes = [
        {"content": [place]},
        {"tokens": ["a"], "token_logprobs": [-0.5], "top_logprobs": [{"b": -0.4, "c": -2.0}]},
    ]
    for shape in shapes:

        async def answer(exchange: Exchange, shape: Any = shape) -> None:
            await exchange.accept()
            await exchange.write("a", logprobs=shape)
            await exchange.finish()

        async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
            events = [event async for event in await generator.start(request(logprobs=1))]
            found = [each for event in events if isinstance(event, TextEvent) for each in event.logprobs]
            assert [(each.piece, each.logprob, each.top) for each in found] == [(b"a", -0.5, ((b"b", -0.4),))]
            assert upstream.exchanges[0].body["logprobs"] is True
            assert upstream.exchanges[0].body["top_logprobs"] == 1

        run(test, FakeUpstream(answer))


def test_tool_calls_that_come_in_parts_are_put_together() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.accept()
        for function in ({"name": "look", "arguments": ""}, {"arguments": '{"at":'}, {"arguments": '"x"}'}):
            calls = [{"index": 0, "function": function}]
            await exchange.event(choices=[{"delta": {"tool_calls": calls}, "finish_reason": None}])
        await exchange.finish("tool_calls")

    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        use = ToolUse((Tool("look"),))
        text, end = await drained(await generator.start(request(format=use)))
        assert json.loads(text) == {"name": "look", "arguments": {"at": "x"}}
        assert end.reason is FinishReason.STOP

    run(test, FakeUpstream(answer))


@pytest.mark.parametrize("behaviour", [hangs, hangs_after_a_word])
def test_cancelling_closes_the_connection(behaviour: Behaviour) -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        stream = await generator.start(request())
        await upstream.called.wait()
        stream.cancel()
        _, end = await drained(stream)
        assert end.reason is FinishReason.CANCELLED
        await upstream.exchanges[0].hung_up.wait()
        assert (generator.desk.running, generator.tally.cancelled) == (0, 1)

    run(test, FakeUpstream(behaviour))


def test_a_request_cancelled_at_once_still_ends_and_leaves() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        first = await generator.start(request())
        second = await generator.start(request())
        second.cancel()
        assert (await drained(second))[1].reason is FinishReason.CANCELLED
        assert (generator.desk.running, generator.desk.waiting) == (1, 0)
        first.cancel()
        await drained(first)

    run(test, FakeUpstream(hangs), slots=1)


def test_a_slow_server_in_small_parts_is_read_whole() -> None:
    async def slow(exchange: Exchange) -> None:
        await exchange.accept()
        event = json.dumps({"choices": [{"delta": {"content": "größer"}, "finish_reason": None}]}, ensure_ascii=False)
        for byte in f": a comment\r\n\r\ndata: {event}\r\n\r\n".encode():
            await exchange.send(bytes([byte]))
            await asyncio.sleep(0)
        await exchange.finish()

    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        assert (await drained(await generator.start(request())))[0] == "größer"

    run(test, FakeUpstream(slow))


def endless() -> Iterator[str]:
    while True:
        yield "word "


async def never_ends(exchange: Exchange) -> None:
    await exchange.accept()
    for word in endless():
        await exchange.write(word)


def test_limits_and_stop_strings_hold_against_a_server_that_ignores_them() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        text, end = await drained(await generator.start(request(max_tokens=3)))
        assert (text, end.reason, end.timings.completion_tokens) == ("word word word", FinishReason.LENGTH, 3)
        text, end = await drained(await generator.start(request(max_tokens=None, stop=("d wor",))))
        assert (text, end.reason) == ("wor", FinishReason.STOP)
        assert "max_tokens" not in upstream.exchanges[1].body

    run(test, FakeUpstream(never_ends))


def test_time_limits_end_an_answer_empty_before_its_first_token_and_after_a_line_when_it_writes() -> None:
    async def writes_lines(exchange: Exchange) -> None:
        await exchange.accept()
        for word in endless():
            await exchange.write(word + "\n")

    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        text, end = await drained(await generator.start(request(max_prompt_s=0.1)))
        assert (text, end.reason) == ("", FinishReason.LENGTH)
        text, end = await drained(await generator.start(request(max_tokens=None, max_predict_s=0.001, max_prompt_s=20)))
        assert end.reason is FinishReason.LENGTH
        assert text.startswith("word")

    run(test, FakeUpstream(hangs, writes_lines), max_tokens=10**9)


def test_a_reader_who_falls_far_behind_is_cut_off_and_the_server_let_go() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        stream = await generator.start(request(max_tokens=None))
        await upstream.exchanges[0].hung_up.wait()
        text, end = await drained(stream)
        assert (end.reason, text.count("word")) == (FinishReason.ERROR, MOST_UNREAD - 1)
        assert end.error == TOO_SLOW

    run(test, FakeUpstream(never_ends), max_tokens=10**9)


def test_reading_is_reported_where_the_server_does() -> None:
    async def reads(exchange: Exchange) -> None:
        assert exchange.body["return_progress"] is True
        await exchange.accept()
        await exchange.event(choices=[], prompt_progress={"total": 20, "cache": 0, "processed": 10, "time_ms": 1})
        await exchange.write("x")
        await exchange.finish()

    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        events = [event async for event in await generator.start(request())]
        assert ReadingEvent(10, 20) in events

    run(test, FakeUpstream(reads, models=owned_by("llamacpp")))


def test_the_others_wait_their_turn_the_urgent_first_and_hear_how_long() -> None:
    release = asyncio.Event()
    order: list[str] = []

    async def one_by_one(exchange: Exchange) -> None:
        order.append(exchange.body["messages"][0]["content"])
        await exchange.accept()
        await release.wait()
        await exchange.write("x")
        await exchange.finish()

    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        def asking(text: str, priority: Priority) -> TextRequest:
            return request(prompt=ChatPrompt((ChatMessage("user", text),)), priority=priority)

        streams = [await generator.start(asking("first", Priority.CHAT))]
        for text, priority in (("batch", Priority.BATCH), ("chat", Priority.CHAT), ("key", Priority.AUTOCOMPLETE)):
            streams.append(await generator.start(asking(text, priority)))
        assert (generator.desk.running, generator.desk.waiting) == (1, 3)
        events = aiter(streams[1])
        assert isinstance(await anext(events), QueuedEvent)
        release.set()
        for stream in (streams[0], *streams[2:]):
            assert (await drained(stream))[0] == "x"
        async for _ in events:
            pass
        assert order == ["first", "key", "chat", "batch"]

    run(test, FakeUpstream(one_by_one), slots=1)


def test_a_wait_beyond_the_limit_is_refused_with_the_time_to_come_back() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        running = await generator.start(request())
        with pytest.raises(BusyError) as info:
            await generator.start(request())
        assert int(info.value.headers["Retry-After"]) >= 1
        running.cancel()
        await drained(running)

    run(test, FakeUpstream(hangs), slots=1, queue_max_wait_s=0.001)


def test_no_tokens_at_all_is_a_way_to_warm_the_servers_cache() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        text, end = await drained(await generator.start(request(max_tokens=0)))
        assert (text, end.reason, end.timings.completion_tokens) == ("", FinishReason.LENGTH, 0)
        assert upstream.exchanges[0].body["max_tokens"] == 1

    run(test, FakeUpstream(never_ends))
