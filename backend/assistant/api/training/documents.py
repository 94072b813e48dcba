"""Source code for training, for admins."""

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from assistant.api.deps import AdminDep, ResourcesDep, SessionDep
from assistant.api.schemas import Out, PlainText, Strict
from assistant.services.people import audit
from assistant.services.training import documents
from assistant.services.training.documents import Offer, Upload
from codellama_core.documents import MAX_BYTES

router = APIRouter(prefix="/api/admin/documents", tags=["admin"])

MOST_FILES = 500
RepoName = Annotated[PlainText, Field(min_length=1, max_length=200, pattern=r"\S")]
RelativePath = Annotated[PlainText, Field(min_length=1, max_length=1000, pattern=r"^[^/\\].*$")]


class DocumentOut(Out):
    model_config = ConfigDict(from_attributes=True, title="Document")

    id: uuid.UUID
    repo: str
    path: str
    language: str
    license: str | None
    sha256: str
    created_at: datetime


class DocumentWithContent(DocumentOut):
    model_config = ConfigDict(from_attributes=True, title="DocumentWithContent")

    content: str


class DocumentPage(Out):
    """``next_after`` is None on the last page."""

    items: list[DocumentOut]
    next_after: uuid.UUID | None


class RepoOut(Out):
    model_config = ConfigDict(from_attributes=True, title="Repo")

    name: str
    files: int
    characters: int
    erased: int = Field(description="Files that were erased, and do not come in again")


class Repos(Out):
    items: list[RepoOut]


class UploadedFile(Strict):
    """A text file; ``path`` is relative to the repository."""

    path: RelativePath
    content: Annotated[PlainText, Field(max_length=5 * MAX_BYTES)]


class UploadDocuments(Strict):
    """Files of one repository. A file that is there already is brought up to date; no other is touched.

    Who sends a repository in portions sends with each the license texts above its files, as ``license_files``: they
    are read and not taken in.
    """

    repo: RepoName
    license: Annotated[PlainText, Field(min_length=1, max_length=100)] | None = None
    files: Annotated[list[UploadedFile], Field(min_length=1, max_length=MOST_FILES)]
    license_files: Annotated[list[UploadedFile], Field(default_factory=list, max_length=MOST_FILES)]


class UploadResult(Out):
    """What became of the files, counted: new, changed, unchanged, tombstoned; or why they were left out.

    Left out: unknown_language, foreign_folder (such as node_modules), license (not one of TRAINING_LICENSES), empty,
    too_large, binary, minified, generated.
    """

    counts: dict[str, int]


@router.get("/repos")
async def list_repos(admin: AdminDep, session: SessionDep) -> Repos:
    """By name."""
    return Repos(items=[RepoOut.model_validate(repo) for repo in await documents.repos(session)])


@router.get("")
async def list_documents(
    admin: AdminDep,
    session: SessionDep,
    repo: Annotated[str | None, Query(max_length=200)] = None,
    search: Annotated[str, Query(max_length=200, description="Part of a path")] = "",
    after: Annotated[uuid.UUID | None, Query(description="``next_after`` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Files on a page")] = 50,
) -> DocumentPage:
    """By repository and path."""
    last = None if after is None else await documents.get(session, after)
    rows = await documents.list_of(session, repo, search, (last.repo, last.path) if last else None, limit + 1)
    items = [DocumentOut.model_validate(row) for row in rows[:limit]]
    return DocumentPage(items=items, next_after=items[-1].id if len(rows) > limit else None)


@router.post("")
async def upload_documents(
    body: UploadDocuments, admin: AdminDep, session: SessionDep, resources: ResourcesDep
) -> UploadResult:
    """Offer files for training; the next run learns from them."""
    files, texts = ([Upload(f.path, f.content) for f in portion] for portion in (body.files, body.license_files))
    offer = Offer(body.repo, body.license, files, texts)
    counts = await documents.take(session, admin.id, offer, resources.settings.training_licenses)
    audit.record(session, admin.id, "documents.upload", body.repo, **counts)
    return UploadResult(counts=dict(counts))


@router.get("/{document_id:uuid}")
async def get_document(document_id: uuid.UUID, admin: AdminDep, session: SessionDep) -> DocumentWithContent:
    """A file with its text."""
    return DocumentWithContent.model_validate(await documents.get(session, document_id))


@router.delete("/{document_id:uuid}", status_code=204)
async def erase_document(document_id: uuid.UUID, admin: AdminDep, session: SessionDep) -> None:
    """Erase a file for good: no run learns from it any more, and it is not taken in again."""
    document = await documents.erase(session, document_id)
    audit.record(session, admin.id, "documents.erase", f"{document.repo}/{document.path}")
