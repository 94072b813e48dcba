"""What ``kubectl kustomize`` makes of our folders, as plain objects, and how to find one's way in them."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "kubernetes"
OVERLAYS = sorted(path.parent.name for path in (KUBERNETES / "overlays").glob("[!.]*/kustomization.yaml"))
COMPONENTS = sorted(path.parent.name for path in (KUBERNETES / "components").glob("*/kustomization.yaml"))
JOBS = sorted(path.stem for path in (KUBERNETES / "jobs").glob("*.yaml"))
AUTOSCALERS = [name for name in COMPONENTS if name.startswith("hpa-")]
"""One of them at a time."""
EVERYTHING = [f"everything with {name}" for name in AUTOSCALERS]
RENDERINGS = ["base", *OVERLAYS, *EVERYTHING]
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")

Object = dict[str, Any]


class Workload(NamedTuple):
    """An object that makes pods, and the pods' template."""

    kind: str
    name: str
    spec: Object
    template: Object

    @property
    def pod(self) -> Object:
        found: Object = self.template["spec"]
        return found

    @property
    def labels(self) -> dict[str, str]:
        found: dict[str, str] = self.template["metadata"]["labels"]
        return found

    @property
    def containers(self) -> list[Object]:
        return [*self.pod.get("initContainers", []), *self.pod["containers"]]


@cache
def rendering(name: str) -> tuple[Object, ...]:
    """All objects of the base, of an overlay, or of the base with every component and one of the autoscalers."""
    if name in EVERYTHING:
        others = set(AUTOSCALERS) - {name.rpartition(" ")[2]}
        return with_components([each for each in COMPONENTS if each not in others])
    return _kustomize(KUBERNETES / name if name == "base" else KUBERNETES / "overlays" / name)


def job(name: str) -> Object:
    """A Job that is made on demand."""
    found: Object = yaml.safe_load((KUBERNETES / "jobs" / f"{name}.yaml").read_text())
    return found


def jobs_for(name: str) -> list[Object]:
    """The Jobs on demand whose volumes a rendering has."""
    claims = {item["metadata"]["name"] for item in of_kind(rendering(name), "PersistentVolumeClaim")}
    return [found for found in map(job, JOBS) if claims_of(next(workloads([found]))) <= claims]


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    return [item for item in objects if item["kind"] in kinds]


def named(objects: Iterable[Object], kind: str, name: str) -> Object:
    """The object of this kind and name. Raises LookupError when there is none."""
    for item in objects:
        if item["kind"] == kind and item["metadata"]["name"] == name:
            return item
    raise LookupError(f"no {kind} {name}")


def workloads(objects: Iterable[Object]) -> Iterator[Workload]:
    for item in of_kind(objects, *WORKLOADS):
        spec = item["spec"]["jobTemplate"]["spec"] if item["kind"] == "CronJob" else item["spec"]
        name = item["metadata"].get("name") or item["metadata"]["generateName"]
        yield Workload(item["kind"], name, spec, spec["template"])


def workload(objects: Iterable[Object], name: str) -> Workload:
    return next(item for item in workloads(objects) if item.name == name)


def claims_of(item: Workload) -> set[str]:
    """Names of the claims that a workload mounts."""
    claims = (volume.get("persistentVolumeClaim") for volume in item.pod["volumes"])
    return {claim["claimName"] for claim in claims if claim}


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector (matchLabels, matchExpressions with In) takes these labels in."""
    exact = selector.get("matchLabels", {}).items() <= labels.items()
    return exact and all(
        rule["operator"] == "In" and labels.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", [])
    )


def with_components(names: Iterable[str]) -> tuple[Object, ...]:
    """The base with these components. Raises RuntimeError when kustomize refuses them."""
    with TemporaryDirectory(dir=KUBERNETES / "overlays", prefix=".test-") as folder:
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": ["../../base"],
            "components": [f"../../components/{name}" for name in names],
        }
        (Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump(content))
        return _kustomize(Path(folder))


def _kustomize(folder: Path) -> tuple[Object, ...]:
    kubectl = os.environ.get("KUBECTL", "kubectl")
    done = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0 or done.stderr:
        raise RuntimeError(f"{folder.name} does not render: {done.stderr}")
    return tuple(yaml.safe_load_all(done.stdout))
