"""The upstream engine against a server that misbehaves in every way we could think of."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from assistant.engine.types import FinishReason, Priority, Sampling
from assistant.errors import AssistantError, BusyError, InvalidRequestError, ModelNotFoundError
from assistant.services.generators.pieces import PieceStream
from assistant.services.generators.streams import MOST_UNREAD, TOO_SLOW
from assistant.services.generators.types import (
    ChatPrompt,
    EndEvent,
    GrammarFormat,
    InfillPrompt,
    JsonFormat,
    QueuedEvent,
    ReadingEvent,
    TextEvent,
    TextPrompt,
    TextRequest,
    TokenPrompt,
    Tool,
    ToolUse,
)
from assistant.services.generators.upstream import UpstreamGenerator, UpstreamOptions
from assistant.services.generators.upstream_errors import (
    UpstreamError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from codellama_core.prompt import ChatMessage, ContextFile
from tests.services.fake_upstream import MODELS, Behaviour, Exchange, FakeUpstream, refusing, well

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


def test_the_key_goes_along() -> None:
    upstream = FakeUpstream(well)

    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        await drained(await generator.start(request()))

    run(test, upstream, api_key="secret")
    assert upstream.exchanges[0].headers["authorization"] == "Bearer secret"


def test_a_chat_is_sent_in_openais_words_and_neutral_samplers_are_left_out() -> None:
    assert sent_for(stop=("END",)) == {
        "path": "/v1/chat/completions",
        "model": "fake",
        "messages": [{"role": "user", "content": "Hello?"}],
        "temperature": 0.0,
        "top_p": 1.0,
        "max_tokens": 8,
        "stop": ["END"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("owner", "sent"),
    [
        ("somebody", {"top_k": 5, "min_p": 0.1, "repeat_penalty": 1.1}),
        ("llamacpp", {"top_k": 5, "min_p": 0.1, "repeat_penalty": 1.1}),
        ("vllm", {"top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1}),
    ],
)
def test_samplers_are_named_as_the_server_names_them(owner: str, sent: dict[str, float]) -> None:
    sampling = Sampling(0.5, 0.9, 5, 0.1, 1.1, seed=3, logit_bias=((4, -1.0),), presence_penalty=0.5)
    body = sent_for(sampling=sampling, models=owned_by(owner))
    assert {key: body[key] for key in sent} == sent
    assert (body["top_p"], body["seed"], body["logit_bias"], body["presence_penalty"]) == (0.9, 3, {"4": -1.0}, 0.5)
    assert ("repeat_penalty" in body) != ("repetition_penalty" in body)


def test_servers_with_samplers_of_their_own_are_told_to_leave_them_off() -> None:
    body = sent_for(models=owned_by("llamacpp"))
    assert (body["top_k"], body["min_p"], body["top_p"]) == (0, 0.0, 1.0)


def test_texts_and_token_ids_are_continued() -> None:
    assert sent_for(prompt=TextPrompt("def f("))["prompt"] == "def f("
    assert sent_for(prompt=TokenPrompt((1, 2)))["prompt"] == [1, 2]
    assert sent_for(prompt=TextPrompt("x"))["path"] == "/v1/completions"


def test_formats_and_tools_are_sent_in_openais_shape() -> None:
    schema = {"type": "object"}
    assert sent_for(format=JsonFormat())["response_format"] == {"type": "json_object"}
    assert sent_for(format=JsonFormat(schema))["response_format"]["json_schema"]["schema"] == schema
    use = ToolUse((Tool("look", "Looks.", schema),), "required", "look")
    body = sent_for(format=use)
    assert body["tools"] == [
        {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": schema}}
    ]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert sent_for(format=ToolUse(use.tools))["tool_choice"] == "auto"
    assert sent_for(format=GrammarFormat('root ::= "a"'), models=owned_by("llamacpp"))["grammar"] == 'root ::= "a"'


def test_llama_servers_texts_take_a_schema_under_its_own_name() -> None:
    for format, sent in ((JsonFormat(), {"type": "object"}), (JsonFormat({"type": "array"}), {"type": "array"})):
        body = sent_for(prompt=TextPrompt("x"), format=format, models=owned_by("llamacpp"))
        assert (body["json_schema"], "response_format" in body) == (sent, False)
    assert sent_for(prompt=TextPrompt("x"), format=JsonFormat())["response_format"] == {"type": "json_object"}


def test_what_cannot_be_asked_for_outside_chats_is_refused_by_name() -> None:
    use = ToolUse((Tool("look"),))
    assert refused_with(well, InvalidRequestError, prompt=TextPrompt("x"), format=use).param == "tools"
    fill = InfillPrompt("a", "b")
    error = refused_with(infill, InvalidRequestError, prompt=fill, logprobs=1, models=owned_by("llamacpp"))
    assert error.param == "logprobs"


def test_a_model_named_by_its_path_is_shown_without_it() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        stream = await generator.start(request(model="codellama.gguf"))
        assert stream.model.name == "codellama.gguf"
        await drained(stream)
        assert upstream.exchanges[0].body["model"] == "/models/codellama.gguf"

    run(test, FakeUpstream(well, models={"data": [{"id": "/models/codellama.gguf"}]}))


def test_a_grammar_is_refused_where_the_server_would_ignore_it() -> None:
    error = refused_with(well, InvalidRequestError, format=GrammarFormat('root ::= "a"'))
    assert error.param == "grammar"


def test_lone_surrogates_reach_the_server_as_json_escapes() -> None:
    assert sent_for(prompt=TextPrompt("\ud800"))["prompt"] == "\ud800"


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


@pytest.mark.parametrize("use", [ToolUse((Tool("look"),), "required"), ToolUse((Tool("look"),), named="look")])
def test_a_server_that_does_not_call_where_it_must_has_failed(use: ToolUse) -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        _, end = await drained(await generator.start(request(format=use)))
        assert end.reason is FinishReason.ERROR
        assert "called no function" in str(end.error)
        assert (await drained(await generator.start(request(format=ToolUse(use.tools)))))[1].error is None

    run(test, FakeUpstream(well))


def fills(*behaviours: Behaviour, models: Any = MODELS) -> tuple[list[str], str, EndEvent]:
    """Fill in twice; the calls that were made, the second text and its end."""
    upstream, results = FakeUpstream(*behaviours, models=models), []

    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        for _ in range(2):
            results.append(await drained(await generator.start(request(prompt=InfillPrompt("a = ", "\nb")))))

    run(test, upstream)
    return [exchange.path for exchange in upstream.exchanges], *results[-1]


async def infill(exchange: Exchange) -> None:
    assert exchange.path == "/infill", exchange.path
    assert (exchange.body["input_prefix"], exchange.body["input_suffix"]) == ("a = ", "\nb")
    assert exchange.body["n_predict"] == 8
    await exchange.accept()
    await exchange.event(content="1", stop=False)
    await exchange.event(content="", stop=True, stop_type="limit", tokens_evaluated=9, tokens_predicted=1)


def test_filling_in_uses_suffix_where_the_server_takes_it() -> None:
    assert fills(well)[:2] == (["/v1/completions"] * 2, "Hello there")


def test_filling_in_goes_to_infill_where_suffix_is_refused_and_remembers_it() -> None:
    suffix = refusing(400, {"error": {"message": "suffix is not currently supported", "type": "BadRequestError"}})
    paths, text, end = fills(suffix, infill)
    assert paths == ["/v1/completions", "/infill", "/infill"]
    assert (text, end.reason, end.timings.prompt_tokens) == ("1", FinishReason.LENGTH, 9)


def test_llama_server_which_ignores_suffix_is_not_asked_with_it() -> None:
    assert fills(infill, models=owned_by("llamacpp"))[0] == ["/infill"] * 2


def test_where_neither_way_to_fill_in_works_the_request_is_refused_by_name() -> None:
    upstream = FakeUpstream(refusing(400, {"error": {"message": "no suffix", "param": "suffix"}}), refusing(404))

    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        with pytest.raises(InvalidRequestError, match="neither 'suffix' nor") as info:
            await generator.start(request(prompt=InfillPrompt("a", "b")))
        assert info.value.param == "suffix"

    run(test, upstream)


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


async def hangs(exchange: Exchange) -> None:
    await exchange.hung_up.wait()


async def hangs_after_a_word(exchange: Exchange) -> None:
    await exchange.accept()
    await exchange.write("Hel")
    await exchange.hung_up.wait()


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


def test_no_tokens_at_all_is_a_way_to_warm_the_servers_cache() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        text, end = await drained(await generator.start(request(max_tokens=0)))
        assert (text, end.reason, end.timings.completion_tokens) == ("", FinishReason.LENGTH, 0)
        assert upstream.exchanges[0].body["max_tokens"] == 1

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


def test_code_from_elsewhere_goes_along_when_filling_in() -> None:
    prompt = InfillPrompt("a = ", "\nb", (ContextFile("c = 1\n", "c.py"),))
    body = sent_for(prompt=prompt)
    assert "c = 1" in body["prompt"]
    assert body["prompt"].endswith("a = ")

    async def native(exchange: Exchange) -> None:
        assert exchange.body["input_extra"] == [{"filename": "c.py", "text": "c = 1\n"}]
        await infill(exchange)

    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        assert (await drained(await generator.start(request(prompt=prompt))))[0] == "1"

    run(test, FakeUpstream(native, models=owned_by("llamacpp")))


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


def test_only_the_servers_model_may_be_asked_for() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        for name in (None, "", "default", "champion", "fake"):
            await drained(await generator.start(request(model=name)))
        for name in ("challenger", "gpt-9"):
            with pytest.raises(ModelNotFoundError, match="'fake' may be asked for"):
                await generator.start(request(model=name))

    run(test, FakeUpstream(well))


@pytest.mark.parametrize("models", [{"data": "none"}, [], {"data": []}])
def test_a_server_without_a_model_is_not_ready(models: Any) -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        assert await generator.problem() is not None
        with pytest.raises(UpstreamUnavailableError):
            await generator.start(request())

    run(test, FakeUpstream(well, models=models))
