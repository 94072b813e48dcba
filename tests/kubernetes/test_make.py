"""``make`` lists what there is, and what it calls is there."""

import re
import subprocess
from pathlib import Path

from tests.kubernetes.commands import Commands
from tests.kubernetes.rendered import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))


def test_help_lists_every_target_of_the_cluster() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    listed = set(re.findall(r"^  make ([a-z-]+) ", shown, re.MULTILINE))
    assert listed == TARGETS
    assert {"images", "push", "load", "secrets", "deploy", "doctor"} <= listed


def test_no_target_is_taken_for_a_file() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony is not None
    assert set(phony[1].split()) == TARGETS


def test_scripts_that_make_calls_can_be_run() -> None:
    called = set(re.findall(r"kubernetes/\w+\.(?:sh|py)", MAKEFILE))
    assert {"kubernetes/images.sh", "kubernetes/deploy.sh", "kubernetes/secrets.sh", "kubernetes/doctor.py"} <= called
    for path in called:
        assert (ROOT / path).stat().st_mode & 0o111


def test_variables_reach_the_scripts(tmp_path: Path) -> None:
    commands = Commands(tmp_path)
    commands.add("podman")
    commands.add("kubectl")
    pushed = commands.run("make", "-C", ROOT, "push", "REGISTRY=registry.example.com", "CONTAINER_ENGINE=podman")
    assert pushed.returncode == 0, pushed.stderr
    assert "podman push registry.example.com/codellama-backend:0.1.0" in commands.calls
    refused = commands.run("make", "-C", ROOT, "deploy", "OVERLAY=nowhere")
    assert "OVERLAY names none" in refused.stderr
