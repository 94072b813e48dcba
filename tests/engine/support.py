"""What the engine's tests share: an engine over a scripted model, and a receiver of events."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from assistant.engine.engine import Engine
from assistant.engine.lane import EngineOptions
from assistant.engine.step_curve import StepCurve
from assistant.engine.types import Finished, FinishReason, GenerateRequest, Priority, Token, TokenEvent
from tests.fakes import FakeModel, NextToken, VirtualClock, mixed

LINEAR = {rows: 0.01 * rows for rows in (1, 2, 4, 8, 16, 32)}


class Receiver:
    """Keeps the events of one request."""

    def __init__(self) -> None:
        self.events: list[TokenEvent] = []

    def __call__(self, event: TokenEvent) -> None:
        if self.finished:
            raise AssertionError(f"{event} after the end")
        self.events.append(event)

    @property
    def tokens(self) -> list[int]:
        return [event.id for event in self.events if isinstance(event, Token)]

    @property
    def finished(self) -> Finished | None:
        last = self.events[-1] if self.events else None
        return last if isinstance(last, Finished) else None

    @property
    def reason(self) -> FinishReason | None:
        return self.finished.reason if self.finished else None


def request(
    name: str,
    tokens: Sequence[int],
    max_tokens: int = 8,
    *,
    priority: Priority = Priority.CHAT,
    key: str = "",
    stop: frozenset[int] = frozenset(),
    adapter: str | None = None,
    scope: str = "",
    public: int = 0,
) -> GenerateRequest:
    return GenerateRequest(
        name, tuple(tokens), max_tokens, stop_tokens=stop, priority=priority, fairness_key=key, adapter=adapter,
        scope=scope, public_tokens=public,
    )  # fmt: skip


def alone(tokens: Sequence[int], max_tokens: int, limit: int, next_token: NextToken = mixed) -> list[int]:
    """What the scripted model writes when nobody else is there."""
    written: list[int] = []
    while len(written) < max_tokens and len(tokens) + len(written) < limit:
        written.append(next_token([*tokens, *written]))
    return written


@contextmanager
def fake_engine(model: FakeModel, options: EngineOptions | None = None, step_s: float = 0.16) -> Iterator[Engine]:
    """An engine to be stepped by hand, closed at the end; the step curve is 10 ms a row."""
    engine = Engine(options, clock=model.clock)
    engine.add_model("a", model, StepCurve(LINEAR, model.n_batch, step_s))
    engine.activate("a")
    try:
        yield engine
    finally:
        engine.close()


def drain(engine: Engine, most: int = 5000) -> int:
    """Step until nothing is left; the number of steps."""
    for steps in range(most):
        if not engine.step():
            return steps
    raise AssertionError(f"still busy after {most} steps: {engine.stats()}")


__all__ = ["LINEAR", "FakeModel", "Receiver", "VirtualClock", "alone", "drain", "fake_engine", "request"]
