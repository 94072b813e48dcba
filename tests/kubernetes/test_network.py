"""Nothing may talk to anything, except along the edges that the product has."""

from typing import NamedTuple

import pytest

from tests.kubernetes.rendered import RENDERINGS, Object, jobs_for, of_kind, rendering, selects, workloads

pytestmark = pytest.mark.parametrize("name", RENDERINGS)


class Edge(NamedTuple):
    source: str
    target: str
    port: int


EDGES = {
    Edge("codellama-frontend", "codellama-backend", 8000),
    Edge("codellama-backend", "postgres", 5432),
    Edge("codellama-fine-tune", "postgres", 5432),
    Edge("codellama-backup", "postgres", 5432),
}
PORTS = {"codellama-frontend": 8080, "codellama-backend": 8000, "postgres": 5432}


def pods(name: str) -> dict[str, dict[str, str]]:
    found = [*workloads(rendering(name)), *workloads(jobs_for(name))]
    return {item.labels["app.kubernetes.io/name"]: item.labels for item in found}


def policies(name: str, direction: str) -> list[Object]:
    found = of_kind(rendering(name), "NetworkPolicy")
    return [policy for policy in found if direction in policy["spec"]["policyTypes"]]


def allowed(name: str, direction: str, own: str, other: str, port: int) -> bool:
    """Whether some policy for ``own`` lets it talk with ``other``; ``direction`` is Ingress or Egress."""
    labels, key = pods(name), {"Ingress": "from", "Egress": "to"}[direction]
    for policy in policies(name, direction):
        if not selects(policy["spec"]["podSelector"], labels[own]):
            continue
        for rule in policy["spec"].get(direction.lower(), []):
            peers = [peer["podSelector"] for peer in rule.get(key, []) if peer.keys() == {"podSelector"}]
            open_to_all = key not in rule
            fits = open_to_all or any(selects(peer, labels[other]) for peer in peers)
            if fits and port in {entry["port"] for entry in rule["ports"]}:
                return True
    return False


def test_default_is_deny_both_ways(name: str) -> None:
    deny = [policy["spec"] for policy in of_kind(rendering(name), "NetworkPolicy") if not policy["spec"]["podSelector"]]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in deny


def test_the_edges_and_no_others_are_open_at_both_ends(name: str) -> None:
    opened = {
        Edge(source, target, port)
        for source in pods(name)
        for target in pods(name)
        for port in {*PORTS.values()}
        if allowed(name, "Egress", source, target, port) and allowed(name, "Ingress", target, source, port)
    }
    assert opened == {edge for edge in EDGES if edge.source in pods(name)}


def test_people_reach_the_frontend_and_nothing_else(name: str) -> None:
    open_to_all = [
        policy["metadata"]["name"]
        for policy in policies(name, "Ingress")
        if any("from" not in rule for rule in policy["spec"].get("ingress", []))
    ]
    assert open_to_all == ["allow-people-to-frontend"]


def test_names_can_be_looked_up(name: str) -> None:
    dns = next(policy for policy in policies(name, "Egress") if policy["metadata"]["name"] == "allow-dns")
    assert dns["spec"]["podSelector"] == {}
    opened = {(port["protocol"], port["port"]) for port in dns["spec"]["egress"][0]["ports"]}
    assert opened == {("UDP", 53), ("TCP", 53)}
