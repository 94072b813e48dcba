"""Checkpoints: the newest two, each with its SHA-256 in its name, so that a damaged one is not gone on from."""

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from codellama_core.registry import sha256_of
from finetuning.files import replacing, sync

logger = logging.getLogger(__name__)

KEPT: Final = 2
PATTERN: Final = "checkpoint-*.pt"
UNNAMED: Final = "checkpoint.new"
"""What is whole but not yet named by its hash; only a kill in between leaves it behind."""


class Checkpoints:
    """The checkpoints in a folder, ``checkpoint-<number>-<SHA-256>.pt``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, write: Callable[[Path], object]) -> None:
        """Have a checkpoint written, then delete all but the one before it. If it fails, those that are there stay."""
        before, unnamed = self._newest_first(), self._folder / UNNAMED
        with replacing(unnamed) as temporary:
            write(temporary)
        number = _number(before[0]) + 1 if before else 1
        os.replace(unnamed, self._folder / f"checkpoint-{number:06}-{sha256_of(unnamed)}.pt")
        sync(self._folder)
        for old in before[KEPT - 1 :]:
            old.unlink()

    def newest(self) -> Path | None:
        """The newest checkpoint that is what was written, None if there is none. Damaged ones are deleted."""
        for path in self._newest_first():
            if path.stem.endswith(sha256_of(path)):
                return path
            logger.warning("%s is damaged; going on from the one before it, if there is one", path)
            path.unlink()
        return None

    def delete(self) -> None:
        """Delete them all."""
        for path in [*self._newest_first(), self._folder / UNNAMED]:
            path.unlink(missing_ok=True)

    def _newest_first(self) -> list[Path]:
        return sorted(self._folder.glob(PATTERN), key=_number, reverse=True)


def _number(path: Path) -> int:
    return int(path.name.split("-")[1])
