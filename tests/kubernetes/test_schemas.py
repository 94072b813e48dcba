"""Every object that any overlay applies is valid for the schemas of every supported Kubernetes."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from tests.kubernetes.prometheus_operator import API, SCHEMAS
from tests.kubernetes.rendered import COMPONENTS, EVERYTHING, JOBS, OVERLAYS, RENDERINGS, Object, job, named, rendering

VERSIONS = [f"1.{minor}.0" for minor in range(30, 38)]
CUSTOM: dict[str, Any] = {
    **SCHEMAS,
    **{path.stem: yaml.safe_load(path.read_text()) for path in (Path(__file__).parent / "schemas").glob("*.yaml")},
}
"""Schemas of kinds that Kubernetes itself does not have."""


def check(item: Object, version: str) -> None:
    if schema := CUSTOM.get(item["kind"]):
        jsonschema.validate(item, schema)
    else:
        kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(version: str) -> None:
    distinct = {json.dumps(item, sort_keys=True) for name in RENDERINGS for item in rendering(name)}
    for item in [*map(json.loads, distinct), *map(job, JOBS)]:
        check(item, version)


def test_the_operators_resources_are_there() -> None:
    custom = [item for item in rendering(EVERYTHING[0]) if item["apiVersion"] == API]
    assert {item["kind"] for item in custom} == SCHEMAS.keys()


def test_custom_resources_are_in_components_only() -> None:
    for name in ("base", *OVERLAYS):
        assert not [item for item in rendering(name) if item["kind"] in CUSTOM]


def test_the_validator_refuses_what_a_schema_does_not_know() -> None:
    service = next(item for item in rendering("base") if item["kind"] == "Service")
    with pytest.raises(kubernetes_validate.ValidationError):
        check(service | {"spce": {}}, VERSIONS[0])


def test_what_keda_does_not_know_is_refused() -> None:
    scaler = named(rendering("everything with hpa-keda"), "ScaledObject", "codellama-scaledobject")
    for broken in (scaler | {"spce": {}}, scaler | {"spec": scaler["spec"] | {"minReplicas": 1}}):
        with pytest.raises(jsonschema.ValidationError):
            check(broken, VERSIONS[0])


def test_the_overlays_and_components_are_there() -> None:
    assert {"single-node", "ci"} <= set(OVERLAYS)
    assert {"storage-class", "nodeport", "ingress", "one-node", "backups"} <= set(COMPONENTS)
    assert {"hpa-cpu", "hpa-inflight", "hpa-keda"} <= set(COMPONENTS)
    assert {"monitoring", "prometheus-operator", "prometheus-annotations", "tracing"} <= set(COMPONENTS)
