"""General code at hand everywhere: the source of the running Python's standard library.

Most of it is replayed in training against forgetting; a fixed part is left out of training and probes for forgetting.
"""

import hashlib
import random
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from finetuning.items import Code, Item, Source
from finetuning.sources import source_id

SKIPPED: Final = frozenset(
    {"site-packages", "dist-packages", "lib2to3", "idlelib", "turtledemo", "pydoc_data", "encodings", "__pycache__"}
)
MAX_BYTES: Final = 60_000
PROBE_SHARE: Final = 0.02


def probe_items() -> list[Item]:
    """The files that are never trained on. The demo model's training leaves the same ones out."""
    return [_item(path, name) for name, path in _files() if _place(name) < PROBE_SHARE]


def replay_items(seed: int) -> Iterator[Item]:
    """The other files, without tests, in a random order that depends on ``seed`` only."""
    files = [(name, path) for name, path in _files() if _place(name) >= PROBE_SHARE and not _is_test(name)]
    random.Random(seed).shuffle(files)
    return (_item(path, name) for name, path in files)


def _files() -> list[tuple[str, Path]]:
    root = Path(sysconfig.get_path("stdlib"))
    found = [(str(path.relative_to(root)), path) for path in sorted(root.rglob("*.py"))]
    return [(name, path) for name, path in found if not SKIPPED & set(Path(name).parts) and _is_usable(path)]


def _is_usable(path: Path) -> bool:
    if not 200 < path.stat().st_size <= MAX_BYTES:
        return False
    try:
        path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return True


def _is_test(name: str) -> bool:
    return any(part in ("test", "tests") for part in Path(name).parts)


def _item(path: Path, name: str) -> Item:
    text = path.read_text(encoding="utf-8")
    return Item(Source.REPLAY, source_id(f"library:{name}"), f"library:{name}", Code(text, "python"))


def _place(name: str) -> float:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32
