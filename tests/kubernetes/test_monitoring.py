"""Dashboard and alerts against the metrics of a real backend, in a real Prometheus."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest

from tests.kubernetes.prometheus_server import LABELS, Prometheus, running_prometheus
from tests.kubernetes.rendered import (
    EVERYTHING,
    KUBERNETES,
    named,
    of_kind,
    rendering,
    selects,
    with_components,
    workload,
)
from tests.servers import Backend, eventually

DASHBOARD: dict[str, Any] = json.loads((KUBERNETES / "components" / "monitoring" / "codellama.json").read_text())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ALERTS: list[dict[str, Any]] = [
    rule
    for group in named(rendering(EVERYTHING[0]), "PrometheusRule", "codellama-alerts")["spec"]["groups"]
    for rule in group["rules"]
]
OTHERS = {
    "up",
    # kube-state-metrics
    "kube_cronjob_created", "kube_cronjob_status_last_schedule_time", "kube_cronjob_status_last_successful_time",
    "kube_deployment_status_replicas_available", "kube_job_complete", "kube_job_created", "kube_job_failed",
    "kube_job_status_active", "kube_job_status_failed", "kube_pod_container_status_restarts_total",
    # cAdvisor
    "container_cpu_cfs_periods_total", "container_cpu_cfs_throttled_periods_total", "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
    # kubelet
    "kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes", "kubelet_volume_stats_used_bytes",
}  # fmt: skip
"""Metrics that are not the backend's."""
SELECTOR = re.compile(r"\b([a-z]+_[a-z_]+|up)\{([^}]*)\}")


class Curve(NamedTuple):
    """A line of a panel."""

    title: str
    expression: str
    legend: str

    @property
    def is_ours(self) -> bool:
        return all(metric.startswith("codellama_") for metric, _ in SELECTOR.findall(self.expression))


CURVES = [
    Curve(panel["title"], target["expr"].replace("$namespace", "codellama").replace("$__rate_interval", "1m"), legend)
    for panel in PANELS
    for target in panel["targets"]
    for legend in [target["legendFormat"]]
]
EXPRESSIONS = [*(curve.expression for curve in CURVES), *(rule["expr"] for rule in ALERTS)]


@pytest.fixture(scope="module")
def prometheus(demo_gguf: Path, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen an answer, a refusal and a request turned away, and each metric twice at least."""
    folder = tmp_path_factory.mktemp("monitoring")
    backend = Backend(folder, database_url, demo_gguf, MAX_REQUESTS="1")
    with backend, running_prometheus(folder, f"127.0.0.1:{backend.port}") as prometheus:
        _use(backend)
        last = 'timestamp(codellama_rejections_total{reason="queue_full"}) and rate(codellama_rejections_total[1m])'
        ((_, at),) = eventually("Prometheus has a rate of what came last", lambda: prometheus.ask(last))
        yield prometheus._replace(at=at)


def _use(backend: Backend) -> None:
    body = {"model": "default", "messages": [{"role": "user", "content": "Write f"}], "max_tokens": 8}
    with backend.client() as client:
        client.post("/v1/chat/completions", json=body).raise_for_status()
        client.post("/v1/chat/completions", json=body).raise_for_status()
        eventually("the second of two requests is turned away", lambda: _crowd(client, json.dumps(body).encode()))


def _crowd(client: httpx.Client, body: bytes) -> bool:
    """Ask something while another request is still being sent."""
    seen = []

    def halves() -> Iterator[bytes]:
        yield body[:10]
        seen.append(client.post("/v1/chat/completions", content=body).status_code)
        yield body[10:]

    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    client.post("/v1/chat/completions", content=halves(), headers=headers)
    return 429 in seen


def test_every_expression_is_valid(prometheus: Prometheus) -> None:
    for expression in EXPRESSIONS:
        prometheus.ask(expression)


def test_every_metric_and_label_is_one_that_the_backend_has(prometheus: Prometheus) -> None:
    for expression in EXPRESSIONS:
        for metric, matchers in SELECTOR.findall(expression):
            labels = re.findall(r'(\w+) *(?:=|!=|=~|!~) *"', matchers)
            if metric.startswith("codellama_"):
                there = ",".join(f'{label}!=""' for label in labels)
                assert prometheus.ask(f"{metric}{{{there}}}"), f"{metric}{{{there}}}"
            else:
                assert metric in OTHERS


def test_every_name_in_an_expression_is_looked_at() -> None:
    for expression in EXPRESSIONS:
        bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", "", expression)
        names = set(re.findall(r"\b(?:codellama|kube|container|kubelet)_\w+", bare))
        assert names == {metric for metric, _ in SELECTOR.findall(expression)} - {"up"}


def test_every_panel_of_the_backends_metrics_draws_something(prometheus: Prometheus) -> None:
    ours = [curve for curve in CURVES if curve.is_ours and curve.legend != "limit"]  # without a quota there is none
    assert len(ours) > 25
    for curve in ours:
        drawn = prometheus.ask(curve.expression)
        assert drawn, f"{curve.title}: {curve.expression}"
        for label in re.findall(r"\{\{(\w+)\}\}", curve.legend):
            assert all(series.labels.get(label) for series in drawn), f"{curve.title} has no {label}"


def test_a_healthy_backend_raises_no_alert(prometheus: Prometheus) -> None:
    for rule in ALERTS:
        if rule["alert"] != "CodeLlamaTurningAway":  # of which the test has made one
            assert not prometheus.ask(rule["expr"]), rule["alert"]


def test_the_dashboard_is_loaded_whole_and_its_parts_are_told_apart() -> None:
    config = named(rendering(EVERYTHING[0]), "ConfigMap", "codellama-dashboard")
    assert json.loads(config["data"]["codellama.json"]) == DASHBOARD
    assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
    everything = DASHBOARD["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert len({panel["title"] for panel in everything}) == len(everything)
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in everything)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def test_the_monitor_and_the_annotations_find_the_backends_port() -> None:
    (monitor,) = of_kind(rendering(EVERYTHING[0]), "ServiceMonitor")
    services = of_kind(rendering(EVERYTHING[0]), "Service")
    found = [item for item in services if selects(monitor["spec"]["selector"], item["metadata"].get("labels", {}))]
    assert [item["metadata"]["name"] for item in found] == ["codellama-service"]
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in found[0]["spec"]["ports"]}
    backend = workload(rendering(EVERYTHING[0]), "codellama-deployment")
    annotations = backend.template["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == endpoint["path"] == "/metrics"
    (opened,) = backend.pod["containers"][0]["ports"]
    assert annotations["prometheus.io/port"] == str(opened["containerPort"])
    policy = named(rendering(EVERYTHING[0]), "NetworkPolicy", "allow-prometheus-to-backend")["spec"]
    assert selects(policy["podSelector"], backend.labels)
    assert policy["ingress"][0]["ports"] == [{"protocol": "TCP", "port": opened["containerPort"]}]
    assert LABELS["pod"].startswith(backend.name)


def test_traces_go_where_the_network_lets_them() -> None:
    objects = with_components(["tracing"])
    address = urlsplit(named(objects, "ConfigMap", "codellama-config")["data"]["OTEL_EXPORTER_OTLP_ENDPOINT"])
    (rule,) = named(objects, "NetworkPolicy", "allow-backend-to-collector")["spec"]["egress"]
    namespace = rule["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    assert address.hostname == f"opentelemetry-collector.{namespace}.svc.cluster.local"
    assert [port["port"] for port in rule["ports"]] == [address.port]
