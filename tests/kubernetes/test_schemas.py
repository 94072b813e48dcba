"""Every object that any overlay applies is valid for the schemas of every supported Kubernetes."""

import json

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]
import pytest

from tests.kubernetes.prometheus_operator import API, SCHEMAS
from tests.kubernetes.rendered import COMPONENTS, EVERYTHING, JOBS, OVERLAYS, RENDERINGS, job, rendering

VERSIONS = [f"1.{minor}.0" for minor in range(30, 38)]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid(version: str) -> None:
    distinct = {json.dumps(item, sort_keys=True) for name in RENDERINGS for item in rendering(name)}
    for item in [*map(json.loads, distinct), *map(job, JOBS)]:
        if item["kind"] not in SCHEMAS:
            kubernetes_validate.validate(item, version, strict=True)


def test_every_custom_resource_is_valid() -> None:
    custom = [item for item in rendering(EVERYTHING) if item["apiVersion"] == API]
    assert {item["kind"] for item in custom} == SCHEMAS.keys()
    for item in custom:
        jsonschema.validate(item, SCHEMAS[item["kind"]])


def test_custom_resources_are_in_components_only() -> None:
    for name in ("base", *OVERLAYS):
        assert not [item for item in rendering(name) if item["apiVersion"] == API]


def test_the_validator_refuses_what_a_schema_does_not_know() -> None:
    service = next(item for item in rendering("base") if item["kind"] == "Service")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service | {"spce": {}}, VERSIONS[0], strict=True)


def test_the_overlays_and_components_are_there() -> None:
    assert {"single-node", "ci"} <= set(OVERLAYS)
    assert {"storage-class", "hpa-cpu", "nodeport", "ingress", "one-node", "backups"} <= set(COMPONENTS)
    assert {"monitoring", "prometheus-operator", "prometheus-annotations"} <= set(COMPONENTS)
