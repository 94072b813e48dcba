"""The GitHub workflow calls what is there: ``.ci/run`` for every change, and the three images for a tag."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kubernetes.commands import Commands
from tests.kubernetes.rendered import ROOT

WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
JOBS: dict[str, dict[str, Any]] = WORKFLOW["jobs"]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def commands_of(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def test_changes_are_tested_and_tags_are_published() -> None:
    events = WORKFLOW[True]  # YAML 1.1 takes the word `on` for a boolean
    assert events.keys() == {"push", "pull_request"}
    assert JOBS.keys() == {"test", "images"}
    assert "if" not in JOBS["test"]
    assert JOBS["images"]["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert JOBS["images"]["needs"] == "test"
    assert events["push"] == {"branches": ["main"], "tags": ["v*"]}


def test_the_tests_are_those_of_make_test() -> None:
    assert commands_of("test") == [".ci/run"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert (ROOT / ".ci" / "run").read_text().endswith("\nmake test\n")


def test_every_target_and_variable_exists() -> None:
    calls = [command.split() for command in commands_of("images")]
    assert [call[:2] for call in calls] == [["make", "images"], ["make", "push"]]
    for _, target, *variables in calls:
        assert target in TARGETS
        for variable in variables:
            assert f"$({variable.partition('=')[0]})" in MAKEFILE


@pytest.mark.parametrize("part", ["backend", "frontend", "fine-tuning"])
def test_a_tag_becomes_the_version_of_every_image(tmp_path: Path, part: str) -> None:
    commands = Commands(tmp_path)
    commands.add("docker")
    for command in commands_of("images"):
        done = commands.run(
            "bash", "-euc", f"cd {ROOT}; {command}", GITHUB_REF_NAME="v1.2.3", GITHUB_REPOSITORY="Team/Assistant"
        )
        assert done.returncode == 0, done.stderr
    built = next(call for call in commands.calls if f"-f {part}/Dockerfile" in call)
    assert f"-t codellama-{part}:1.2.3 --build-arg VERSION=1.2.3 " in built
    assert f"docker push ghcr.io/team/assistant/codellama-{part}:1.2.3" in commands.calls


def test_only_the_job_that_publishes_may_write_packages() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "permissions" not in JOBS["test"]
    assert JOBS["images"]["permissions"] == {"contents": "read", "packages": "write"}
