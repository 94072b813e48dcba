"""What the overlays for several nodes and for no internet promise; their scripts are run, not only looked at."""

import os
import re
from hashlib import sha256
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.kubernetes.commands import Commands
from tests.kubernetes.rendered import (
    OVERLAYS,
    RENDERINGS,
    ROOT,
    Object,
    Workload,
    named,
    of_kind,
    rendering,
    with_components,
    workload,
    workloads,
)

LABEL = "codellama.io/fine-tune"
VERSION = re.findall(r"^VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0]


def backend(overlay: str) -> Workload:
    return workload(rendering(overlay), "codellama-deployment")


def init_container(overlay: str, name: str) -> Object:
    return next(each for each in backend(overlay).pod["initContainers"] if each["name"] == name)


def mounts(container: Object) -> dict[str, Object]:
    return {mount["mountPath"]: mount for mount in container["volumeMounts"]}


def test_they_are_there() -> None:
    assert {"single-node", "multi-node", "airgap", "ci"} <= set(OVERLAYS)


@pytest.mark.parametrize("name", RENDERINGS)
def test_all_of_our_images_have_the_same_version(name: str) -> None:
    images = {each["image"] for item in workloads(rendering(name)) for each in item.containers}
    assert {image.partition(":")[2] for image in images if "codellama-" in image} == {VERSION}


@pytest.mark.parametrize("name", RENDERINGS)
def test_a_claim_that_names_a_volume_gets_it(name: str) -> None:
    volumes = of_kind(rendering(name), "PersistentVolume")
    named_by = {item["spec"].get("volumeName") for item in of_kind(rendering(name), "PersistentVolumeClaim")} - {None}
    assert named_by == {volume["metadata"]["name"] for volume in volumes}
    for volume in volumes:
        reference = volume["spec"]["claimRef"]
        claim = named(rendering(name), "PersistentVolumeClaim", reference["name"])
        assert claim["metadata"]["namespace"] == reference["namespace"]
        assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
        for key in ("storageClassName", "accessModes"):
            assert claim["spec"][key] == volume["spec"][key]
        assert claim["spec"]["resources"]["requests"]["storage"] == volume["spec"]["capacity"]["storage"]


def test_on_several_nodes_every_pod_may_mount_the_models() -> None:
    claim = named(rendering("multi-node"), "PersistentVolumeClaim", "codellama-pvc")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert all("affinity" not in item.pod for item in workloads(rendering("multi-node")))


def test_the_weekly_run_is_on_the_node_that_is_marked_for_it() -> None:
    pod = workload(rendering("multi-node"), "codellama-fine-tune-cron").pod
    assert pod["nodeSelector"] == {LABEL: "true"}
    assert pod["tolerations"] == [{"key": LABEL, "operator": "Exists", "effect": "NoSchedule"}]
    others = [item.pod for item in workloads(rendering("multi-node")) if item.name != "codellama-fine-tune-cron"]
    assert all("tolerations" not in pod and "nodeSelector" not in pod for pod in others)


@pytest.mark.parametrize("more", [(), ("weights-cache",)])
def test_a_pod_of_one_socket_asks_for_whole_cpus_and_for_what_it_may_use_in_every_container(
    more: tuple[str, ...],
) -> None:
    """Kubernetes' conditions for the QoS class Guaranteed, and the static CPU manager's for CPUs of one's own."""
    item = workload(with_components(["numa", *more]), "codellama-deployment")
    for container in item.containers:
        assert container["resources"]["requests"] == container["resources"]["limits"], container["name"]
        assert set(container["resources"]["limits"]) >= {"cpu", "memory"}
    (backend,) = (each for each in item.pod["containers"] if each["name"] == "backend")
    assert str(backend["resources"]["limits"]["cpu"]).isdigit()


def test_the_backend_reads_no_weights_from_the_network() -> None:
    container = backend("multi-node").pod["containers"][0]
    volumes = {volume["name"]: volume for volume in backend("multi-node").pod["volumes"]}
    config = named(rendering("multi-node"), "ConfigMap", "codellama-config")["data"]
    assert "emptyDir" in volumes[mounts(container)[config["MODELS_DIR"]]["name"]]
    shared = [mount for mount in container["volumeMounts"] if "persistentVolumeClaim" in volumes[mount["name"]]]
    assert [(mount["mountPath"], mount["subPath"]) for mount in shared] == [("/models/spool", "spool")]


def test_copies_are_made_after_everything_that_fills_the_volume() -> None:
    names = [each["name"] for each in backend("multi-node").pod["initContainers"]]
    assert names[-1] == "weights"
    container = init_container("multi-node", "weights")
    assert container["restartPolicy"] == "Always"
    script = container["command"][-1]
    marker = Path(container["startupProbe"]["exec"]["command"][-1])
    assert marker.parent.as_posix() == {each["name"]: each["value"] for each in container["env"]}["CACHE"]
    assert f"touch {marker.name}\n" in script


class Copying:
    """The script of the container that copies, on two folders; a call is one round."""

    def __init__(self, folder: Path) -> None:
        self.shared, self.cache = folder / "shared", folder / "cache"
        self._commands = Commands(folder)
        self._commands.add("sleep", otherwise="kill $PPID")
        for path in (self.shared, self.cache):
            path.mkdir()

    def write(self, name: str, text: str, at: int = 1) -> None:
        (self.shared / name).parent.mkdir(parents=True, exist_ok=True)
        (self.shared / name).write_text(text)
        os.utime(self.shared / name, (at, at))

    def once(self) -> list[str]:
        """What was copied."""
        command = init_container("multi-node", "weights")["command"]
        done = self._commands.run(*command, SHARED=str(self.shared), CACHE=str(self.cache))
        assert (done.returncode, done.stderr) == (0, "")
        return re.findall("^copying (.*)$", done.stdout, re.MULTILINE)

    @property
    def copies(self) -> dict[str, str]:
        files = [path for path in self.cache.rglob("*") if path.is_file() and path.name != ".filled"]
        return {path.relative_to(self.cache).as_posix(): path.read_text() for path in files}


@pytest.fixture
def copying(tmp_path: Path) -> Copying:
    return Copying(tmp_path)


def test_what_can_be_served_is_copied_and_nothing_else(copying: Copying) -> None:
    served = {"base/demo-model/model.gguf": "demo", "versions/1/model.gguf": "one", "versions/1/manifest.json": "{}"}
    for name, text in served.items():
        copying.write(name, text)
    for name in ("base/codellama-7b-hf/model.safetensors", "base/demo-model/model.gguf.pod-1", "runs/1/rows.parquet"):
        copying.write(name, "large")
    assert set(copying.once()) == served.keys()
    assert copying.copies == served


def test_a_round_is_marked_even_where_there_is_nothing_yet(copying: Copying) -> None:
    assert copying.once() == []
    assert (copying.cache / ".filled").is_file()
    assert (copying.shared / "spool").is_dir()


def test_only_what_changed_is_copied_again(copying: Copying) -> None:
    copying.write("versions/1/model.gguf", "half", at=1)
    copying.once()
    assert copying.once() == []
    copying.write("versions/1/model.gguf", "whole", at=2)
    copying.write("versions/2/model.gguf", "two", at=2)
    assert copying.once() == ["versions/1/model.gguf", "versions/2/model.gguf"]
    assert copying.copies == {"versions/1/model.gguf": "whole", "versions/2/model.gguf": "two"}


def test_what_was_deleted_or_broke_off_is_removed(copying: Copying) -> None:
    copying.write("versions/1/model.gguf", "one")
    copying.once()
    (copying.shared / "versions/1/model.gguf").unlink()
    (copying.cache / "versions/1/adapter.gguf.part").write_text("cut")
    copying.once()
    assert copying.copies == {}


def check_model(path: Path) -> CompletedProcess[str]:
    return Commands(path.parent).run(*init_container("airgap", "model-file")["command"], MODEL_PATH=str(path))


@pytest.mark.parametrize("content", [None, b""], ids=["missing", "empty"])
def test_without_a_model_it_says_where_the_file_belongs(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    done = check_model(path)
    assert done.returncode == 66
    assert f"There is no file {path}" in done.stderr
    title = re.findall(r"see INSTALL.md, ([\w ]+)", done.stderr)[0]
    assert f"# {title}\n" in (ROOT / "INSTALL.md").read_text()


@pytest.mark.parametrize("checksum", [None, "07f1e0af3a1a9e8e5d8e8f2f3b6b6b7f"], ids=["not GGUF", "another SHA-256"])
def test_a_file_that_was_cut_or_is_another_is_refused(tmp_path: Path, checksum: str | None) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF weights" if checksum else b"<html>")
    if checksum is not None:
        path.with_name("model.gguf.sha256").write_text(f"{checksum}  model.gguf\n")
    done = check_model(path)
    assert done.returncode == 65
    assert "copy it again" in done.stderr


@pytest.mark.parametrize("checksum", [True, False])
def test_a_whole_model_passes(tmp_path: Path, checksum: bool) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF weights")
    if checksum:
        digest = sha256(path.read_bytes()).hexdigest()
        path.with_name("model.gguf.sha256").write_text(f"{digest}  model.gguf\n")
    assert check_model(path).returncode == 0


def test_without_internet_every_image_is_from_ones_own_registry() -> None:
    images = {each["image"] for item in workloads(rendering("airgap")) for each in item.containers}
    assert {image.partition("/")[0] for image in images} == {"registry.example.com"}


def test_without_internet_nothing_names_a_place_on_it() -> None:
    for item in workloads(rendering("airgap")):
        for container in item.containers:
            assert "http" not in " ".join(container.get("command", []))
            assert not [each for each in container.get("env", []) if "://" in each.get("value", "")]


def test_without_internet_the_weekly_run_trains_what_is_served() -> None:
    container = workload(rendering("airgap"), "codellama-fine-tune-cron").pod["containers"][0]
    given = {each["name"]: each.get("value") for each in container["env"]}
    assert given["FINETUNE_BASE"] == "/models/base/codellama-7b-hf"
    config = Path(str(given["FINETUNE_CONFIG"]))
    assert (ROOT / "fine-tuning" / "configs" / config.name).is_file()
    assert f"COPY fine-tuning/configs {config.parent}\n" in (ROOT / "fine-tuning" / "Dockerfile").read_text()
