"""Run code that a model wrote, each answer in a process of its own: no network, little time and memory, no files.

Against a model's mistakes, not against an attacker: the audit hook in ``jail`` can be got round from within Python. The
kernel's limits and, where user namespaces are allowed, the network namespace cannot.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

JAIL: Final = Path(__file__).with_name("jail.py")
WALL_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """``network``: what keeps the network away, ``namespace`` (the kernel) or ``hook`` (Python's audit hook only)."""

    passed: bool
    network: str


def run(program: str, asserts: Sequence[str], wall_s: float = WALL_S) -> Outcome:
    """Whether every assertion (an expression) holds after ``program``, within the limits and ``wall_s`` seconds."""
    token = secrets.token_hex(16)
    task = json.dumps({"program": program, "asserts": list(asserts), "token": token})
    command = [sys.executable, "-I", "-S", str(JAIL)]
    with tempfile.TemporaryDirectory(prefix="answer-") as folder:
        lines = _communicate(command, task, folder, wall_s).split("\n")
    return Outcome(passed=lines[1:] == [token], network=lines[0])


def _communicate(command: Sequence[str], text: str, folder: str, wall_s: float) -> str:
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=nothing, cwd=folder, env={}, text=True, start_new_session=True
    ) as process:
        try:
            return process.communicate(text, timeout=wall_s)[0]
        except subprocess.TimeoutExpired:
            return ""
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
