"""Programs of a path of their own that write down how they are called, and answer as they are told."""

import os
import subprocess
from pathlib import Path
from typing import Final

REAL: Final = "/usr/local/bin:/usr/bin:/bin"


class Commands:
    """A folder in front of the path. ``calls`` are the command lines, in order."""

    def __init__(self, folder: Path) -> None:
        self._bin, self._log = folder / "bin", folder / "calls"
        self._bin.mkdir()
        self._log.touch()

    def add(self, name: str, *answers: tuple[str, str], otherwise: str = "exit 0") -> None:
        """A program; an answer is a shell pattern of its arguments and what is run then. The first that fits counts."""
        cases = "".join(f"{pattern.replace(' ', '?')}) {action} ;;\n" for pattern, action in answers)
        text = f'#!/bin/sh\necho "{name} $*" >> {self._log}\ncase "$*" in\n{cases}*) {otherwise} ;;\nesac\n'
        (self._bin / name).write_text(text)
        (self._bin / name).chmod(0o755)

    @property
    def calls(self) -> list[str]:
        return self._log.read_text().splitlines()

    def run(self, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program with nothing in its environment but the path and ``variables``."""
        env = {"PATH": f"{self._bin}:{REAL}", "HOME": str(self._bin), **variables}
        env |= {name: value for name, value in os.environ.items() if name == "TMPDIR"}
        return subprocess.run(list(map(str, command)), env=env, capture_output=True, text=True, check=False)
