"""``make push`` and ``make load``: the three images arrive under the names that the manifests look for."""

from pathlib import Path

import pytest

from tests.kubernetes.commands import Commands
from tests.kubernetes.rendered import KUBERNETES, rendering, workloads

SCRIPT = KUBERNETES / "images.sh"
PARTS = ("backend", "frontend", "fine-tuning")


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    made = Commands(tmp_path)
    made.add("docker", ("save *", "echo an image"))
    made.add("podman", ("save *", "echo an image"))
    made.add("sudo", otherwise='exec "$@"')
    return made


def names_in_manifests() -> set[str]:
    images = {each["image"] for item in workloads(rendering("single-node")) for each in item.containers}
    return {image for image in images if image.startswith("codellama-")}


def test_the_images_are_those_of_the_manifests() -> None:
    assert names_in_manifests() == {f"codellama-{part}:0.1.0" for part in PARTS}


def test_each_image_is_pushed_under_its_own_name(commands: Commands) -> None:
    done = commands.run(SCRIPT, "push", "registry.example.com/team/")
    assert done.returncode == 0, done.stderr
    pushed = [call.split()[-1] for call in commands.calls if " push " in call]
    assert pushed == [f"registry.example.com/team/codellama-{part}:0.1.0" for part in PARTS]
    for name in pushed:
        assert f"docker tag {name.rpartition('/')[2]} {name}" in commands.calls
    assert (
        "- {name: codellama-backend, newName: registry.example.com/team/codellama-backend, newTag: 0.1.0}"
        in done.stdout
    )


@pytest.mark.parametrize(
    "arguments", [(), ("push",), ("push", ""), ("push", "https://registry.example.com"), ("pull", "x")]
)
def test_what_names_no_registry_is_refused(commands: Commands, arguments: tuple[str, ...]) -> None:
    done = commands.run(SCRIPT, *arguments)
    assert done.returncode == 64
    assert "REGISTRY" in done.stderr
    assert commands.calls == []


@pytest.mark.parametrize("engine", ["docker", "podman"])
@pytest.mark.parametrize(
    ("importer", "command"), [("k3s", "ctr images import -"), ("ctr", "--namespace k8s.io images import -")]
)
def test_images_are_imported_where_the_kubelet_looks(
    commands: Commands, engine: str, importer: str, command: str
) -> None:
    commands.add(importer, otherwise="cat > /dev/null")
    done = commands.run(SCRIPT, "load", CONTAINER_ENGINE=engine)
    assert done.returncode == 0, done.stderr
    assert commands.calls.count(f"{importer} {command}") == len(PARTS)
    for part in PARTS:
        assert f"{engine} tag codellama-{part}:0.1.0 docker.io/library/codellama-{part}:0.1.0" in commands.calls
        assert f"{engine} save docker.io/library/codellama-{part}:0.1.0" in commands.calls


def test_a_missing_image_says_how_to_build_it(commands: Commands) -> None:
    commands.add("docker", ("image inspect *fine-tuning*", "exit 1"))
    done = commands.run(SCRIPT, "push", "registry.example.com")
    assert done.returncode == 66
    assert "codellama-fine-tuning:0.1.0" in done.stderr
    assert "make images" in done.stderr
    assert not [call for call in commands.calls if " push " in call]


def test_an_image_that_cannot_be_saved_fails(commands: Commands) -> None:
    commands.add("k3s", otherwise="cat > /dev/null")
    commands.add("docker", ("save *", "exit 125"))
    assert commands.run(SCRIPT, "load").returncode != 0


def test_a_machine_that_is_no_node_is_told(commands: Commands) -> None:
    done = commands.run(SCRIPT, "load")
    assert done.returncode == 69
    assert "make push" in done.stderr
