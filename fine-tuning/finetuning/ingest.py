"""Take a folder of source code into ``documents``: what is new or changed is written, what is gone is removed."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from codellama_core.documents import MAX_BYTES, Intake, SourceFile, is_fit, language_of
from finetuning.errors import UsageError

SKIPPED_FOLDERS: Final = frozenset(
    {
        "node_modules",
        "vendor",
        "third_party",
        "site-packages",
        "dist",
        "build",
        "target",
        "out",
        "venv",
        "__pycache__",
        "__snapshots__",
        "migrations",
    }
)


def ingest(
    engine: Engine,
    folder: Path,
    repo: str | None = None,
    license_name: str | None = None,
    languages: frozenset[str] | None = None,
) -> Counter[str]:
    """Bring the rows of ``repo`` (default: the folder's name) in line with ``folder``; returns what was done, counted.

    Erased files (tombstones) stay erased, by path and by content. Raises UsageError when there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.")
    repo = repo or folder.resolve().name
    counts: Counter[str] = Counter()
    with Session(engine) as session, session.begin():
        intake = Intake(session, repo, license_name)
        for file in source_files(folder, counts, languages):
            counts[intake.take(file)] += 1
        if removed := intake.remove_others():
            counts["removed"] = removed
    return counts


def source_files(folder: Path, skipped: Counter[str], languages: frozenset[str] | None = None) -> Iterator[SourceFile]:
    """Source files worth learning from, below ``folder``, in order of their paths; counts the others in ``skipped``."""
    for path in _walk(folder):
        language = language_of(path.name)
        if language is None or (languages is not None and language not in languages):
            skipped["skipped_other"] += 1
            continue
        content = _readable(path)
        if content is None:
            skipped["skipped_unfit"] += 1
            continue
        yield SourceFile(str(path.relative_to(folder)), language, content)


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_skipped(Path(parent, name)))
        for name in sorted(files):
            path = Path(parent, name)
            if not path.is_symlink() and path.is_file():
                yield path


def _is_skipped(folder: Path) -> bool:
    hidden = folder.name.startswith(".") or folder.name.endswith(".egg-info")
    return hidden or folder.name in SKIPPED_FOLDERS or (folder / "pyvenv.cfg").exists()


def _readable(path: Path) -> str | None:
    """A file's text; None when there is nothing to learn in it."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        content = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return content if is_fit(content) else None
