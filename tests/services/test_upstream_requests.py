"""What the upstream engine sends, in the words that each server understands."""

from typing import Any

import pytest

from assistant.engine.types import FinishReason, Sampling
from assistant.errors import InvalidRequestError, ModelNotFoundError
from assistant.services.generators.types import (
    ChatPrompt,
    EndEvent,
    GrammarFormat,
    InfillPrompt,
    JsonFormat,
    TextPrompt,
    TokenPrompt,
    Tool,
    ToolUse,
)
from assistant.services.generators.upstream import UpstreamGenerator
from codellama_core.prompt import ChatMessage, ContextFile
from tests.services.fake_upstream import MODELS, Behaviour, Exchange, FakeUpstream, refusing, well
from tests.services.upstream import drained, owned_by, refused_with, request, run, sent_for


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


def test_an_answer_that_goes_on_is_the_last_message_where_the_server_goes_on_with_it() -> None:
    prompt = ChatPrompt((ChatMessage("user", "Hello?"),), "Hell")
    messages = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hell"}]
    assert sent_for(prompt=prompt, models=owned_by("llamacpp"))["messages"] == messages
    body = sent_for(prompt=prompt, models=owned_by("vllm"))
    told = {"messages": messages, "continue_final_message": True, "add_generation_prompt": False}
    assert {name: body[name] for name in told} == told
    assert "go on" in refused_with(well, InvalidRequestError, prompt=prompt).message


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


def test_every_model_in_the_list_may_be_asked_for_unless_one_is_configured() -> None:
    models = {"data": [{"id": "first"}, {"id": "/models/second.gguf"}]}

    async def all_of_them(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        await drained(await generator.start(request(model="second.gguf")))
        assert [(each.name, each.alias) for each in generator.models] == [("first", "champion"), ("second.gguf", None)]
        assert upstream.exchanges[0].body["model"] == "/models/second.gguf"

    async def only_one(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        with pytest.raises(ModelNotFoundError):
            await generator.start(request(model="first"))

    run(all_of_them, FakeUpstream(well, models=models))
    run(only_one, FakeUpstream(well, models=models), model="/models/second.gguf")


def test_a_grammar_is_refused_where_the_server_would_ignore_it() -> None:
    error = refused_with(well, InvalidRequestError, format=GrammarFormat('root ::= "a"'))
    assert error.param == "grammar"


def test_lone_surrogates_reach_the_server_as_json_escapes() -> None:
    assert sent_for(prompt=TextPrompt("\ud800"))["prompt"] == "\ud800"


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


def test_only_the_servers_model_may_be_asked_for() -> None:
    async def test(upstream: FakeUpstream, generator: UpstreamGenerator) -> None:
        for name in (None, "", "default", "champion", "fake"):
            await drained(await generator.start(request(model=name)))
        for name in ("challenger", "gpt-9"):
            with pytest.raises(ModelNotFoundError, match="'fake' may be asked for"):
                await generator.start(request(model=name))

    run(test, FakeUpstream(well))
