import pytest

from assistant.engine.forecast import Load, Work, predict_waits


def test_a_free_slot_means_no_wait() -> None:
    load = Load(running=(Work(100, 50),), slots=2, prefill_s=1.0, round_s=1.0)
    assert predict_waits(load, [Work(10, 10)]) == [0.0]


def test_the_first_in_line_waits_for_the_shortest_running() -> None:
    load = Load(running=(Work(0, 50), Work(0, 20)), slots=2, round_s=0.1)
    assert predict_waits(load, [Work(0, 10)]) == [pytest.approx(2.0)]


def test_the_second_in_line_waits_for_the_next_to_end() -> None:
    load = Load(running=(Work(0, 50), Work(0, 20)), slots=2, round_s=0.1)
    assert predict_waits(load, [Work(0, 10), Work(0, 1), Work(0, 1)]) == pytest.approx([2.0, 3.0, 3.1])


def test_prompts_delay_everybody_behind_them() -> None:
    load = Load(running=(Work(10, 20),), slots=1, prefill_s=0.5, round_s=0.1)
    assert predict_waits(load, [Work(4, 10), Work(0, 1)]) == pytest.approx([7.0, 10.0])


def test_the_more_urgent_begins_at_once_where_a_running_one_makes_room() -> None:
    load = Load(running=(Work(0, 50, 1), Work(0, 20, 0)), slots=2, round_s=0.1)
    waiting = [Work(0, 10, 0), Work(0, 10, 0), Work(0, 10, 1)]
    # the one of 50 stops at once and goes on after 20 rounds, when both places are free; the last gets the other
    assert predict_waits(load, waiting) == pytest.approx([0.0, 1.0, 2.0])


def test_nobody_makes_room_for_an_equal() -> None:
    load = Load(running=(Work(0, 50, 1),), slots=1, round_s=0.1)
    assert predict_waits(load, [Work(0, 10, 1)]) == pytest.approx([5.0])
