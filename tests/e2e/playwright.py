"""Runs browser tests against a product that is there already."""

import shutil
import subprocess

from tests.e2e.site import ROOT


def run_playwright(environment: dict[str, str], *arguments: str) -> None:
    """Raises AssertionError with what the runner said when a test fails."""
    npx = shutil.which("npx")
    assert npx is not None, "Node is missing: run the tests with make"
    result = subprocess.run(
        [npx, "playwright", "test", *arguments], cwd=ROOT / "frontend", env={**environment, "CI": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    print(result.stdout[-6000:])
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
