#!/usr/bin/env python3
"""Look at a server, and at the cluster that kubectl reaches, before installing; says which overlay fits.

Changes nothing. The exit code is 1 when something is missing without which nothing runs. Needs only Python 3.11.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "backend" / "core"))

from codellama_core.resources import limits

GIB: Final = 2**30
NEEDED_FLAGS: Final = ("avx2", "fma", "f16c", "bmi2")
USED_FLAGS: Final = {
    "avx512f": "AVX-512", "avx512_vnni": "AVX-512 VNNI", "avx512_bf16": "AVX-512 BF16", "avx_vnni": "AVX-VNNI",
    "amx_int8": "AMX",
}  # fmt: skip
OLDEST: Final = (1, 30)
PROVISIONER: Final = "rancher.io/local-path"
CLASS: Final = "standard-retain"
LABEL: Final = "codellama.io/fine-tune"
DISK_GIB: Final = 60
HUGE_PAGES: Final = "sys/kernel/mm/transparent_hugepage/enabled"


@dataclass(frozen=True, slots=True)
class Size:
    """CPUs and GiB of memory. The kernel and the kubelet keep some of a server's memory for themselves."""

    cpus: float
    gib: float

    def holds(self, other: "Size") -> bool:
        return self.cpus >= other.cpus and self.gib >= other.gib

    def __str__(self) -> str:
        return f"{self.cpus:g} CPUs, {self.gib:.1f} GiB"


FULL: Final = Size(16, 30)
"""A server of 16 cores and 32 GB: the 7B model and the weekly run."""
SMALL: Final = Size(2, 3.5)
"""Two cores and 4 GB: the demo model."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``FAIL`` is what nothing runs without."""

    level: Literal["ok", "note", "FAIL"]
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What a server has, and what this process may use of it."""

    flags: frozenset[str]
    size: Size
    cores: int
    quota: float | None
    huge_pages: bool

    @classmethod
    def read(cls, root: Path) -> "Machine":
        """From /proc and /sys/fs/cgroup below ``root``."""
        cpus = [line.partition(":") for line in (root / "proc/cpuinfo").read_text().splitlines()]
        fields = {name.strip(): value for name, _, value in cpus}
        cores = sum(name.strip() == "processor" for name, _, _ in cpus)
        kib = int((root / "proc/meminfo").read_text().partition("MemTotal:")[2].split()[0])
        cgroup = root / "sys/fs/cgroup"
        quota = limits(cgroup, root / "proc/self/cgroup").quota
        most = cgroup / "memory.max"
        limit = most.read_text().strip() if most.is_file() else "max"
        memory = kib * 1024 if limit == "max" else min(kib * 1024, int(limit))
        usable = cores if quota is None else min(cores, quota)
        flags, huge_pages = frozenset(fields.get("flags", "").split()), root / HUGE_PAGES
        given = huge_pages.is_file() and "[never]" not in huge_pages.read_text()
        return cls(flags, Size(usable, memory / GIB), cores, quota, given)


def examine_machine(machine: Machine, threads: str | None) -> Iterator[Finding]:
    """The server that this runs on. ``threads`` is the setting N_THREADS."""
    missing = [flag for flag in NEEDED_FLAGS if flag not in machine.flags]
    if missing:
        yield Finding(
            "FAIL",
            "CPU",
            f"has no {', '.join(missing)}: the images need x86-64 of Intel's Haswell or AMD's Zen, or newer",
        )
    else:
        used = [name for flag, name in USED_FLAGS.items() if flag in machine.flags]
        yield Finding("ok", "CPU", ", ".join(["AVX2", *used]))
    yield _size("server", machine.size)
    if machine.quota is not None and machine.quota < machine.cores:
        yield Finding("note", "quota", f"{machine.quota:g} of {machine.cores} CPUs; the server takes as many threads")
    if not machine.huge_pages:
        yield Finding("note", "huge pages", f"none: a 7B is a few percent slower; write madvise into /{HUGE_PAGES}")
    if threads is not None and int(threads) > machine.size.cpus:
        text = f"{threads} threads on {machine.size.cpus:g} CPUs: answers collapse; leave N_THREADS out"
        yield Finding("FAIL", "N_THREADS", text)


def examine_disk(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free / GIB
    enough = free >= DISK_GIB
    text = f"{free:.0f} GiB free in {folder}" + ("" if enough else f"; a 7B model and its versions take {DISK_GIB}")
    yield Finding("ok" if enough else "note", "disk", text)


def _size(what: str, size: Size) -> Finding:
    if size.holds(FULL):
        return Finding("ok", what, f"{size}: room for a 7B model and the weekly run")
    if size.holds(SMALL):
        return Finding("ok", what, f"{size}: room for the demo model; a 7B model and the weekly run want {FULL}")
    return Finding("note", what, f"{size}: too little, the demo model wants {SMALL}")


class Cluster:
    """The cluster that kubectl reaches."""

    def __init__(self, kubectl: str) -> None:
        self._kubectl = kubectl

    def raw(self, path: str) -> dict[str, Any] | None:
        """What the API answers at ``path``; None when it does not."""
        command = [self._kubectl, "get", "--raw", path, "--request-timeout=10s"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:
            return None
        found: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
        return found

    def items(self, path: str) -> list[dict[str, Any]]:
        return list((self.raw(path) or {}).get("items", []))


def examine_cluster(cluster: Cluster, version: dict[str, Any], nodes: list[dict[str, Any]]) -> Iterator[Finding]:
    """Whether everything that the manifests count on is there."""
    number = int(version["major"]), int(version["minor"].rstrip("+"))
    if number >= OLDEST:
        yield Finding("ok", "Kubernetes", version["gitVersion"])
    else:
        text = f"{version['gitVersion']}, and {OLDEST[0]}.{OLDEST[1]} or newer is needed"
        yield Finding("FAIL", "Kubernetes", text)
    for node in nodes:
        yield _size(f"node {node['metadata']['name']}", size_of(node))
    yield _storage(cluster.items("/apis/storage.k8s.io/v1/storageclasses"))
    yield from _metrics(cluster)
    marked = [node for node in nodes if LABEL in node["metadata"].get("labels", {})]
    if len(nodes) > 1 and not marked:
        name = nodes[-1]["metadata"]["name"]
        yield Finding("note", "weekly run", f"no node has its label: kubectl label node {name} {LABEL}=true")


def _storage(classes: list[dict[str, Any]]) -> Finding:
    provisioners = {item["metadata"]["name"]: item["provisioner"] for item in classes}
    if CLASS in provisioners or PROVISIONER in provisioners.values():
        return Finding("ok", "storage", f"{provisioners.get(CLASS, PROVISIONER)} makes the volumes")
    others = ", ".join(sorted(set(provisioners.values()))) or "none at all"
    file = "kubernetes/components/storage-class/standard-retain.yaml"
    return Finding("FAIL", "storage", f"{PROVISIONER} is not there ({others}): name another in {file}")


def _metrics(cluster: Cluster) -> Iterator[Finding]:
    if cluster.raw("/apis/metrics.k8s.io/v1beta1/nodes") is None:
        yield Finding("note", "metrics API", "not there: no component hpa-cpu, no kubectl top; install metrics-server")
    else:
        yield Finding("ok", "metrics API", "there")
    counting = {"hpa-inflight": "/apis/custom.metrics.k8s.io/v1beta1", "hpa-keda": "/apis/keda.sh/v1alpha1"}
    possible = [name for name, path in counting.items() if cluster.raw(path) is not None]
    text = f"component {' or '.join(possible)}" if possible else "neither prometheus-adapter nor KEDA is there"
    yield Finding("ok" if possible else "note", "autoscaling by requests", text)


def size_of(node: dict[str, Any]) -> Size:
    """What pods may use of a node."""
    free = node["status"]["allocatable"]
    return Size(_quantity(free["cpu"]), _quantity(free["memory"]) / GIB)


def _quantity(text: str) -> float:
    """A number as Kubernetes writes it: ``3920m``, ``32780992Ki``, ``8``."""
    units = {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
    number = text.rstrip("mkKMGTi")
    return float(number) * units.get(text.removeprefix(number), 1)


def is_ready(node: dict[str, Any]) -> bool:
    conditions = {item["type"]: item["status"] for item in node["status"]["conditions"]}
    return conditions.get("Ready") == "True" and not node.get("spec", {}).get("unschedulable", False)


def overlay_for(sizes: list[Size]) -> str | None:
    """The overlay that nodes of these sizes can hold; None when there is none."""
    full = sum(size.holds(FULL) for size in sizes)
    if full > 1:
        return "multi-node"
    if full == 1:
        return "single-node"
    return "ci" if any(size.holds(SMALL) for size in sizes) else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("/"), help="read /proc and /sys below this folder")
    parser.add_argument(
        "--kubectl", default=os.environ.get("KUBECTL", "kubectl"), help="the command that reaches the cluster"
    )
    arguments = parser.parse_args()
    machine, cluster = Machine.read(arguments.root), Cluster(arguments.kubectl)
    findings = [*examine_machine(machine, os.environ.get("N_THREADS")), *examine_disk(arguments.root)]
    version = cluster.raw("/version")
    if version is None:
        findings.append(Finding("note", "cluster", "kubectl reaches none: this looked at the server only"))
        sizes = [machine.size]
    else:
        nodes = [node for node in cluster.items("/api/v1/nodes") if is_ready(node)]
        findings += examine_cluster(cluster, version, nodes)
        sizes = [size_of(node) for node in nodes]
    return _report(findings, overlay_for(sizes))


def _report(findings: list[Finding], overlay: str | None) -> int:
    width = max(len(each.what) for each in findings)
    for each in findings:
        print(f"{each.level:4}  {each.what:{width}}  {each.text}")
    if overlay is None or any(each.level == "FAIL" for each in findings):
        reason = "what is marked FAIL has to be there first" if overlay else "no overlay fits into what is there"
        print(f"\nNot yet: {reason}.")
        return 1
    print(f"\nThe overlay that fits is {overlay}: make deploy OVERLAY={overlay} ADMIN_EMAIL=you@example.com")
    if overlay == "ci":
        print("It runs the demo model. Docker Compose on one server does the same; see INSTALL.md.")
    else:
        print("Without a way to the internet: airgap. See INSTALL.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
