"""What becomes of KV cells: full, evicted, saved and brought back."""

import time
from pathlib import Path

import pytest

from assistant.engine.engine import Engine
from assistant.engine.kv_store import MIB, KvStoreOptions
from assistant.engine.lane import EngineOptions
from assistant.engine.model import KvCosts
from assistant.engine.prefix_cache import PATIENCE
from assistant.engine.step_curve import StepCurve
from assistant.engine.types import (
    FinishReason,
    GenerateRequest,
)
from tests.engine.support import LINEAR, FakeModel, Receiver, alone, drain, fake_engine, request
from tests.fakes import copying
from tests.servers import eventually

PROMPT = list(range(20, 40))
FLAT = StepCurve({1: 0.1, 2: 0.1, 4: 0.1, 8: 0.1, 16: 0.1, 32: 0.1}, 32, 0.1)


def finish(engine: Engine, asked: GenerateRequest) -> Receiver:
    """Run one request to its end, waiting for saved prefixes to be read where need be."""
    receiver = Receiver()
    engine.submit(asked, receiver)
    while not receiver.finished:
        if not engine.step():
            time.sleep(0.001)
    return receiver


def test_an_answer_ends_where_the_context_is_full() -> None:
    model = FakeModel(n_ctx=64)
    with fake_engine(model) as engine:
        receiver = Receiver()
        engine.submit(request("r", [20] * 60, 100), receiver)
        drain(engine)
    assert len(receiver.tokens) == 4
    assert receiver.reason is FinishReason.LENGTH


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


def test_where_idle_cells_make_steps_slower_they_leave_while_somebody_computes() -> None:
    model = FakeModel(n_ctx=800, kv_costs=KvCosts(held=0.001, moved=0.001))
    prompts = [[first, *range(1, 151)] for first in range(100, 103)]
    with fake_engine(model, EngineOptions(kv_store=KvStoreOptions(ram_bytes=10_000))) as engine:
        for number, prompt in enumerate(prompts):
            engine.submit(request(f"r{number}", prompt, 2), Receiver())
            drain(engine)
        assert engine.stats().kv_cells_cached > 200, "an engine with nothing to do has no reason to save anything"
        engine.submit(request("other", [200, *range(1, 100)], 60), Receiver())
        for _ in range(PATIENCE - 1):
            engine.step()
        assert engine.stats().kv_cells_cached >= len(prompts[-1]), "whoever comes back soon finds everything"
        for _ in range(len(prompts) + 1):
            engine.step()
        assert engine.stats().kv_cells_cached == 0
        drain(engine)
        again = Receiver()
        engine.submit(request("again", prompts[0], 2), again)
        drain(engine)
        assert engine.stats().restored_tokens == len(prompts[0]) - 1


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
