"""How often a run's row is written, and its lock looked after."""

import threading
from typing import Any, cast

import pytest

from finetuning.progress import AWAY_EVERY_S, ROW_EVERY_S, Progress
from finetuning.runs import RunRecord


class Clock:
    """A row of a database that may be away, and a clock that only the test moves."""

    def __init__(self) -> None:
        self.now, self.away, self.written, self.renewed = 0.0, False, 0, 0

    def monotonic(self) -> float:
        return self.now

    def advance(self, _: dict[str, Any]) -> bool:
        self.written += 1
        return not self.away

    def renew(self) -> None:
        self.renewed += 1


@pytest.mark.parametrize(("away", "expected"), [(False, ROW_EVERY_S), (True, AWAY_EVERY_S)])
def test_a_database_that_is_away_is_tried_less_often(
    monkeypatch: pytest.MonkeyPatch, away: bool, expected: float
) -> None:
    clock = Clock()
    monkeypatch.setattr("finetuning.progress.time.monotonic", clock.monotonic)
    shown = Progress(cast(RunRecord, clock), "train", threading.Event(), clock.renew, quiet=True)
    clock.now, clock.away = 1.0, away
    shown.show(0.1)
    assert (clock.written, clock.renewed) == (1, 1)
    clock.now = 1.0 + expected - 0.1
    shown.show(0.2)
    assert (clock.written, clock.renewed) == (1, 1)
    clock.now = 1.0 + expected
    shown.show(0.3)
    assert (clock.written, clock.renewed) == (2, 2)
