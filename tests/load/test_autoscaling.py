"""The autoscaler's algorithm does what Kubernetes documents, and the shipped autoscalers do what the README says.

Values are those of the page "Horizontal Pod Autoscaling" of the Kubernetes documentation where a test says so.
"""

from itertools import pairwise
from xml.etree import ElementTree

import pytest

from tests.load.autoscaling.__main__ import MANIFESTS, PICTURE, simulate, table
from tests.load.autoscaling.graph import draw
from tests.load.autoscaling.hpa import DEFAULT_DOWN, DEFAULT_UP, Autoscaler, Policy, Rules, Spec, recommendation
from tests.load.autoscaling.simulation import Load, Metric, Run, Service, Simulation, spike, steady, stress

SHIPPED = {metric: Spec.read(path) for metric, path in MANIFESTS.items()}


@pytest.mark.parametrize(
    ("current", "value", "target", "wanted"),
    [
        (2, 200, 100, 4),  # documented: twice the desired value doubles the pods
        (4, 50, 100, 2),  # documented: half of it halves them
        (50, 90, 75, 60),  # documented for the tolerance: 50 × 90/75
        (3, 109, 100, 3),  # documented: within a tolerance of 0.1 nothing happens
        (3, 91, 100, 3),
        (3, 111, 100, 4),  # rounded up
        (4, 0, 100, 0),
    ],
)
def test_pods_follow_the_ratio(current: int, value: float, target: float, wanted: int) -> None:
    assert recommendation(current, [value] * current, target) == wanted


def test_the_average_counts() -> None:
    assert recommendation(2, [0, 400], 100) == recommendation(2, [200, 200], 100) == 4


def test_a_pod_without_a_value_counts_as_nothing_on_the_way_up_and_as_the_target_on_the_way_down() -> None:
    assert recommendation(3, [200, 200], 100, missing=1) == 4
    assert recommendation(3, [25, 25], 100, missing=1) == 2


def test_a_pod_that_starts_dampens_the_way_up_and_is_left_out_on_the_way_down() -> None:
    assert recommendation(3, [200, 200], 100, unready=1) == 4
    assert recommendation(3, [25, 25], 100, unready=1) == 1


@pytest.mark.parametrize(("values", "missing", "unready"), [([150.0], 1, 0), ([150.0], 0, 1), ([104.0, 116.0], 0, 1)])
def test_nothing_happens_when_pods_set_aside_turn_the_direction(
    values: list[float], missing: int, unready: int
) -> None:
    assert recommendation(2, values, 100, missing=missing, unready=unready) == 2


def test_without_any_value_nothing_happens() -> None:
    assert recommendation(3, [], 100, missing=3) == 3


def followed(spec: Spec, current: int, wanted: list[int], every_s: float = 15) -> list[int]:
    """The numbers of pods that come of recommendations, one a round."""
    scaler, numbers = Autoscaler(spec), [current]
    for step, each in enumerate(wanted):
        numbers.append(scaler.decide(step * every_s, numbers[-1], each))
    return numbers[1:]


def test_by_default_pods_double_or_grow_by_four_each_15_s() -> None:
    """As documented under "Default Behavior"."""
    assert (DEFAULT_UP.window_s, DEFAULT_DOWN.window_s) == (0, 300)
    assert followed(Spec(100), 1, [100] * 6) == [5, 10, 20, 40, 80, 100]


def test_by_default_pods_go_all_at_once_after_five_minutes() -> None:
    assert followed(Spec(100), 10, [1] * 21) == [10] * 20 + [1]


def test_of_two_policies_the_one_that_allows_more_counts() -> None:
    """The documented example: from 80 towards 10 by 10 % or 4 pods a minute: 8, then 7.2 rounded up to 8, … then 4."""
    policies = (Policy("Pods", 4, 60), Policy("Percent", 10, 60))
    numbers = followed(Spec(100, down=Rules(0, policies)), 80, [10] * 15, every_s=60)
    assert numbers[:3] == [72, 64, 57]
    assert [before - after for before, after in pairwise(numbers) if before <= 40][:4] == [4] * 4
    assert numbers[-1] == 10


def test_a_policy_holds_for_its_whole_period() -> None:
    one_in_ten_minutes = Spec(2, down=Rules(0, (Policy("Pods", 1, 600),)))
    assert followed(one_in_ten_minutes, 5, [1] * 41) == [4] * 40 + [3]
    double_in_a_minute = Spec(2, up=Rules(0, (Policy("Percent", 100, 60),)))
    assert followed(double_in_a_minute, 1, [9] * 9) == [2] * 4 + [4] * 4 + [8]


def test_on_the_way_down_the_highest_of_the_window_counts_and_on_the_way_up_the_lowest() -> None:
    spec = Spec(100, up=Rules(60, DEFAULT_UP.policies), down=Rules(60, DEFAULT_DOWN.policies))
    assert followed(spec, 4, [1, 3, 1, 1, 1, 1]) == [4, 4, 4, 4, 3, 1]
    assert followed(spec, 1, [4, 2, 4, 4, 4, 4]) == [1, 1, 1, 1, 2, 4]


def test_the_bounds_hold() -> None:
    assert followed(Spec(2, least=2, most=5), 3, [50, 50, *[0] * 30])[-1] == 2
    assert max(followed(Spec(2, least=1, most=5), 1, [50] * 30)) == 5


def test_the_shipped_autoscalers_are_the_ones_simulated() -> None:
    assert (SHIPPED["in flight"].target, SHIPPED["CPU"].target) == (2, 0.7)
    for spec in SHIPPED.values():
        assert (spec.least, spec.most, spec.up.window_s, spec.down.window_s) == (1, 5, 60, 900)
        assert spec.down.policies == (Policy("Pods", 1, 600),)


def run(metric: Metric, load: Load, service: Service | None = None) -> Run:
    return Simulation(service or Service(), SHIPPED[metric], metric).run(load)


@pytest.fixture(scope="module")
def shown() -> list[list[Run]]:
    """What the README shows: a steady load, the spike and the stress, by requests and by CPU."""
    return simulate(Service(), [steady(), spike(), stress()])


def test_requests_come_go_or_are_refused_and_none_is_lost() -> None:
    load = Load("a minute of much", 300, lambda at: 40.0 if at < 60 else 0.0)
    refusing = run("in flight", load, Service(queue_s=60))
    assert refusing.refused > 0
    assert refusing.moments[-1].in_flight < 0.01
    assert refusing.most_in_flight <= 60 * 5 * refusing.most_pods


def test_a_steady_load_is_in_the_system_for_as_long_as_one_request_takes() -> None:
    quiet = run("in flight", Load("quiet", 300, lambda at: 1.0))
    assert quiet.waited_s == pytest.approx(0.5, rel=0.02)
    assert quiet.moments[-1].in_flight == pytest.approx(0.5, rel=0.02)


def test_a_pod_helps_only_when_it_has_started() -> None:
    slow = run("in flight", Load("much", 600, lambda at: 10.0), Service(start_s=300))
    wanted = next(each.at for each in slow.moments if each.pods > 1)
    assert next(each.at for each in slow.moments if each.ready > 1) == pytest.approx(wanted + 300, abs=1)


def test_at_a_load_that_one_pod_can_take_requests_ask_for_one_and_cpu_for_three(shown: list[list[Run]]) -> None:
    assert [each.most_pods for each in shown[0]] == [1, 3]


def test_cpu_cannot_tell_one_request_from_twenty() -> None:
    service = Service()
    assert service.utilization(1) == service.utilization(20)


def test_under_stress_requests_bring_all_pods_sooner(shown: list[list[Run]]) -> None:
    by_requests, by_cpu = shown[2]
    assert by_requests.most_pods == by_cpu.most_pods == 5
    assert by_requests.most_after_s < by_cpu.most_after_s
    assert by_requests.waited_s < by_cpu.waited_s


def test_a_spike_of_half_a_minute_is_over_before_any_pod_could_help(shown: list[list[Run]]) -> None:
    short = shown[1][0]
    assert short.pods_before == 1
    assert max(each.ready for each in short.moments if each.at <= short.load.changes_at + 30) == 1


def test_the_picture_and_the_table_of_the_readme_are_what_the_program_makes(shown: list[list[Run]]) -> None:
    assert draw(shown[1:]) == PICTURE.read_text()
    assert table(shown) in (PICTURE.parent / "README.md").read_text()


def test_the_picture_has_a_line_for_each_metric_in_each_panel() -> None:
    root = ElementTree.parse(PICTURE).getroot()
    lines = root.findall("{http://www.w3.org/2000/svg}path")
    assert len(lines) == 8
    assert len({line.get("stroke") for line in lines}) == 2
