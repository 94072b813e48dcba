"""What the engine says of a prompt before it comes is what the prompt then meets with."""

from pathlib import Path

import pytest

from assistant.engine.kv_store import KvStoreOptions
from assistant.engine.lane import EngineOptions
from assistant.engine.types import UnknownModelError
from tests.engine.support import FakeModel, Receiver, drain, fake_engine, request


def prompt(length: int, first: int = 7) -> list[int]:
    return [first + place % 50 for place in range(length)]


@pytest.mark.parametrize(("then", "cached"), [(prompt(40), 39), (prompt(60), 45), (prompt(40, 8), 0)])
def test_what_is_cached_is_known_before_it_is_used(then: list[int], cached: int) -> None:
    with fake_engine(FakeModel(n_ctx=256)) as engine:
        engine.submit(request("first", prompt(45), max_tokens=1), Receiver())
        drain(engine)
        foreseen = engine.foresee(request("again", then))
        again = Receiver()
        engine.submit(request("again", then), again)
        drain(engine)
    assert again.finished is not None
    assert foreseen.cached_tokens == again.finished.timings.cached_tokens == cached


@pytest.mark.parametrize("length", [3, 20, 100])
def test_reading_takes_as_long_as_foreseen(length: int) -> None:
    with fake_engine(FakeModel(n_ctx=256)) as engine:
        foreseen = engine.foresee(request("a", prompt(length)))
        answer = Receiver()
        engine.submit(request("a", prompt(length), max_tokens=2), answer)
        drain(engine)
    assert answer.finished is not None
    assert foreseen.wait_s == 0.0
    assert foreseen.reading_s == pytest.approx(answer.finished.timings.prefill_s)


def test_others_prefixes_are_not_mine() -> None:
    with fake_engine(FakeModel(n_ctx=256)) as engine:
        engine.submit(request("first", prompt(40), scope="somebody"), Receiver())
        drain(engine)
        assert engine.foresee(request("again", prompt(40), scope="another")).cached_tokens == 0
        assert engine.foresee(request("again", prompt(40), scope="somebody")).cached_tokens == 39


def test_who_comes_to_a_full_house_waits_for_those_before() -> None:
    with fake_engine(FakeModel(n_ctx=256), EngineOptions(max_running=1)) as engine:
        engine.submit(request("first", prompt(20), max_tokens=50), Receiver())
        engine.step()
        engine.submit(request("second", prompt(20, 9), max_tokens=50), Receiver())
        one = engine.foresee(request("third", prompt(20, 11), max_tokens=50))
        assert one.wait_s > 0.2
        drain(engine)
        assert engine.foresee(request("third", prompt(20, 11), max_tokens=50)).wait_s == 0.0


def test_a_saved_prefix_counts_as_cached(tmp_path: Path) -> None:
    options = EngineOptions(kv_store=KvStoreOptions(ram_bytes=1_000_000))
    with fake_engine(FakeModel(n_ctx=256, n_seq_max=2), options) as engine:
        engine.submit(request("first", prompt(150), max_tokens=1), Receiver())
        drain(engine)
        engine.submit(request("other", prompt(240, 90), max_tokens=1), Receiver())
        drain(engine)
        assert engine.stats().kv_ram_bytes > 0
        foreseen = engine.foresee(request("again", prompt(150)))
        again = Receiver()
        engine.submit(request("again", prompt(150), max_tokens=1), again)
        drain(engine)
    assert again.finished is not None
    assert foreseen.cached_tokens == again.finished.timings.cached_tokens == 149


def test_asking_changes_nothing_and_needs_a_model() -> None:
    with fake_engine(FakeModel(n_ctx=256)) as engine:
        before = engine.stats()
        engine.foresee(request("a", prompt(20)))
        assert engine.stats() == before
        with pytest.raises(UnknownModelError):
            engine.foresee(request("a", prompt(20)), "nobody")
