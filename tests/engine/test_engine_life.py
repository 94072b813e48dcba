"""Steps that fail, models that come and go, and the engine's own end."""

import os
import threading

import pytest

from assistant.engine.engine import MOST_FAILURES, NICE, Engine
from assistant.engine.model import DecodeError
from assistant.engine.step_curve import StepCurve
from assistant.engine.types import (
    EngineError,
    EngineStoppedError,
    FinishReason,
    Token,
    TokenEvent,
    UnknownModelError,
)
from tests.engine.support import LINEAR, FakeModel, Receiver, alone, drain, fake_engine, request
from tests.fakes import answering

PROMPT = list(range(20, 40))


def test_a_failed_step_ends_its_requests_and_the_engine_goes_on() -> None:
    model = FakeModel()
    with fake_engine(model) as engine:
        failed, later = Receiver(), Receiver()
        engine.submit(request("failed", PROMPT, 10), failed)
        engine.step()
        model.errors.append(DecodeError("out of luck"))
        engine.step()
        assert failed.finished is not None
        assert failed.reason is FinishReason.ERROR
        assert "out of luck" in (failed.finished.error or "")
        engine.submit(request("later", PROMPT, 3), later)
        drain(engine)
        assert later.tokens == alone(PROMPT, 3, 64)


def test_a_failed_step_is_tried_again_one_by_one_and_only_the_guilty_request_fails() -> None:
    model = FakeModel(n_ctx=256)
    model.poison = {99}
    with fake_engine(model) as engine:
        receivers = {name: Receiver() for name in ("good", "bad", "other")}
        for name, tokens in (("good", [20, 21]), ("bad", [22, 99]), ("other", [23])):
            engine.submit(request(name, tokens, 10), receivers[name])
        drain(engine)
    assert {name: each.reason for name, each in receivers.items()} == {
        "good": FinishReason.LENGTH, "bad": FinishReason.ERROR, "other": FinishReason.LENGTH,
    }  # fmt: skip
    assert receivers["good"].tokens == alone([20, 21], 10, 256)
    assert receivers["other"].tokens == alone([23], 10, 256)


@pytest.mark.parametrize("code", [2, -3])
def test_a_decode_that_fails_once_costs_nobody_anything(code: int) -> None:
    model = FakeModel(n_ctx=256)
    with fake_engine(model) as engine:
        first, second = Receiver(), Receiver()
        engine.submit(request("first", [20], 10), first)
        engine.submit(request("second", [21], 10), second)
        engine.step()
        model.errors = [DecodeError(f"code {code}")]
        drain(engine)
    assert first.tokens == alone([20], 10, 256)
    assert second.tokens == alone([21], 10, 256)


def test_a_receiver_that_raises_is_cancelled_and_hurts_nobody_else() -> None:
    model = FakeModel()
    with fake_engine(model) as engine:
        good = Receiver()

        def broken(event: TokenEvent) -> None:
            if isinstance(event, Token):
                raise ValueError("closed")

        engine.submit(request("bad", [20], 50), broken)
        engine.submit(request("good", [21], 5), good)
        drain(engine)
        assert good.tokens == alone([21], 5, 64)
        assert engine.stats().cancelled == 1


def test_a_model_is_swapped_under_traffic_without_dropping_anything() -> None:
    old = FakeModel()
    new = FakeModel(clock=old.clock, next_token=answering("new", 1))
    with fake_engine(old) as engine:
        before, after = Receiver(), Receiver()
        engine.submit(request("before", PROMPT, 20), before)
        engine.step()
        engine.add_model("b", new)
        engine.activate("b")
        freed = engine.retire("a")
        engine.submit(request("after", [30], 3), after)
        with pytest.raises(UnknownModelError):
            engine.submit(request("too late", [30], 3), Receiver(), "a")
        assert not freed.is_set()
        drain(engine)
        assert freed.is_set()
        assert old.closed
        assert not new.closed
        assert before.tokens == alone(PROMPT, 20, 64)
        assert b"".join(map(new.vocabulary.token_to_bytes, after.tokens)) == b"new"
        assert engine.stats().models == ("b",)


def test_the_active_model_cannot_be_retired() -> None:
    with fake_engine(FakeModel()) as engine, pytest.raises(EngineError):
        engine.retire("a")


def test_closing_ends_every_request_with_an_error_and_frees_the_model() -> None:
    model = FakeModel()
    receivers = [Receiver(), Receiver()]
    with fake_engine(model) as engine:
        engine.submit(request("running", PROMPT, 30), receivers[0])
        engine.step()
        engine.submit(request("inbox", PROMPT, 30), receivers[1])
    assert [receiver.reason for receiver in receivers] == [FinishReason.ERROR] * 2
    assert model.closed
    with pytest.raises(EngineStoppedError):
        engine.submit(request("late", PROMPT), Receiver())


def test_the_thread_serves_from_many_threads_and_beats() -> None:
    model = FakeModel(n_ctx=512, n_seq_max=8)
    engine = Engine(clock=model.clock)
    engine.add_model("a", model, StepCurve(LINEAR, 32))
    engine.activate("a")
    engine.start()
    done = [threading.Event() for _ in range(20)]
    receivers = [Receiver() for _ in done]

    def emit(n: int, event: TokenEvent) -> None:
        receivers[n](event)
        if receivers[n].finished:
            done[n].set()

    def submit(n: int) -> None:
        engine.submit(request(f"r{n}", [20 + n] * 3, 7), lambda event: emit(n, event))

    threads = [threading.Thread(target=submit, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(event.wait(30) for event in done)
    assert [receiver.tokens for receiver in receivers] == [alone([20 + n] * 3, 7, 512) for n in range(20)]
    assert engine.heartbeat > 0
    engine.close()
    assert model.closed


def test_the_thread_that_computes_stands_back_behind_those_that_answer() -> None:
    priorities: list[int] = []
    done = threading.Event()

    def emit(event: TokenEvent) -> None:
        priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        done.set()

    before = os.getpriority(os.PRIO_PROCESS, 0)
    engine = Engine()
    engine.add_model("a", FakeModel(), StepCurve(LINEAR, 32))
    engine.activate("a")
    engine.start()
    engine.submit(request("r", PROMPT, 2), emit)
    assert done.wait(30)
    engine.close()
    assert set(priorities) == {min(before + NICE, 19)}
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


def test_an_engine_whose_every_step_fails_gives_up_and_says_so() -> None:
    model = FakeModel()
    model.errors = [DecodeError("broken")] * MOST_FAILURES
    engine = Engine(clock=model.clock)
    engine.add_model("a", model, StepCurve(LINEAR, 32))
    engine.activate("a")
    for n in range(MOST_FAILURES - 1):
        engine.submit(request(f"r{n}", [20], 5), Receiver())
        engine.step()
    done = threading.Event()
    engine.submit(request("last", [20], 5), lambda event: done.set())
    engine.start()
    assert done.wait(30)
    engine.close()
    assert not engine.running
    with pytest.raises(EngineStoppedError):
        engine.submit(request("late", [20]), Receiver())


def test_the_step_curve_is_measured_when_the_first_model_comes() -> None:
    model = FakeModel(n_ctx=256)
    engine = Engine(clock=model.clock)
    engine.add_model("a", model)
    engine.activate("a")
    assert model.steps
    assert model.cells_used == 0
    receiver = Receiver()
    engine.submit(request("r", PROMPT, 5), receiver)
    drain(engine)
    engine.close()
    assert receiver.tokens == alone(PROMPT, 5, 256)
