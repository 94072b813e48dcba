"""The arithmetic of the report."""

import pytest

from tests.load.report import Result, Row, Target, percentile, slope, table


def test_percentiles_are_interpolated_between_neighbours() -> None:
    assert percentile([4, 1, 3, 2], 0.5) == 2.5
    assert percentile([1.0], 0.95) == 1.0
    assert percentile(range(101), 0.95) == pytest.approx(95)


def test_ratio_and_spread_are_of_rounds() -> None:
    row = Row("decode", "tok/s", (9.0, 10.0, 30.0), (10.0, 8.0, 10.0), "peer")
    assert row.ratio == pytest.approx(1.25)
    assert row.spread == pytest.approx((0.9, 3.0))


def test_rounds_of_different_number_are_compared_with_the_peers_median() -> None:
    row = Row("TTFT", "s", (1.0, 2.0), (4.0, 5.0, 6.0), "peer")
    assert row.ratio == pytest.approx(0.3)
    assert row.spread == pytest.approx((0.2, 0.4))


@pytest.mark.parametrize(
    ("target", "ours", "theirs", "passed"),
    [
        (Target("ratio", "least", 0.95), 9.5, 10.0, True),
        (Target("ratio", "least", 0.95), 9.4, 10.0, False),
        (Target("ratio", "most", 0.05), 1.0, 20.0, True),
        (Target("ratio", "most", 0.05), 1.1, 20.0, False),
        (Target("ours", "most", 0.05), 0.04, 0.001, True),
        (Target("ours", "most", 0.05), 0.06, 1.0, False),
    ],
)
def test_a_target_is_met_or_missed(target: Target, ours: float, theirs: float, passed: bool) -> None:
    assert Row("figure", "", (ours,), (theirs,), "peer", target).passed is passed


def test_a_figure_without_a_peer_or_a_target_is_not_judged() -> None:
    assert Row("figure", "", (1.0,), target=Target("ratio", "least", 1.0)).passed is None
    assert Row("figure", "", (1.0,), (1.0,), "peer").passed is None


def test_a_result_names_what_it_missed() -> None:
    good, bad = Row("a", "", (1.0,), (1.0,), "p", Target("ratio", "least", 1)), Row("b", "", (2.0,))
    missed = Row("c", "", (2.0,), (1.0,), "p", Target("ratio", "most", 1))
    assert Result((good, bad, missed)).missed == ("c",)
    assert Result((), failed=True).missed


def test_the_table_has_a_line_a_row_and_says_which_passed() -> None:
    text = table([Row("decode", "tok/s", (9.0,), (10.0,), "peer", Target("ratio", "least", 0.95, aim=1.1))])
    head, line = text.splitlines()
    assert "0.900 (0.900–0.900)" in line
    assert "≥ 0.95 (aim 1.1)" in line
    assert line.rstrip().endswith("FAIL")
    assert head.startswith("figure")


def test_a_slope_is_the_growth_per_unit() -> None:
    assert slope([(0, 100), (10, 110), (20, 120)]) == pytest.approx(1.0)
    assert slope([(0, 100), (1, 90), (2, 100)]) == pytest.approx(0.0)
