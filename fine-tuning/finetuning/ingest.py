"""Take a folder of source code into ``documents``: what is new or changed is written, what is gone is removed."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from codellama_core.documents import MAX_BYTES, Intake, SourceFile, defect_of, is_foreign, language_of
from codellama_core.licenses import ALLOWED, is_license_file, license_of_texts
from finetuning.errors import UsageError


def ingest(
    engine: Engine,
    folder: Path,
    repo: str | None = None,
    license_name: str | None = None,
    languages: frozenset[str] | None = None,
    licenses: Iterable[str] = ALLOWED,
) -> Counter[str]:
    """Bring the rows of ``repo`` (default: the folder's name) in line with ``folder``; returns what was done, counted.

    ``licenses`` is the allow-list; ``license_name`` stands in for what the license files say. What was taken before and
    is gone, or no longer allowed, is removed. Erased files (tombstones) stay erased, by path and by content. Raises
    UsageError when there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.")
    repo = repo or folder.resolve().name
    counts: Counter[str] = Counter()
    with Session(engine) as session, session.begin():
        intake = Intake(session, repo, license_name, licenses=licenses)
        for file in source_files(folder, counts, languages):
            outcome = intake.take(file)
            counts["skipped_license" if outcome == "license" else outcome] += 1
        if removed := intake.remove_others():
            counts["removed"] = removed
    return counts


def source_files(folder: Path, skipped: Counter[str], languages: frozenset[str] | None = None) -> Iterator[SourceFile]:
    """Source files worth learning from, below ``folder``, in order of their paths; counts the others in ``skipped``.

    A file is under the license of the nearest folder above it that has license files.
    """
    under: dict[Path, str | None] = {folder.parent: None}
    for parent, names in _walk(folder, skipped):
        under[parent] = _license_in(parent, names) or under[parent.parent]
        for name in names:
            file = _source_file(folder, parent / name, languages)
            if isinstance(file, SourceFile):
                yield replace(file, license=under[parent])
            else:
                skipped[f"skipped_{file}"] += 1


def _walk(folder: Path, skipped: Counter[str]) -> Iterator[tuple[Path, list[str]]]:
    """Folders with the names of their files; those of others' code are counted and not entered."""
    for parent, folders, files in os.walk(folder):
        own = [name for name in folders if not (is_foreign(name) or Path(parent, name, "pyvenv.cfg").exists())]
        if foreign := sum(not name.startswith(".") for name in set(folders) - set(own)):
            skipped["skipped_foreign_folder"] += foreign
        folders[:] = sorted(own)
        paths = (Path(parent, name) for name in sorted(files))
        yield Path(parent), [path.name for path in paths if not path.is_symlink() and path.is_file()]


def _license_in(parent: Path, names: Iterable[str]) -> str | None:
    found = [parent / name for name in names if is_license_file(name)]
    return license_of_texts(path.read_text(encoding="utf-8", errors="replace") for path in found)


def _source_file(folder: Path, path: Path, languages: frozenset[str] | None) -> SourceFile | str:
    """The file, or why it is left out."""
    language = language_of(path.name)
    if language is None or (languages is not None and language not in languages):
        return "other"
    try:
        if path.stat().st_size > MAX_BYTES:
            return "too_large"
        content = path.read_bytes().decode("utf-8")
    except OSError:
        return "unreadable"
    except UnicodeDecodeError:
        return "binary"
    return defect_of(content) or SourceFile(path.relative_to(folder).as_posix(), language, content)
