import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.engine.engine import MOST_FAILURES, Engine
from assistant.engine.kv_store import MIB, KvStoreOptions
from assistant.engine.lane import EngineOptions
from assistant.engine.model import DecodeError
from assistant.engine.step_curve import StepCurve
from assistant.engine.types import (
    EngineError,
    EngineStoppedError,
    FinishReason,
    GenerateRequest,
    InvalidGrammarError,
    InvalidRequestError,
    ModelLoadError,
    Prefill,
    Priority,
    PromptTooLongError,
    Queued,
    QueueFullError,
    Token,
    TokenEvent,
    UnknownModelError,
)
from tests.engine.support import LINEAR, FakeModel, Receiver, alone, drain, fake_engine, request
from tests.fakes import FakeGrammar, answering, copying, mixed
from tests.servers import eventually

PROMPT = list(range(20, 40))
FLAT = StepCurve({1: 0.1, 2: 0.1, 4: 0.1, 8: 0.1, 16: 0.1, 32: 0.1}, 32, 0.1)


def fill_queue(engine: Engine) -> tuple[int, QueueFullError]:
    """Submit until the engine refuses; how many it took, and the refusal."""
    for n in range(1000):
        try:
            engine.submit(request(f"r{n}", [20], 100), Receiver())
        except QueueFullError as refusal:
            return n, refusal
    raise AssertionError("the queue has no bound")


def finish(engine: Engine, asked: GenerateRequest) -> Receiver:
    """Run one request to its end, waiting for saved prefixes to be read where need be."""
    receiver = Receiver()
    engine.submit(asked, receiver)
    while not receiver.finished:
        if not engine.step():
            time.sleep(0.001)
    return receiver


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


def test_an_answer_ends_where_the_context_is_full() -> None:
    model = FakeModel(n_ctx=64)
    with fake_engine(model) as engine:
        receiver = Receiver()
        engine.submit(request("r", [20] * 60, 100), receiver)
        drain(engine)
    assert len(receiver.tokens) == 4
    assert receiver.reason is FinishReason.LENGTH


@pytest.mark.parametrize(
    ("tokens", "error"),
    [
        ([], InvalidRequestError),
        ([-1], InvalidRequestError),
        ([9999], InvalidRequestError),
        ([20] * 64, PromptTooLongError),
    ],
)
def test_a_request_that_can_never_run_is_refused_at_once(tokens: list[int], error: type[EngineError]) -> None:
    with fake_engine(FakeModel()) as engine:
        with pytest.raises(error):
            engine.submit(request("r", tokens), Receiver())
        assert engine.stats().in_system == 0


def test_an_id_in_use_is_refused() -> None:
    with fake_engine(FakeModel()) as engine:
        engine.submit(request("r", PROMPT), Receiver())
        with pytest.raises(InvalidRequestError):
            engine.submit(request("r", PROMPT), Receiver())


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


def test_a_queued_request_can_be_cancelled() -> None:
    model = FakeModel()
    with fake_engine(model, EngineOptions(max_running=1)) as engine:
        first, second = Receiver(), Receiver()
        engine.submit(request("first", PROMPT, 20), first)
        engine.submit(request("second", PROMPT, 20), second)
        engine.step()
        engine.cancel("second")
        engine.step()
        assert second.reason is FinishReason.CANCELLED
        drain(engine)
    assert first.tokens == alone(PROMPT, 20, 64)


def test_waiting_requests_are_told_their_position_and_a_time() -> None:
    model = FakeModel()
    model.clock.advance(10)
    with fake_engine(model, EngineOptions(max_running=1)) as engine:
        receivers = [Receiver() for _ in range(3)]
        for n, receiver in enumerate(receivers):
            engine.submit(request(f"r{n}", [20 + n] * 5, 10), receiver)
        engine.step()
        queued = [[event for event in receiver.events if isinstance(event, Queued)] for receiver in receivers]
        assert [[event.position for event in events] for events in queued] == [[], [0], [1]]
        assert 0 < queued[1][0].eta_s < queued[2][0].eta_s


def test_the_queue_is_bounded_by_predicted_seconds() -> None:
    model = FakeModel(n_ctx=2048)
    with fake_engine(model, EngineOptions(max_running=1, queue_max_wait_s=3.0)) as engine:
        accepted, refusal = fill_queue(engine)
        assert refusal.retry_after_s >= 1.0
        assert 2 <= accepted < 20


def test_a_context_full_of_cells_makes_newcomers_wait_as_full_places_do() -> None:
    with fake_engine(FakeModel(n_ctx=64)) as engine:
        engine.submit(request("r", [20] * 40, 40), Receiver())
        assert engine.stats().predicted_wait_s == 0
        for _ in range(5):
            engine.step()
        assert engine.stats().predicted_wait_s > 0


def test_the_queue_is_bounded_by_count() -> None:
    with fake_engine(FakeModel(), EngineOptions(queue_max=3)) as engine:
        for n in range(3):
            engine.submit(request(f"r{n}", [20], 1), Receiver())
        with pytest.raises(QueueFullError):
            engine.submit(request("one more", [20], 1), Receiver())
        drain(engine)
        engine.submit(request("later", [20], 1), Receiver())


def test_a_full_queue_is_no_obstacle_to_autocomplete() -> None:
    with fake_engine(FakeModel(n_ctx=2048), EngineOptions(max_running=1, queue_max_wait_s=3.0)) as engine:
        fill_queue(engine)
        completion = Receiver()
        engine.submit(request("completion", [21], 4, priority=Priority.AUTOCOMPLETE), completion)
        for _ in range(6):
            engine.step()
        assert completion.reason is FinishReason.LENGTH


def test_when_cells_run_out_everybody_still_gets_the_whole_answer() -> None:
    model = FakeModel(n_ctx=64, n_seq_max=4)
    with fake_engine(model) as engine:
        prompts = {f"r{n}": [20 + n] * 10 for n in range(4)}
        receivers = {name: Receiver() for name in prompts}
        for name, tokens in prompts.items():
            engine.submit(request(name, tokens, 45), receivers[name])
        drain(engine)
        assert {name: receiver.tokens for name, receiver in receivers.items()} == {
            name: alone(tokens, 45, 64) for name, tokens in prompts.items()
        }


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


def test_wrong_guesses_leave_no_cells_behind() -> None:
    model = FakeModel(n_ctx=512, next_token=copying, row_s=0.0)
    engine = Engine(clock=model.clock)
    engine.add_model("a", model, FLAT)
    engine.activate("a")
    receiver = Receiver()
    engine.submit(request("r", PROMPT, 200), receiver)
    while not receiver.finished:
        engine.step()
        stats = engine.stats()
        assert model.cells_used == stats.kv_cells_used + stats.kv_cells_cached
    engine.close()
    assert receiver.tokens == alone(PROMPT, 200, 512, copying)
    assert stats.drafted_tokens > stats.accepted_tokens > 0


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


@pytest.mark.parametrize("ram", [0, MIB])
def test_a_conversation_that_returns_after_eviction_or_a_restart_is_not_read_again(tmp_path: Path, ram: int) -> None:
    long, other = list(range(20, 140)), [200] * 150
    tiers = KvStoreOptions(ram, MIB, tmp_path)
    for restarted in (False, True):
        model = FakeModel(n_ctx=200)
        engine = Engine(EngineOptions(kv_store=tiers), clock=model.clock)
        engine.add_model("a", model, StepCurve(LINEAR, model.n_batch, 0.16), fingerprint="weights")
        engine.activate("a")
        if not restarted:
            finish(engine, request("first", long, 4))
            finish(engine, request("other", other, 4))
        back = finish(engine, request("back", [*long, 99], 4))
        assert back.tokens == alone([*long, 99], 4, 200)
        assert back.finished is not None
        assert back.finished.timings.cached_tokens >= 119
        assert engine.stats().restored_tokens >= 119
        assert model.restores == 1
        engine.close()


def test_a_saved_prefix_that_cannot_be_restored_is_read_again(tmp_path: Path) -> None:
    model = FakeModel(n_ctx=200)
    engine = Engine(EngineOptions(kv_store=KvStoreOptions(ram_bytes=MIB)), clock=model.clock)
    engine.add_model("a", model, StepCurve(LINEAR, model.n_batch, 0.16))
    engine.activate("a")
    finish(engine, request("first", list(range(20, 140)), 4))
    finish(engine, request("other", [200] * 150, 4))
    model.restore = lambda seq_id, saved: False  # type: ignore[method-assign]
    back = finish(engine, request("back", [*range(20, 140), 99], 4))
    assert back.tokens == alone([*range(20, 140), 99], 4, 200)
    assert back.finished is not None
    assert back.finished.timings.cached_tokens == 0
    engine.close()


def test_an_idle_engine_writes_down_what_it_holds(tmp_path: Path) -> None:
    model = FakeModel(n_ctx=200)
    engine = Engine(EngineOptions(kv_store=KvStoreOptions(0, MIB, tmp_path)))
    engine.add_model("a", model, StepCurve(LINEAR, model.n_batch, 0.16))
    engine.activate("a")
    engine.start()
    receiver = Receiver()
    engine.submit(request("r", list(range(20, 140)), 4), receiver)
    eventually("it is written without being evicted", lambda: list(tmp_path.glob("*.kv")))
    assert engine.stats().kv_cells_cached > 0
    engine.close()


def test_no_room_in_the_model_although_the_ledger_had_some_costs_nobody_anything() -> None:
    model = FakeModel(n_ctx=256)
    with fake_engine(model) as engine:
        receivers = [Receiver() for _ in range(3)]
        for n, receiver in enumerate(receivers):
            engine.submit(request(f"r{n}", [20 + n] * 5, 10), receiver)
        engine.step()
        model.refusals = 2
        drain(engine)
    assert [receiver.tokens for receiver in receivers] == [alone([20 + n] * 5, 10, 256) for n in range(3)]


def test_a_request_for_which_there_is_never_room_ends_with_an_error() -> None:
    model = FakeModel()
    with fake_engine(model) as engine:
        receiver = Receiver()
        engine.submit(request("r", PROMPT, 5), receiver)
        model.refusals = 100
        drain(engine)
        assert receiver.reason is FinishReason.ERROR
        assert engine.stats().kv_cells_used == 0


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
