"""Requests side by side: what each gets, and when."""

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.engine.engine import Engine
from assistant.engine.lane import EngineOptions
from assistant.engine.step_curve import StepCurve
from assistant.engine.types import (
    EngineError,
    FinishReason,
    InvalidGrammarError,
    InvalidRequestError,
    ModelLoadError,
    Prefill,
    Token,
)
from tests.engine.support import LINEAR, FakeModel, Receiver, alone, drain, fake_engine, request
from tests.fakes import FakeGrammar, answering, mixed
from tests.servers import eventually

PROMPT = list(range(20, 40))
FLAT = StepCurve({1: 0.1, 2: 0.1, 4: 0.1, 8: 0.1, 16: 0.1, 32: 0.1}, 32, 0.1)


def test_requests_side_by_side_get_what_each_would_get_alone() -> None:
    model = FakeModel(n_ctx=256)
    with fake_engine(model) as engine:
        prompts = {f"r{n}": [20 + n] * (n + 1) for n in range(4)}
        receivers = {name: Receiver() for name in prompts}
        for name, tokens in prompts.items():
            engine.submit(request(name, tokens, 10), receivers[name])
        drain(engine)
    for name, tokens in prompts.items():
        assert receivers[name].tokens == alone(tokens, 10, 256)
        assert receivers[name].reason is FinishReason.LENGTH


def test_a_request_joins_while_another_is_running() -> None:
    model = FakeModel()
    with fake_engine(model) as engine:
        first, second = Receiver(), Receiver()
        engine.submit(request("first", [20], 10), first)
        for _ in range(3):
            engine.step()
        engine.submit(request("second", [21, 22], 3), second)
        engine.step()
        assert {span.seq_id for span in model.steps[-1]} == {0, 1}
        drain(engine)
    assert second.tokens == alone([21, 22], 3, 64)
    assert first.tokens == alone([20], 10, 64)


def test_a_stop_token_ends_the_request_and_is_not_emitted() -> None:
    model = FakeModel(next_token=answering("ok", len(PROMPT)))
    with fake_engine(model) as engine:
        receiver = Receiver()
        engine.submit(request("r", PROMPT, 30, stop=model.vocabulary.eog), receiver)
        drain(engine)
    assert b"".join(map(model.vocabulary.token_to_bytes, receiver.tokens)) == b"ok"
    assert receiver.reason is FinishReason.STOP


def test_timings_count_prompt_cached_and_written_tokens() -> None:
    model = FakeModel()
    with fake_engine(model) as engine:
        first, second = Receiver(), Receiver()
        engine.submit(request("first", PROMPT, 4), first)
        drain(engine)
        engine.submit(request("second", [*PROMPT, *first.tokens, 99], 2), second)
        drain(engine)
    assert second.finished is not None
    assert second.finished.timings.prompt_tokens == len(PROMPT) + 5
    assert second.finished.timings.cached_tokens == len(PROMPT) + 3
    assert second.finished.timings.completion_tokens == 2
    assert second.finished.timings.decode_s > 0


def test_a_prompt_is_read_in_chunks_and_each_is_told() -> None:
    model = FakeModel(n_ctx=256, n_batch=16)
    with fake_engine(model) as engine:
        receiver = Receiver()
        engine.submit(request("r", [20] * 40, 1), receiver)
        drain(engine)
    assert [event for event in receiver.events if isinstance(event, Prefill)] == [
        Prefill(16, 40),
        Prefill(32, 40),
        Prefill(40, 40),
    ]


def test_running_streams_get_a_token_in_every_step_while_a_long_prompt_is_read() -> None:
    model = FakeModel(n_ctx=512, n_batch=64)
    with fake_engine(model) as engine:
        stream, late = Receiver(), Receiver()
        engine.submit(request("stream", [20], 30), stream)
        engine.step()
        engine.submit(request("late", [21] * 100, 1), late)
        while not late.tokens:
            before = len(stream.tokens)
            engine.step()
            assert len(stream.tokens) == before + 1
            assert sum(len(span.tokens) for span in model.steps[-1]) <= 16


def test_max_tokens_zero_only_warms_the_cache() -> None:
    model = FakeModel()
    with fake_engine(model) as engine:
        receiver = Receiver()
        engine.submit(request("r", PROMPT, 0), receiver)
        drain(engine)
        assert receiver.tokens == []
        assert receiver.reason is FinishReason.LENGTH
        assert engine.stats().kv_cells_cached == len(PROMPT)


def test_a_cancelled_request_frees_its_sequence_within_one_step() -> None:
    model = FakeModel()
    with fake_engine(model) as engine:
        receiver = Receiver()
        engine.submit(request("r", PROMPT, 30), receiver)
        engine.step()
        engine.step()
        assert engine.cancel("r")
        engine.step()
        assert receiver.reason is FinishReason.CANCELLED
        assert engine.stats().kv_cells_used == 0
        assert model.open_samplers == 0
        assert not engine.cancel("r")


def test_guesses_that_are_right_save_steps_and_change_nothing() -> None:
    steps = {}
    for speculation in (True, False):
        model = FakeModel(n_ctx=512, next_token=lambda tokens: tokens[-8], row_s=0.0)
        engine = Engine(EngineOptions(speculation=speculation), clock=model.clock)
        engine.add_model("a", model, FLAT)
        engine.activate("a")
        receiver = Receiver()
        engine.submit(request("r", PROMPT, 100), receiver)
        drain(engine)
        assert receiver.tokens == alone(PROMPT, 100, 512, lambda tokens: tokens[-8])
        steps[speculation] = len(model.steps)
        assert receiver.finished is not None
        timings, stats = receiver.finished.timings, engine.stats()
        assert (timings.accepted_tokens > 50) == speculation
        assert (stats.drafted_tokens, stats.accepted_tokens) == (timings.drafted_tokens, timings.accepted_tokens)
        assert timings.completion_tokens == 100
        engine.close()
    assert steps[True] * 2 < steps[False]


def test_a_grammar_decides_what_is_written_and_one_that_cannot_be_met_ends_the_request() -> None:
    model = FakeModel(n_ctx=256)
    with fake_engine(model) as engine:
        met = Receiver()
        engine.submit(replace(request("met", PROMPT, 30, stop=model.vocabulary.eog), grammar="yes"), met)
        unmet = Receiver()
        engine.submit(replace(request("unmet", PROMPT, 30), grammar="no"), unmet)
        with pytest.raises(InvalidGrammarError):
            engine.submit(replace(request("bad", PROMPT), grammar=""), Receiver())
        drain(engine)
    assert b"".join(map(model.vocabulary.token_to_bytes, met.tokens)) == b"yes"
    assert met.reason is FinishReason.STOP
    assert unmet.reason is FinishReason.UNMET
    assert unmet.finished is not None
    assert "allowed" in str(unmet.finished.error)
    assert FakeGrammar.open_grammars == 0


def test_a_refused_or_cancelled_request_lets_go_of_its_grammar() -> None:
    model = FakeModel(n_ctx=64)
    with fake_engine(model) as engine:
        engine.submit(replace(request("r", PROMPT), grammar="x"), Receiver())
        with pytest.raises(InvalidRequestError):
            engine.submit(replace(request("r", PROMPT), grammar="x"), Receiver())
        engine.cancel("r")
        drain(engine)
        assert FakeGrammar.open_grammars == 0


def test_logprobs_come_with_each_token_when_asked_for() -> None:
    model = FakeModel(n_ctx=64)
    with fake_engine(model) as engine:
        receiver, plain = Receiver(), Receiver()
        engine.submit(replace(request("r", PROMPT, 2), logprobs=2), receiver)
        engine.submit(request("plain", PROMPT, 2), plain)
        drain(engine)
    tokens = [event for event in receiver.events if isinstance(event, Token)]
    assert [(event.logprob, event.top[0]) for event in tokens] == [(-0.5, (event.id, -0.5)) for event in tokens]
    assert all(len(event.top) == 2 for event in tokens)
    assert all(event.logprob is None for event in plain.events if isinstance(event, Token))


def test_requests_with_and_without_an_adapter_take_turns_and_never_share(tmp_path: Path) -> None:
    file = tmp_path / "adapter.gguf"
    file.touch()
    model = FakeModel(n_ctx=512)
    engine = Engine(clock=model.clock)
    engine.add_model("a", model, StepCurve(LINEAR, model.n_batch, 0.16))
    engine.activate("a")
    engine.start()
    with pytest.raises(InvalidRequestError):
        engine.submit(request("early", PROMPT, adapter="tuned"), Receiver())
    with pytest.raises(ModelLoadError):
        engine.add_adapter("a", "tuned", tmp_path / "missing.gguf")
    engine.add_adapter("a", "tuned", file)
    base, tuned = Receiver(), Receiver()
    engine.submit(request("base", PROMPT, 40), base)
    engine.submit(request("tuned", PROMPT, 40, adapter="tuned"), tuned)
    with pytest.raises(EngineError):
        engine.remove_adapter("a", "tuned")
    eventually("both end", lambda: base.finished and tuned.finished)
    engine.remove_adapter("a", "tuned")
    assert model.adapters == set()
    engine.close()
    assert base.tokens == alone(PROMPT, 40, 512)
    assert tuned.tokens == alone(PROMPT, 40, 512, lambda tokens: mixed([len("tuned"), *tokens]))
    assert tuned.finished is not None
    assert tuned.finished.timings.cached_tokens == 0
