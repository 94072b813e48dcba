"""A request's tokens as the event loop sees them: limits of time, log probabilities, slow readers."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from assistant.engine.types import Finished, FinishReason, Prefill, Queued, Timings, Token, TokenEvent
from assistant.services.generators.assembler import TextAssembler
from assistant.services.generators.streams import MOST_UNREAD, TOO_SLOW, EngineStream, TimeLimits
from assistant.services.generators.types import EndEvent, Event, ModelIdentity, QueuedEvent, ReadingEvent, TextEvent

NEVER = 3600.0


class Source:
    """Stands where the engine does: takes the cancel, says the rest itself."""

    def __init__(self, stop: tuple[str, ...] = (), *, strip: bool = False, **limits: float) -> None:
        self.cancelled = asyncio.Event()
        assembler = TextAssembler(stop, strip=strip)
        times = TimeLimits(**({"total": NEVER} | limits))
        model = ModelIdentity("scripted", None)
        self.stream = EngineStream(model, 3, assembler, self._piece, self.cancelled.set, times)

    @staticmethod
    def _piece(token: int) -> bytes:
        return bytes([token])

    def say(self, data: bytes) -> None:
        for byte in data:
            self.stream.emit(Token(byte, -0.5, ((byte, -0.5), (120, -2.0))))

    def finish(self, reason: FinishReason, tokens: int = 7) -> None:
        self.stream.emit(Finished(reason, Timings(3, 0, tokens, 0.0, 0.0, 0.0)))

    async def read(self) -> list[Event]:
        return [event async for event in self.stream]


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(work())


async def moments(seconds: float) -> None:
    """Until every timer that was due before has run."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()


def told(events: list[Event]) -> tuple[str, EndEvent]:
    end = events[-1]
    assert isinstance(end, EndEvent)
    return "".join(event.text for event in events if isinstance(event, TextEvent)), end


def pieces(events: list[Event]) -> bytes:
    return b"".join(logprob.piece for event in events if isinstance(event, TextEvent) for logprob in event.logprobs)


def test_without_a_first_token_in_time_the_answer_stays_empty() -> None:
    async def work() -> None:
        source = Source(prompt=0.01)
        reading = asyncio.create_task(source.read())
        await source.cancelled.wait()
        source.say(b"too late")
        source.finish(FinishReason.CANCELLED)
        text, end = told(await reading)
        assert (text, end.reason, end.timings.completion_tokens) == ("", FinishReason.LENGTH, 0)

    run(work)


def test_a_first_token_in_time_lets_the_answer_go_on() -> None:
    async def work() -> None:
        source = Source(prompt=0.01)
        source.say(b"in time")
        reading = asyncio.create_task(source.read())
        await moments(0.02)
        assert not source.cancelled.is_set()
        source.finish(FinishReason.STOP)
        assert told(await reading)[0] == "in time"

    run(work)


def test_writing_that_takes_too_long_ends_once_a_line_is_complete() -> None:
    async def work() -> None:
        source = Source(predict=0.0)
        reading = asyncio.create_task(source.read())
        source.say(b"one line")
        await moments(0.01)
        assert not source.cancelled.is_set()
        source.say(b"\nand more")
        await source.cancelled.wait()
        source.say(b" and more")
        source.finish(FinishReason.CANCELLED)
        text, end = told(await reading)
        assert (text, end.reason) == ("one line\n", FinishReason.LENGTH)

    run(work)


def test_the_whole_time_limit_ends_the_answer_as_if_by_length() -> None:
    async def work() -> None:
        source = Source(total=0.01)
        source.say(b"some")
        reading = asyncio.create_task(source.read())
        await source.cancelled.wait()
        source.finish(FinishReason.CANCELLED)
        text, end = told(await reading)
        assert (text, end.reason) == ("some", FinishReason.LENGTH)

    run(work)


def test_a_stop_string_across_tokens_cancels_and_nothing_after_it_is_shown() -> None:
    async def work() -> None:
        source = Source(("STOP",))
        source.say(b"text STOP more")
        source.finish(FinishReason.LENGTH)
        events = await source.read()
        text, end = told(events)
        assert (text, end.reason) == ("text ", FinishReason.STOP)
        assert source.cancelled.is_set()
        assert pieces(events) == b"text "

    run(work)


@pytest.mark.parametrize("strip", [False, True])
def test_logprobs_come_with_their_text_and_whole(strip: bool) -> None:
    async def work() -> None:
        source = Source(("never",), strip=strip)
        data = " né ".encode()
        source.say(data)
        source.finish(FinishReason.STOP)
        events = await source.read()
        assert told(events)[0] == ("né" if strip else " né ")
        assert pieces(events) == data
        [first, *_] = [logprob for event in events if isinstance(event, TextEvent) for logprob in event.logprobs]
        assert (first.logprob, first.top) == (-0.5, ((b" ", -0.5), (b"x", -2.0)))

    run(work)


def test_reports_that_nobody_reads_replace_each_other() -> None:
    async def work() -> None:
        source = Source()
        reports: list[TokenEvent] = [*(Queued(n, 1.0) for n in range(9, -1, -1)), *(Prefill(n, 9) for n in range(10))]
        for report in reports:
            source.stream.emit(report)
        source.finish(FinishReason.STOP)
        assert (await source.read())[:-1] == [QueuedEvent(0, 1.0), ReadingEvent(9, 9)]

    run(work)


def test_a_reader_who_is_too_slow_is_cut_off_and_told_so() -> None:
    async def work() -> None:
        source = Source()
        source.say(b"x" * (MOST_UNREAD + 100))
        await source.cancelled.wait()
        source.finish(FinishReason.CANCELLED)
        text, end = told(await source.read())
        assert (len(text), end.reason, end.error) == (MOST_UNREAD, FinishReason.ERROR, TOO_SLOW)

    run(work)


def test_a_reader_who_leaves_cancels() -> None:
    async def work() -> None:
        source = Source()
        source.say(b"text")
        async for _ in source.stream:
            break
        await source.cancelled.wait()

    run(work)
