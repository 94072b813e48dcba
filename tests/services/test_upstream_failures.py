"""The upstream engine against a server that misbehaves in every way we could think of."""

from typing import Any

import pytest

from assistant.engine.types import FinishReason
from assistant.errors import AssistantError, BusyError, InvalidRequestError
from assistant.services.generators.types import (
    Tool,
    ToolUse,
)
from assistant.services.generators.upstream import UpstreamGenerator, UpstreamOptions
from assistant.services.generators.upstream_errors import (
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from tests.services.fake_upstream import Behaviour, Exchange, FakeUpstream, refusing, well
from tests.services.upstream import drained, hangs, hangs_after_a_word, refused_with, request, run


@pytest.mark.parametrize("use", [ToolUse((Tool("look"),), "required"), ToolUse((Tool("look"),), named="look")])
def test_a_server_that_does_not_call_where_it_must_has_failed(use: ToolUse) -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        _, end = await drained(await generator.start(request(format=use)))
        assert end.reason is FinishReason.ERROR
        assert "called no function" in str(end.error)
        assert (await drained(await generator.start(request(format=ToolUse(use.tools)))))[1].error is None

    run(test, FakeUpstream(well))


def test_a_refused_parameter_is_passed_on_by_name() -> None:
    named = {"error": {"message": "temperature is too hot", "param": "temperature"}}
    error = refused_with(refusing(400, named), InvalidRequestError)
    assert (error.status, error.param) == (400, "temperature")
    assert "too hot" in error.message
    unnamed = {"error": {"message": "Unrecognized request argument supplied: max_tokens"}}
    assert refused_with(refusing(422, unnamed), InvalidRequestError).param == "max_tokens"
    quoted = {"error": "'stop' is not for this model"}
    assert refused_with(refusing(400, quoted), InvalidRequestError, stop=("x",)).param == "stop"


def test_a_prompt_that_is_too_long_for_the_server_says_so() -> None:
    for said in ({"message": "too long", "type": "exceed_context_size_error"}, {"code": "context_length_exceeded"}):
        assert refused_with(refusing(400, {"error": said}), InvalidRequestError).code == "context_length_exceeded"


@pytest.mark.parametrize(("value", "seconds"), [("17", 17), ("Wed, 21 Oct 2015 07:28:09 GMT", 9), ("", 5)])
def test_a_full_servers_time_to_come_back_is_passed_on(value: str, seconds: int) -> None:
    full = refusing(429, Retry_After=value, Date="Wed, 21 Oct 2015 07:28:00 GMT")
    error = refused_with(full, BusyError)
    assert (error.status, error.headers["Retry-After"]) == (429, str(seconds))


@pytest.mark.parametrize(("status", "seen"), [(500, 502), (401, 503), (403, 503), (404, 503), (302, 502)])
def test_failures_of_the_server_show_nothing_of_its_inside(status: int, seen: int) -> None:
    error = refused_with(refusing(status), AssistantError)
    assert error.status == seen
    assert "inside" not in error.message


@pytest.mark.parametrize("status", [502, 503])
def test_a_server_that_is_away_for_a_moment_is_asked_again(status: int) -> None:
    upstream = FakeUpstream(refusing(status), refusing(status), well)

    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        assert (await drained(await generator.start(request())))[0] == "Hello there"
        assert len(upstream.exchanges) == 3

    run(test, upstream)


def test_a_server_that_stays_away_is_a_503_with_its_own_time_to_come_back() -> None:
    error = refused_with(refusing(503, Retry_After="40"), UpstreamUnavailableError)
    assert (error.status, error.headers["Retry-After"]) == (503, "40")


def test_nobody_listening_is_a_503_and_not_ready() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        away = UpstreamGenerator(UpstreamOptions("http://127.0.0.1:1/v1/", model="m"))
        with pytest.raises(UpstreamUnavailableError, match="cannot be reached"):
            await away.start(request())
        assert "does not answer" in str(await away.problem())
        await away.close()

    run(test, FakeUpstream(well))


def test_a_death_before_the_first_token_is_tried_again_and_one_after_it_keeps_the_text() -> None:
    async def dies_early(exchange: Exchange) -> None:
        await exchange.accept()

    async def dies_late(exchange: Exchange) -> None:
        await exchange.accept()
        await exchange.write("Hel")

    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        assert (await drained(await generator.start(request())))[0] == "Hello there"
        text, end = await drained(await generator.start(request()))
        assert (text, end.reason) == ("Hel", FinishReason.ERROR)
        assert "broke off" in str(end.error)
        assert len(upstream.exchanges) == 3

    run(test, FakeUpstream(dies_early, well, dies_late))


def test_a_server_that_hangs_before_the_first_token_is_given_up() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        with pytest.raises(UpstreamTimeoutError):
            await generator.start(request())
        await upstream.exchanges[0].hung_up.wait()
        assert len(upstream.exchanges) == 1

    run(test, FakeUpstream(hangs), first_token_s=0.2)


def test_a_server_that_falls_silent_in_the_middle_is_given_up_and_the_text_is_kept() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        text, end = await drained(await generator.start(request()))
        assert (text, end.reason) == ("Hel", FinishReason.ERROR)
        assert "sent nothing" in str(end.error)

    run(test, FakeUpstream(hangs_after_a_word), first_token_s=0.3)


def test_an_answer_that_takes_too_long_ends_as_at_its_limit() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        text, end = await drained(await generator.start(request()))
        assert (text, end.reason) == ("Hel", FinishReason.LENGTH)
        await upstream.exchanges[0].hung_up.wait()

    run(test, FakeUpstream(hangs_after_a_word), max_seconds=0.3)


async def garbage(exchange: Exchange) -> None:
    await exchange.accept()
    await exchange.send("data: {not json\n\n")


async def nonsense(exchange: Exchange) -> None:
    await exchange.accept()
    await exchange.event(choices="many")


async def deep(exchange: Exchange) -> None:
    await exchange.accept()
    await exchange.send("data: " + "[" * 100_000 + "\n\n")


async def a_huge_line(exchange: Exchange) -> None:
    await exchange.accept()
    await exchange.send(b"data: " + b"x" * 3_000_000)
    await exchange.hung_up.wait()


async def an_error_in_the_stream(exchange: Exchange) -> None:
    await exchange.accept()
    await exchange.event(error={"message": "the inside of the server", "code": 500})


@pytest.mark.parametrize("behaviour", [garbage, nonsense, deep, a_huge_line, an_error_in_the_stream])
def test_what_is_no_stream_ends_with_an_error_of_ours(behaviour: Behaviour) -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        try:
            _, end = await drained(await generator.start(request()))
            assert end.reason is FinishReason.ERROR
            shown = str(end.error)
        except UpstreamError as error:
            shown = error.message
        assert "upstream server" in shown
        assert "inside" not in shown
        await upstream.exchanges[0].hung_up.wait()

    run(test, FakeUpstream(behaviour))


@pytest.mark.parametrize("models", [{"data": "none"}, [], {"data": []}])
def test_a_server_without_a_model_is_not_ready(models: Any) -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        assert await generator.problem() is not None
        with pytest.raises(UpstreamUnavailableError):
            await generator.start(request())

    run(test, FakeUpstream(well, models=models))


def test_a_refusal_after_a_wait_in_the_queue_is_the_error_of_the_answer() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        running = await generator.start(request())
        waiting = await generator.start(request())
        running.cancel()
        await drained(running)
        failure = (await drained(waiting))[1].failure
        assert isinstance(failure, BusyError)
        assert failure.headers["Retry-After"] == "17"

    run(test, FakeUpstream(hangs, refusing(429, Retry_After="17")), slots=1)
