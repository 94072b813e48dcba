import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.engine.types import FinishReason, Timings
from assistant.services.calls.indentation import IndentCut, IndentedStream
from assistant.services.generators.types import EndEvent, Event, ModelIdentity, TextEvent


def cut(text: str, least: int, step: int) -> str:
    """What comes through when the text arrives ``step`` characters at a time."""
    filter = IndentCut(least)
    parts = [filter.push(text[start : start + step]) for start in range(0, len(text), step)]
    return "".join(parts) + filter.finish()


@pytest.mark.parametrize("step", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("text", "least", "kept"),
    [
        ("a + b\n", 4, "a + b\n"),
        ("a + b\n    c\nd\n    e", 4, "a + b\n    c"),
        ("a\n\n\n    b\n\n\nc", 4, "a\n\n\n    b"),
        ("a\n   b", 4, "a"),
        ("a\n\tb\n c", 1, "a\n\tb\n c"),
        ("a\r\n    b\r\nc", 4, "a\r\n    b\r"),
        ("\n    a\nb", 4, "\n    a"),
        ("a\nb", 0, "a\nb"),
        ("a\n    ", 4, "a\n    "),
        ("", 4, ""),
    ],
)
def test_text_goes_up_to_the_first_line_with_less_indentation(text: str, least: int, kept: str, step: int) -> None:
    assert cut(text, least, step) == kept


@given(st.text(alphabet="ab \n", max_size=40), st.integers(0, 4), st.integers(1, 5))
def test_how_the_text_arrives_changes_nothing_and_what_is_kept_is_its_beginning(
    text: str, least: int, step: int
) -> None:
    kept = cut(text, least, step)
    assert kept == cut(text, least, 1000)
    assert text.startswith(kept)
    lines = [line for line in kept.split("\n")[1:] if line.strip()]
    assert all(len(line) - len(line.lstrip()) >= least for line in lines)


class Written:
    """A stream of given texts, one token each, that ends early when it is cancelled."""

    model = ModelIdentity("scripted", None)
    prompt_tokens = 1
    expected_wait_s = 0.0

    def __init__(self, *texts: str) -> None:
        self._texts = texts
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    async def __aiter__(self) -> AsyncIterator[Event]:
        for text in self._texts:
            if not self.cancelled:
                yield TextEvent(text, 1)
        reason = FinishReason.CANCELLED if self.cancelled else FinishReason.LENGTH
        yield EndEvent(reason, Timings(1, 0, len(self._texts), 0, 0, 0))


def read(stream: IndentedStream) -> tuple[str, int, FinishReason]:
    async def take() -> list[Event]:
        return [event async for event in stream]

    events = asyncio.run(take())
    texts = [event for event in events if isinstance(event, TextEvent)]
    end = events[-1]
    assert isinstance(end, EndEvent)
    return "".join(event.text for event in texts), sum(event.tokens for event in texts), end.reason


def test_the_stream_stops_the_model_at_the_cut_as_a_stop_string_does() -> None:
    written = Written("a\n", "    b\n", "c\n", "    d\n")
    assert read(IndentedStream(written, 4)) == ("a\n    b", 3, FinishReason.STOP)
    assert written.cancelled


def test_a_stream_that_is_not_cut_keeps_its_end() -> None:
    assert read(IndentedStream(Written("a\n", "    b\n"), 4)) == ("a\n    b\n", 2, FinishReason.LENGTH)
