"""What has programs of its own: types and style in all languages, the front end's unit tests, its bundle's size."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("target", ["lint", "test-frontend"])
def test_nothing_is_found(target: str) -> None:
    done = subprocess.run(["make", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"make {target}:\n{done.stdout[-6000:]}{done.stderr[-6000:]}"
