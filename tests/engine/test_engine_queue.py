"""Who is let in, who waits, and what they are told."""

import time
from collections.abc import Sequence

import pytest

from assistant.engine.engine import Engine
from assistant.engine.lane import EngineOptions
from assistant.engine.model import Span
from assistant.engine.outlook import ANNOUNCE_S
from assistant.engine.step_curve import StepCurve
from assistant.engine.types import (
    EngineError,
    FinishReason,
    InvalidRequestError,
    Priority,
    PromptTooLongError,
    Queued,
    QueueFullError,
    TokenEvent,
)
from tests.engine.support import LINEAR, FakeModel, Receiver, alone, drain, fake_engine, request
from tests.servers import eventually

PROMPT = list(range(20, 40))


def fill_queue(engine: Engine, key: str = "") -> tuple[int, QueueFullError]:
    """Submit until the engine refuses; how many it took, and the refusal."""
    for n in range(1000):
        try:
            engine.submit(request(f"r{n}", [20], 100, key=key), Receiver())
        except QueueFullError as refusal:
            return n, refusal
    raise AssertionError("the queue has no bound")


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


def test_who_come_together_to_an_idle_engine_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assistant.engine.engine.LONGEST_QUIET_S", 1.0)
    model, receivers = FakeModel(n_ctx=512), [Receiver() for _ in range(4)]
    engine = Engine(clock=model.clock)
    engine.add_model("a", model, StepCurve({rows: 10.0 * rows for rows in LINEAR}, model.n_batch, 320.0))
    engine.activate("a")
    engine.start()
    for number, receiver in enumerate(receivers):
        engine.submit(request(f"r{number}", [20 + number] * 8, 2), receiver)
        time.sleep(0.05)  # the engine's thread has all the time to begin without the others
    eventually("all are answered", lambda: all(receiver.finished for receiver in receivers))
    engine.close()
    assert [len(span.tokens) for span in model.steps[0]] == [8, 8, 8, 8]


def test_an_id_in_use_is_refused() -> None:
    with fake_engine(FakeModel()) as engine:
        engine.submit(request("r", PROMPT), Receiver())
        with pytest.raises(InvalidRequestError):
            engine.submit(request("r", PROMPT), Receiver())


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


def test_who_comes_and_goes_is_no_reason_to_tell_everybody() -> None:
    """Steps take some milliseconds here, and somebody leaves in each."""
    model = FakeModel(n_ctx=2048)
    model.clock.advance(10)
    with fake_engine(model, EngineOptions(max_running=1)) as engine:
        receivers = [Receiver() for _ in range(100)]
        for n, receiver in enumerate(receivers):
            engine.submit(request(f"r{n}", [20 + n], 1), receiver)
        began = model.clock.now
        drain(engine)
        took = model.clock.now - began
    told = [sum(isinstance(event, Queued) for event in receiver.events) for receiver in receivers]
    assert all(told[1:]), "each hears of it once at least"
    assert max(told) <= 2 + took / ANNOUNCE_S


def test_the_queue_is_bounded_by_predicted_seconds() -> None:
    model = FakeModel(n_ctx=2048)
    with fake_engine(model, EngineOptions(max_running=1, queue_max_wait_s=3.0)) as engine:
        accepted, refusal = fill_queue(engine)
        assert refusal.retry_after_s >= 1.0
        assert 2 <= accepted < 20


def test_who_is_taken_hears_how_long_it_waits_whatever_others_would_wait() -> None:
    receivers = [Receiver() for _ in range(4)]
    with fake_engine(FakeModel(n_ctx=2048), EngineOptions(max_running=1)) as engine:
        expected = [engine.submit(request(f"r{n}", [20 + n], 100), receivers[n]) for n in range(3)]
        engine.step()
        urgent = request("urgent", [30], 10, priority=Priority.AUTOCOMPLETE)
        others = engine.stats().predicted_wait_s
        expected.append(engine.submit(urgent, receivers[3]))
        drain(engine)
    waited = [each.finished.timings.queued_s for each in receivers if each.finished]
    assert expected[0] == 0
    assert expected[3] == pytest.approx(waited[3], rel=0.5), "it passes those who wait"
    assert others > 2 * expected[3]


def test_a_forecast_learns_from_the_waits_there_were() -> None:
    model = FakeModel(n_ctx=2048)

    class Slow(Receiver):
        """Takes time that no step accounts for, nearly as much as the step itself."""

        def __call__(self, event: TokenEvent) -> None:
            super().__call__(event)
            model.clock.advance(0.008)

    receivers, foreseen = [Slow() for _ in range(60)], []
    with fake_engine(model, EngineOptions(max_running=1)) as engine:
        for number, receiver in enumerate(receivers):
            foreseen.append(engine.stats().predicted_wait_s)
            engine.submit(request(f"r{number}", [20 + number], 100), receiver)
            while sum(not each.finished for each in receivers[: number + 1]) > 3:
                engine.step()
        drain(engine)
    waits = [each.finished.timings.queued_s for each in receivers if each.finished]
    errors = [abs(wait - guess) / wait for wait, guess in zip(waits, foreseen, strict=True) if wait > 1]
    assert max(errors[-10:]) < min(errors[:5]) / 2


def test_while_a_step_is_computed_nobody_is_promised_to_start_before_its_end() -> None:
    class Asked(FakeModel):
        """Asks what a newcomer would be told, in the middle of each step."""

        def decode(self, spans: Sequence[Span]) -> bool:
            told.append(engine.stats().predicted_wait_s)
            return super().decode(spans)

    told: list[float] = []
    with fake_engine(Asked(n_ctx=2048), EngineOptions(max_running=2)) as engine:
        engine.submit(request("first", [20] * 16, 60), Receiver())
        engine.step()
        assert told[-1] == pytest.approx(0.16), "a place is free, but the step takes 10 ms a row"
        engine.submit(request("second", [21] * 10, 60), Receiver())
        engine.step()
        assert told[-1] > 0.3, "no place is free any more"
        drain(engine)
    assert engine.stats().predicted_wait_s == 0


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


def test_one_users_flood_leaves_room_for_others() -> None:
    with fake_engine(FakeModel(n_ctx=2048), EngineOptions(max_running=1, queue_max=8, queue_max_wait_s=4.0)) as engine:
        fill_queue(engine, "flood")
        other = Receiver()
        expected = engine.submit(request("other", [50], 10, key="other"), other)
        drain(engine)
    assert other.finished is not None
    one_s = 1.0  # a request of the flood
    assert other.finished.timings.queued_s == pytest.approx(one_s), "it is the next, whoever came before"
    assert one_s / 2 <= expected <= one_s


def test_one_user_does_not_take_every_place_in_the_queue() -> None:
    with fake_engine(FakeModel(), EngineOptions(max_running=1, queue_max=8)) as engine:
        accepted, _ = fill_queue(engine, "flood")
        assert accepted == 6
        for n in range(2):
            engine.submit(request(f"other {n}", [20], 1, key="other"), Receiver())
        with pytest.raises(QueueFullError):
            engine.submit(request("one more", [20], 1, key="another"), Receiver())
        drain(engine)


def test_a_full_queue_is_no_obstacle_to_autocomplete() -> None:
    with fake_engine(FakeModel(n_ctx=2048), EngineOptions(max_running=1, queue_max_wait_s=3.0)) as engine:
        fill_queue(engine)
        completion = Receiver()
        engine.submit(request("completion", [21], 4, priority=Priority.AUTOCOMPLETE), completion)
        for _ in range(6):
            engine.step()
        assert completion.reason is FinishReason.LENGTH
