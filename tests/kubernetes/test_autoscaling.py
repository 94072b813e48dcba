"""The three autoscalers: one at a time, alike in how they move, and on figures that the backend really has."""

import re
from itertools import permutations
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from prometheus_client import generate_latest

from assistant.services.figures import desk_figures
from assistant.services.generators.mock import MockGenerator, MockOptions
from assistant.telemetry import FigureCollector, Metrics
from tests.kubernetes.rendered import AUTOSCALERS, KUBERNETES, Object, named, rendering, with_components

METRIC = "codellama_requests_in_system"
FOLDER = KUBERNETES / "components"


def with_autoscaler(name: str) -> tuple[Object, ...]:
    return rendering(f"everything with {name}")


def autoscaler(name: str) -> Object:
    """The HorizontalPodAutoscaler that is applied, or that KEDA makes of its own object."""
    if name != "hpa-keda":
        return named(with_autoscaler(name), "HorizontalPodAutoscaler", "codellama-hpa")
    spec = named(with_autoscaler(name), "ScaledObject", "codellama-scaledobject")["spec"]
    made = spec["advanced"]["horizontalPodAutoscalerConfig"]
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": made["name"]},
        "spec": {
            "scaleTargetRef": spec["scaleTargetRef"],
            "minReplicas": spec["minReplicaCount"],
            "maxReplicas": spec["maxReplicaCount"],
            "behavior": made["behavior"],
        },
    }


def test_there_are_three() -> None:
    assert AUTOSCALERS == ["hpa-cpu", "hpa-inflight", "hpa-keda"]


@pytest.mark.parametrize(("first", "second"), [*permutations(AUTOSCALERS, 2)])
def test_two_at_once_are_refused(first: str, second: str) -> None:
    with pytest.raises(RuntimeError, match="already registered id: HorizontalPodAutoscaler"):
        with_components([first, second])


def test_keda_makes_the_autoscaler_itself() -> None:
    assert "HorizontalPodAutoscaler" not in {item["kind"] for item in with_autoscaler("hpa-keda")}


@pytest.mark.parametrize("name", AUTOSCALERS)
def test_they_share_name_target_bounds_and_caution(name: str) -> None:
    scaler = autoscaler(name)
    kubernetes_validate.validate(scaler, "1.30.0", strict=True)
    spec = scaler["spec"]
    assert scaler["metadata"]["name"] == "codellama-hpa"
    assert (spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]) == ("Deployment", "codellama-deployment")
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 5)
    assert spec["behavior"]["scaleUp"]["stabilizationWindowSeconds"] == 60
    assert spec["behavior"]["scaleDown"] == {
        "stabilizationWindowSeconds": 900,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 600}],
    }


@pytest.mark.parametrize("name", AUTOSCALERS)
def test_no_manifest_says_how_many_pods_there_are(name: str) -> None:
    assert "replicas" not in named(with_autoscaler(name), "Deployment", "codellama-deployment")["spec"]


def test_two_requests_a_pod_are_the_target_of_both_that_count_requests() -> None:
    metric = autoscaler("hpa-inflight")["spec"]["metrics"]
    target = {"type": "AverageValue", "averageValue": "2"}
    assert metric == [{"type": "Pods", "pods": {"metric": {"name": METRIC}, "target": target}}]
    triggers = named(with_autoscaler("hpa-keda"), "ScaledObject", "codellama-scaledobject")["spec"]["triggers"]
    assert [(each["type"], each["metadata"]["threshold"]) for each in triggers] == [("prometheus", "2")]
    assert triggers[0]["metadata"]["query"] == f'sum({METRIC}{{namespace="codellama"}})'


def test_the_metric_is_the_backends() -> None:
    metrics = Metrics()
    generator = MockGenerator(
        MockOptions(slots=1, tokens_per_second=1, prefill_per_second=1, queue_max_wait_s=1, max_seconds=1)
    )
    figures = FigureCollector(lambda: desk_figures(generator.desk, generator.tally, generator))
    metrics.registry.register(figures)
    assert f"\n{METRIC} 0.0\n" in generate_latest(metrics.registry).decode()


def test_the_adapter_offers_the_metric_for_pods_of_a_namespace() -> None:
    values: dict[str, Any] = yaml.safe_load((FOLDER / "hpa-inflight" / "prometheus-adapter-values.yaml").read_text())
    (rule,) = values["rules"]["custom"]
    assert re.fullmatch(rule["name"]["matches"], METRIC)
    assert rule["name"]["as"] == METRIC
    assert rule["resources"]["overrides"] == {"namespace": {"resource": "namespace"}, "pod": {"resource": "pod"}}
    series = re.fullmatch(r"(\w+)\{(.*)\}", rule["seriesQuery"])
    assert series is not None
    assert series[1] == METRIC
    assert set(series[2].split(",")) == {f'{label}!=""' for label in rule["resources"]["overrides"]}
    # What the adapter makes of its template: https://github.com/kubernetes-sigs/prometheus-adapter docs/config.md
    query = rule["metricsQuery"].replace("<<.Series>>", METRIC).replace("<<.GroupBy>>", "pod")
    assert (
        query.replace("<<.LabelMatchers>>", 'namespace="codellama"')
        == f'sum by (pod) ({METRIC}{{namespace="codellama"}})'
    )
