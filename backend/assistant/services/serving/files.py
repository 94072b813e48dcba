"""Model files from a hub or from disk, checked and made the one that is served.

Source: the hub's ``resolve`` addresses; for a large file ``X-Linked-ETag`` is its SHA-256. The hub's own Python client
starts a download over when its process has died, which 4 GB on an office line do not forgive.
"""

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy.orm import Session

from codellama_core import registry
from codellama_core.database import sync_engine
from codellama_core.models import AuditLog

logger = logging.getLogger(__name__)

DEFAULT_REPO: Final = "TheBloke/CodeLlama-7B-Instruct-GGUF"
DEFAULT_FILE: Final = "codellama-7b-instruct.Q4_K_M.gguf"
ATTEMPTS: Final = 5
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class FetchError(Exception):
    """The file cannot be had, or is not the one that was asked for; the text says what to do."""


def fetch(
    endpoint: str, repo: str, file: str, folder: Path, *, token: str | None = None, sha256: str | None = None
) -> Path:
    """Download a file of a hub's repository into ``folder``; a download that was cut goes on where it stopped.

    The SHA-256 is the caller's, or what the hub itself states for a large file. Raises FetchError.
    """
    target, url = folder / file, f"{endpoint.rstrip('/')}/{repo}/resolve/main/{file}"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(headers=headers, timeout=60) as client:
            expected = sha256 or _stated_sha256(client, url)
            if not target.is_file() or registry.sha256_of(target) != expected:
                _download(client, url, target, expected)
    except (httpx.HTTPError, OSError) as error:
        raise FetchError(
            f"{file} of {repo} cannot be downloaded ({error}). Without a way to the hub, copy the file to {target} and "
            f"run: python -m assistant use-model {target}"
        ) from error
    return target


def _stated_sha256(client: httpx.Client, url: str) -> str:
    response = client.head(url)
    if not response.is_redirect:
        response.raise_for_status()
    stated = (response.headers.get("X-Linked-ETag") or response.headers.get("ETag") or "").strip('"')
    if not _SHA256.fullmatch(stated):
        raise FetchError(f"The hub states no SHA-256 for {url}; give one with --sha256.")
    return stated


def _download(client: httpx.Client, url: str, target: Path, expected: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{expected[:16]}.part")
    for attempt in range(ATTEMPTS):
        try:
            _append(client, url, partial)
            break
        except httpx.TransportError as error:
            if attempt == ATTEMPTS - 1:
                raise
            logger.warning("the download was cut (%s); going on", error)
    found = registry.sha256_of(partial)
    if found != expected:
        partial.unlink()
        raise FetchError(f"{target.name} has SHA-256 {found}, but {expected} was expected; it is deleted, try again.")
    partial.rename(target)


def _append(client: httpx.Client, url: str, partial: Path) -> None:
    """Add what is still missing; a server that cannot give a part gives the whole again."""
    have = partial.stat().st_size if partial.is_file() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    with client.stream("GET", url, headers=headers, follow_redirects=True) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return
        response.raise_for_status()
        whole = response.status_code != httpx.codes.PARTIAL_CONTENT
        report = _Progress(partial.name, 0 if whole else have, response.headers)
        with partial.open("wb" if whole else "ab") as file:
            for chunk in response.iter_bytes():
                file.write(chunk)
                report.add(len(chunk))


class _Progress:
    """A line in the log for each 5 % of a download."""

    def __init__(self, name: str, have: int, headers: Mapping[str, str]) -> None:
        self._name = name
        self._have = have
        self._total = have + int(headers.get("Content-Length", 0))
        self._told = have * 20 // max(self._total, 1)

    def add(self, size: int) -> None:
        self._have += size
        share = self._have * 20 // max(self._total, 1)
        if share > self._told:
            self._told = share
            logger.info("%s: %d %% of %.1f MB", self._name, share * 5, self._total / 1e6)


def use(database_url: str, models_dir: Path, path: Path) -> str:
    """Register a file and make it the champion; returns its name. Running servers take it over within seconds."""
    engine = sync_engine(database_url)
    try:
        with Session(engine) as session, session.begin():
            version = registry.register(
                session,
                models_dir=models_dir,
                path=path,
                name=registry.name_of(path),
                sha256=registry.sha256_of(path),
                size_bytes=path.stat().st_size,
            )
            registry.promote(session, version.id)
            session.add(AuditLog(action="model.promote", subject=version.name, details={"by": "use-model"}))
            return version.name
    finally:
        engine.dispose()
