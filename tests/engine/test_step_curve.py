import pytest

from assistant.engine.step_curve import POINTS, StepCurve, measure

SEVEN_B = {1: 0.113, 2: 0.199, 4: 0.307, 8: 0.725, 16: 0.982, 32: 1.740}
"""Measured: 7B, Q4_K_M, two cores. 8 rows take longer than two steps of 4."""


@pytest.fixture
def curve() -> StepCurve:
    return StepCurve(SEVEN_B, max_rows=512)


def test_eight_streams_take_turns_where_eight_rows_are_slow(curve: StepCurve) -> None:
    assert [curve.decode_width(n) for n in (1, 2, 4, 8)] == [1, 2, 4, 4]


def test_all_streams_step_together_where_rows_are_cheap() -> None:
    curve = StepCurve({1: 0.01, 2: 0.011, 4: 0.012, 8: 0.014, 16: 0.02, 32: 0.03}, max_rows=512)
    assert [curve.decode_width(n) for n in (1, 3, 8, 13)] == [1, 3, 8, 13]


def test_a_step_with_streams_in_it_takes_no_longer_than_a_32_row_step(curve: StepCurve) -> None:
    assert curve.prefill_rows(4, 1000) == 28


def test_the_end_of_a_prompt_is_read_in_whole_tiles_beside_streams(curve: StepCurve) -> None:
    assert [curve.prefill_rows(4, left) for left in (24, 12)] == [12, 12]


@pytest.mark.parametrize("streams", [14, 15, 16])
def test_the_end_of_a_prompt_is_read_at_once_where_streams_leave_a_tile_hardly_any_room(
    curve: StepCurve, streams: int
) -> None:
    assert [curve.prefill_rows(streams, left) for left in (7, 1)] == [7, 1]
    assert curve.prefill_rows(streams, 1000) == 32 - streams


@pytest.mark.parametrize("slower", [1.1, 1.3, 1.45])
def test_behind_a_deep_context_a_step_takes_longer_rather_than_part_of_a_tile(curve: StepCurve, slower: float) -> None:
    for _ in range(200):
        curve.observe(32, slower * SEVEN_B[32])
    assert curve.prefill_rows(4, 1000) == 28


def test_fast_steps_of_few_rows_do_not_make_longer_ones(curve: StepCurve) -> None:
    for _ in range(100):
        curve.observe(4, 0.5 * SEVEN_B[4])
    assert curve.prefill_rows(4, 1000) == 28


def test_a_prompt_that_keeps_nobody_waiting_is_read_in_larger_chunks(curve: StepCurve) -> None:
    assert 64 <= curve.prefill_rows(0, 1000) <= 160


def test_no_chunk_is_larger_than_the_prompt_or_the_batch(curve: StepCurve) -> None:
    assert curve.prefill_rows(0, 3) == 3
    assert StepCurve(dict.fromkeys(POINTS, 0.001), max_rows=64).prefill_rows(0, 1000) == 64


def test_the_bad_totals_are_avoided(curve: StepCurve) -> None:
    assert curve.prefill_rows(0, 8) == 4


def test_a_prompt_goes_on_however_many_streams_there_are(curve: StepCurve) -> None:
    assert curve.prefill_rows(40, 1000) >= 1


def test_slower_steps_than_measured_make_smaller_chunks(curve: StepCurve) -> None:
    before = curve.prefill_rows(0, 1000)
    for _ in range(100):
        curve.observe(32, 2 * SEVEN_B[32])
    assert curve.seconds(32) == pytest.approx(2 * SEVEN_B[32], rel=0.02)
    assert curve.prefill_rows(0, 1000) < before
    assert curve.copy().seconds(32) == SEVEN_B[32]


def test_measuring_stops_at_its_limit() -> None:
    spent: list[float] = []

    def run(rows: int) -> float:
        spent.append(0.1 * rows)
        return 0.1 * rows

    points = measure(run, limit_s=3.5)
    assert sum(spent) < 3.5
    assert list(points) == [1, 2, 4, 16]


def test_on_a_slow_machine_the_steps_that_prompts_are_read_in_are_measured_before_the_odd_one_of_eight() -> None:
    """As seen with a 7B on two cores without AVX-512: the 9 seconds that there were ended behind 8 rows."""
    slow = {1: 0.32, 2: 0.54, 4: 0.77, 8: 2.0, 16: 1.9, 32: 2.9}
    points = measure(lambda rows: slow[rows])
    assert {16, 32} <= points.keys()
    rows = StepCurve(points, max_rows=512).prefill_rows(1, 1000, together=True) + 1
    assert rows >= 48


def test_one_stall_does_not_spoil_the_measurement() -> None:
    stalled = iter([0.01, 9.0])

    def run(rows: int) -> float:
        return next(stalled, 0.01)

    assert measure(run, limit_s=100) == dict.fromkeys(POINTS, 0.01)


def test_a_wrong_measurement_is_outgrown() -> None:
    curve = StepCurve({1: 0.7}, max_rows=512)
    for _ in range(300):
        curve.observe(1, 0.0005)
    assert curve.round_s(1) == pytest.approx(0.0005, rel=0.1)


def test_a_single_stall_changes_little(curve: StepCurve) -> None:
    curve.observe(1, 100 * SEVEN_B[1])
    assert curve.seconds(1) < 1.3 * SEVEN_B[1]


def test_a_stall_in_a_long_step_is_measured_again() -> None:
    calls: list[int] = []

    def run(rows: int) -> float:
        calls.append(rows)
        stalled = calls.count(16) == 1 and rows == 16
        return SEVEN_B[rows] * (4 if stalled else 1)

    assert measure(run, limit_s=20) == SEVEN_B


def test_prompts_are_read_in_tiles_whatever_was_measured() -> None:
    stalled = StepCurve(SEVEN_B | {16: 6.0, 32: 9.0}, max_rows=512)
    assert stalled.prefill_rows(4, 1000) >= 12
