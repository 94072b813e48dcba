"""Source code that admins offer for training."""

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from assistant.errors import NotFoundError
from assistant.services.people.users import escaped
from codellama_core.documents import Intake, SourceFile, defect_of, is_foreign, language_of
from codellama_core.licenses import is_license_file, license_of_texts
from codellama_core.models import Document

INTAKE_LOCK = 0x646F6373
"""Key of the advisory lock under which files are taken in: two uploads of one repository take turns."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came: ``path`` is relative to its repository."""

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class Offer:
    """Files of one repository; ``license_name`` stands in for what its license files say.

    ``license_files`` are license texts of the repository that hold for these files and may have come with others.
    """

    repo: str
    license_name: str | None
    files: Sequence[Upload]
    license_files: Sequence[Upload] = ()


@dataclass(frozen=True, slots=True)
class Repo:
    """How many files, and characters, of a repository may be learned from, and how many have been erased."""

    name: str
    files: int
    characters: int
    erased: int


async def take(session: AsyncSession, user_id: uuid.UUID, offer: Offer, licenses: Collection[str]) -> Counter[str]:
    """Take files in; what became of them, counted.

    New, changed, unchanged, tombstoned; or why not: unknown_language, foreign_folder, license (not among ``licenses``),
    empty, too_large, binary, minified, generated.
    """
    await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": INTAKE_LOCK})
    return await session.run_sync(_take, user_id, offer, licenses)


def _take(session: Session, user_id: uuid.UUID, offer: Offer, licenses: Collection[str]) -> Counter[str]:
    intake = Intake(session, offer.repo, offer.license_name, user_id, licenses)
    under, counts = _licenses_of([*offer.license_files, *offer.files]), Counter[str]()
    for file in offer.files:
        counts[_taken(intake, file, under)] += 1
    return counts


def _taken(intake: Intake, file: Upload, under: dict[PurePosixPath, str | None]) -> str:
    path = PurePosixPath(file.path)
    language = language_of(file.path)
    if language is None:
        return "unknown_language"
    if any(map(is_foreign, path.parts[:-1])):
        return "foreign_folder"
    license_name = next((under[parent] for parent in path.parents if parent in under), None)
    return defect_of(file.content) or intake.take(SourceFile(file.path, language, file.content, license_name))


def _licenses_of(files: Iterable[Upload]) -> dict[PurePosixPath, str | None]:
    """Folders that have license files, with what these say."""
    texts: dict[PurePosixPath, dict[str, str]] = {}
    for file in files:
        if is_license_file(file.path):
            texts.setdefault(PurePosixPath(file.path).parent, {})[file.path] = file.content
    return {folder: license_of_texts(found.values()) for folder, found in texts.items()}


async def repos(session: AsyncSession) -> list[Repo]:
    """By name."""
    erased = Document.tombstoned_at.is_not(None)
    query = select(
        Document.repo,
        func.count().filter(~erased),
        func.coalesce(func.sum(func.length(Document.content)).filter(~erased), 0),
        func.count().filter(erased),
    )
    rows = await session.execute(query.group_by(Document.repo).order_by(Document.repo))
    return [Repo(*row) for row in rows.all()]


async def list_of(
    session: AsyncSession, repo: str | None, search: str, after: tuple[str, str] | None, limit: int
) -> Sequence[Document]:
    """By repository and path, without those erased; ``search`` is part of a path."""
    query = select(Document).where(Document.tombstoned_at.is_(None))
    if repo is not None:
        query = query.where(Document.repo == repo)
    if search:
        query = query.where(func.lower(Document.path).like(f"%{escaped(search.lower())}%"))
    if after is not None:
        query = query.where(tuple_(Document.repo, Document.path) > after)
    return (await session.scalars(query.order_by(Document.repo, Document.path).limit(limit))).all()


async def get(session: AsyncSession, document_id: uuid.UUID) -> Document:
    """Raises NotFoundError, also for one that has been erased."""
    document = await session.get(Document, document_id)
    if document is None or document.tombstoned_at is not None:
        raise NotFoundError("There is no such document.")
    return document


async def erase(session: AsyncSession, document_id: uuid.UUID) -> Document:
    """Forget a file's text; its path and hash stay, so that it does not come in again. Raises NotFoundError."""
    document = await get(session, document_id)
    document.content = ""
    document.tombstoned_at = func.now()
    await session.flush()
    return document
