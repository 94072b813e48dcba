"""``make doctor``: what it says of servers and clusters, from what their /proc, cgroup and API would say."""

import json
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.kubernetes.commands import Commands
from tests.kubernetes.rendered import KUBERNETES, ROOT, named, of_kind, rendering

SCRIPT = KUBERNETES / "doctor.py"
HASWELL = "fpu sse4_2 avx f16c bmi1 avx2 bmi2 fma"
SAPPHIRE_RAPIDS = f"{HASWELL} avx512f avx512_vnni avx512_bf16 avx_vnni amx_int8"
GROUPS = {
    "metrics": "/apis/metrics.k8s.io/v1beta1/nodes",
    "custom": "/apis/custom.metrics.k8s.io/v1beta1",
    "keda": "/apis/keda.sh/v1alpha1",
}


@dataclass(frozen=True)
class Server:
    """``quota`` is the content of cpu.max."""

    cores: int = 16
    gib: float = 31.3
    flags: str = HASWELL
    quota: str = "max 100000"
    memory_max: str = "max"
    huge_pages: str = "always [madvise] never"

    def write(self, root: Path) -> None:
        (root / "proc/self").mkdir(parents=True)
        (root / "sys/fs/cgroup").mkdir(parents=True)
        processors = [f"processor\t: {number}\nflags\t\t: {self.flags}\n" for number in range(self.cores)]
        (root / "proc/cpuinfo").write_text("\n".join(processors))
        (root / "proc/meminfo").write_text(f"MemTotal:       {int(self.gib * 2**20)} kB\nMemFree:        1 kB\n")
        (root / "proc/self/cgroup").write_text("0::/\n")
        (root / "sys/fs/cgroup/cpu.max").write_text(f"{self.quota}\n")
        (root / "sys/fs/cgroup/memory.max").write_text(f"{self.memory_max}\n")
        (root / "sys/kernel/mm/transparent_hugepage").mkdir(parents=True)
        (root / "sys/kernel/mm/transparent_hugepage/enabled").write_text(f"{self.huge_pages}\n")


def node(name: str, cpu: str = "16", memory: str = "32780992Ki", ready: str = "True", **labels: str) -> dict[str, Any]:
    status = {"allocatable": {"cpu": cpu, "memory": memory}, "conditions": [{"type": "Ready", "status": ready}]}
    return {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": status}


@dataclass(frozen=True)
class Cluster:
    nodes: tuple[dict[str, Any], ...] = (node("one"),)
    provisioner: str = "rancher.io/local-path"
    version: str = "1.32"
    groups: tuple[str, ...] = field(default=tuple(GROUPS))

    def answers(self) -> list[tuple[str, str]]:
        major, minor = self.version.split(".")
        storage = {"items": [{"metadata": {"name": "default"}, "provisioner": self.provisioner}]}
        found: dict[str, Any] = {
            "/version": {"major": major, "minor": minor, "gitVersion": f"v{self.version}.4+k3s1"},
            "/api/v1/nodes": {"items": list(self.nodes)},
            "/apis/storage.k8s.io/v1/storageclasses": storage,
            **{GROUPS[name]: {} for name in self.groups},
        }
        return [(f"get --raw {path} *", f"echo {shlex.quote(json.dumps(body))}") for path, body in found.items()]


class Doctor:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.commands = Commands(folder)

    def ask(self, server: Server, cluster: Cluster | None = None, **variables: str) -> CompletedProcess[str]:
        server.write(self._folder / "root")
        self.commands.add("kubectl", *(cluster.answers() if cluster else ()), otherwise="exit 1")
        return self.commands.run(sys.executable, SCRIPT, "--root", self._folder / "root", **variables)


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    return Doctor(tmp_path)


def failures(done: CompletedProcess[str]) -> list[str]:
    return [line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAIL")]


@pytest.mark.parametrize(
    ("nodes", "overlay"),
    [
        ((node("one"),), "single-node"),
        ((node("one"), node("two")), "multi-node"),
        ((node("one"), node("small", "4", "8Gi")), "single-node"),
        ((node("one"), node("away", ready="False")), "single-node"),
        ((node("small", "3920m", "8029404Ki"),), "ci"),
    ],
)
def test_the_overlay_follows_from_the_nodes(doctor: Doctor, nodes: tuple[dict[str, Any], ...], overlay: str) -> None:
    done = doctor.ask(Server(), Cluster(nodes))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"make deploy OVERLAY={overlay} " in done.stdout


def test_a_good_server_and_cluster_have_no_remarks(doctor: Doctor) -> None:
    done = doctor.ask(Server(flags=SAPPHIRE_RAPIDS), Cluster())
    assert {line.split()[0] for line in done.stdout.split("\n\n")[0].splitlines() if " disk " not in line} == {"ok"}
    assert "AVX2, AVX-512, AVX-512 VNNI, AVX-512 BF16, AVX-VNNI, AMX\n" in done.stdout


@pytest.mark.parametrize(("server", "overlay"), [(Server(), "single-node"), (Server(cores=2, gib=3.8), "ci")])
def test_a_server_alone_is_judged_without_a_cluster(doctor: Doctor, server: Server, overlay: str) -> None:
    done = doctor.ask(server)
    assert done.returncode == 0
    assert "kubectl reaches none" in done.stdout
    assert f"OVERLAY={overlay} " in done.stdout


@pytest.mark.parametrize("missing", ["avx2", "fma", "f16c", "bmi2"])
def test_an_instruction_that_every_variant_uses_is_missed_by_name(doctor: Doctor, missing: str) -> None:
    flags = " ".join(flag for flag in HASWELL.split() if flag != missing)
    done = doctor.ask(Server(flags=flags), Cluster())
    assert done.returncode == 1
    assert failures(done) == ["CPU"]
    assert f"has no {missing}:" in done.stdout


def test_a_server_that_is_too_small_for_anything_is_told(doctor: Doctor) -> None:
    done = doctor.ask(Server(cores=1, gib=1.9))
    assert done.returncode == 1
    assert "no overlay fits" in done.stdout


def test_in_a_container_the_quota_and_the_limit_count(doctor: Doctor) -> None:
    done = doctor.ask(Server(quota="400000 100000", memory_max=str(8 * 2**30)))
    assert "4 CPUs, 8.0 GiB" in done.stdout
    assert "4 of 16 CPUs" in done.stdout
    assert "OVERLAY=ci " in done.stdout


def test_more_threads_than_the_quota_fail(doctor: Doctor) -> None:
    done = doctor.ask(Server(quota="400000 100000"), N_THREADS="16")
    assert done.returncode == 1
    assert failures(done) == ["N_THREADS"]
    assert "16 threads on 4 CPUs" in done.stdout


def test_a_kernel_without_huge_pages_is_told_how_to_give_them(doctor: Doctor) -> None:
    done = doctor.ask(Server(huge_pages="always madvise [never]"))
    assert done.returncode == 0
    assert "write madvise into /sys/kernel/mm/transparent_hugepage/enabled" in done.stdout


def test_as_many_threads_as_cpus_are_fine(doctor: Doctor) -> None:
    assert doctor.ask(Server(), N_THREADS="16").returncode == 0


def test_another_provisioner_says_which_file_to_change(doctor: Doctor) -> None:
    done = doctor.ask(Server(), Cluster(provisioner="ebs.csi.aws.com"))
    assert failures(done) == ["storage"]
    (path,) = (word for word in done.stdout.split() if word.startswith("kubernetes/"))
    assert (ROOT / path).is_file()
    assert "ebs.csi.aws.com" in done.stdout


def test_an_old_kubernetes_fails(doctor: Doctor) -> None:
    assert failures(doctor.ask(Server(), Cluster(version="1.29"))) == ["Kubernetes"]


@pytest.mark.parametrize(
    ("there", "sentences"),
    [
        ((), ["no component hpa-cpu", "neither prometheus-adapter nor KEDA"]),
        (("custom",), ["no component hpa-cpu", "component hpa-inflight\n"]),
        (("metrics", "keda"), ["metrics API", "component hpa-keda\n"]),
        (("metrics", "custom", "keda"), ["component hpa-inflight or hpa-keda\n"]),
    ],
)
def test_missing_metrics_are_no_failure_and_say_which_autoscaler_is_left(
    doctor: Doctor, there: tuple[str, ...], sentences: list[str]
) -> None:
    done = doctor.ask(Server(), Cluster(groups=there))
    assert done.returncode == 0
    assert all(sentence in done.stdout for sentence in sentences)


def test_two_nodes_need_one_that_is_marked_for_the_weekly_run(doctor: Doctor) -> None:
    done = doctor.ask(Server(), Cluster((node("one"), node("two"))))
    assert "kubectl label node two codellama.io/fine-tune=true" in done.stdout


def test_a_marked_node_is_enough(doctor: Doctor) -> None:
    marked = node("two", **{"codellama.io/fine-tune": "true"})
    assert "kubectl label" not in doctor.ask(Server(), Cluster((node("one"), marked))).stdout


def test_what_it_asks_for_holds_what_the_overlays_request() -> None:
    for overlay, cpus, gib in (("single-node", 16, 30), ("ci", 2, 3.5)):
        requests = [
            container["resources"]["requests"]
            for item in of_kind(rendering(overlay), "Deployment")
            for container in item["spec"]["template"]["spec"]["containers"] * item["spec"].get("replicas", 1)
        ]
        job = named(rendering(overlay), "CronJob", "codellama-fine-tune-cron")["spec"]["jobTemplate"]["spec"]
        requests += [container["resources"]["requests"] for container in job["template"]["spec"]["containers"]]
        assert sum(cpu(each["cpu"]) for each in requests) <= cpus
        assert sum(memory(each["memory"]) for each in requests) <= gib


def cpu(text: str) -> float:
    return float(text.removesuffix("m")) / (1000 if text.endswith("m") else 1)


def memory(text: str) -> float:
    return float(text.removesuffix("Gi")) if text.endswith("Gi") else float(text.removesuffix("Mi")) / 1024
