"""The queue of generators that have no engine of ours."""

import pytest

from assistant.engine.types import Priority
from assistant.errors import BusyError
from assistant.services.generators.desk import QUEUE_MAX, Desk


def busy_desk() -> Desk:
    """One place, a request takes ten seconds, and one has just begun."""
    now = [0.0]
    desk = Desk(1, 1e9, lambda: now[0])
    ticket = desk.arrive(Priority.CHAT, "first")
    now[0] = 10.0
    ticket.leave()
    desk.arrive(Priority.CHAT, "flood")
    return desk


def test_who_has_nothing_running_is_next_and_is_told_so() -> None:
    desk = busy_desk()
    flood = [desk.arrive(Priority.CHAT, "flood") for _ in range(5)]
    other = desk.arrive(Priority.CHAT, "other")
    assert [each.expected_wait_s for each in flood] == [10.0, 20.0, 30.0, 40.0, 50.0]
    assert other.expected_wait_s == 10.0
    assert desk.outlook(other).position == 0


def test_a_flood_of_one_user_does_not_shut_out_another() -> None:
    desk = busy_desk()
    with pytest.raises(BusyError):
        [desk.arrive(Priority.CHAT, "flood") for _ in range(QUEUE_MAX)]
    assert desk.waiting < QUEUE_MAX
    desk.arrive(Priority.CHAT, "other")
