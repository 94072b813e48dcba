"""A git repository as a folder: fetched at one commit, without its history, and gone when it has been read.

Git asks for nothing: credentials come from its own helpers, an SSH agent, or the address. What stands in the address is
never shown, logged or stored.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from finetuning.config import git_environment
from finetuning.errors import ConfigError, FinetuneError, UsageError

_URL = re.compile(r"^(?:https?|ssh|git|file)://", re.IGNORECASE)
_SSH_SHORT = re.compile(r"^[\w.-]+@[\w.-]+:(?!//)")
_USER = re.compile(r"(?<=://)[^/\s]*@")
_QUERY = re.compile(r"(?<=\w)[?#][^\s']*")
_SETTINGS: Final = ("http.lowSpeedLimit=1000", "http.lowSpeedTime=60", "core.hooksPath=/dev/null", "gc.auto=0")


def name_of(source: str) -> str:
    """What a repository is kept under: the last part of its address or path, without ``.git``."""
    if not is_address(source):
        source = str(Path(source).resolve())
    last = re.split(r"[/:]", shown(source).rstrip("/"))[-1]
    return last.removesuffix(".git") or "repository"


def shown(source: str) -> str:
    """An address without what opens it: user, password, token, query."""
    return _without_secrets(source) if "://" in source else source


def is_address(source: str) -> bool:
    """Whether git has to fetch from elsewhere: https, ssh, git and file addresses, and user@host:path."""
    return bool(_URL.match(source) or _SSH_SHORT.match(source))


@contextmanager
def source_folder(source: str, ref: str | None) -> Iterator[Path]:
    """The files of a folder as they are; those of an address, a bare repository or a ``ref`` as git has them.

    ``ref`` is a branch, a tag or a whole commit id. Raises UsageError where ``source`` is none of these, ConfigError
    where git is missing, FinetuneError when the repository cannot be fetched.
    """
    if not is_address(source):
        if not Path(source).is_dir():
            raise UsageError(f"{shown(source)} is neither a folder nor the address of a git repository.")
        if ref is None and not _is_bare(Path(source)):
            yield Path(source)
            return
        source = Path(source).resolve().as_uri()
    with tempfile.TemporaryDirectory(prefix="ingest-") as folder:
        _git(source, "init", "--quiet", folder)
        _git(source, "-C", folder, "fetch", "--quiet", "--depth=1", "--no-tags", "--", source, ref or "HEAD")
        _git(source, "-C", folder, "checkout", "--quiet", "FETCH_HEAD")
        yield Path(folder)


def _is_bare(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir()


def _git(source: str, *arguments: str) -> None:
    options = [part for setting in _SETTINGS for part in ("-c", setting)]
    command = ["git", *options, *arguments]
    try:
        done = subprocess.run(command, env=git_environment(), stdin=subprocess.DEVNULL, capture_output=True)
    except FileNotFoundError as error:
        raise ConfigError("git is not installed here: install it, or give a folder of source code.") from error
    if done.returncode:
        raise FinetuneError(f"{shown(source)} could not be fetched: {_reason(done.stderr.decode(errors='replace'))}.")


def _reason(errors: str) -> str:
    """Git's first complaint, without what opens an address."""
    lines = [line for line in errors.splitlines() if line.startswith(("fatal:", "error:"))] or errors.splitlines()
    complaint = lines[0].split(": ", 1)[-1] if lines else "git gave no reason"
    return _without_secrets(complaint).rstrip(".")


def _without_secrets(text: str) -> str:
    return _QUERY.sub("", _USER.sub("", text))
