"""Saved KV cells as files: a header that is checked when it is listed, cells that are checked when they are read.

Layout: magic, length of the header (uint32), CRC-32 of the header (uint32), the header as JSON, the tokens (int32), the
cells. All numbers are little-endian. Whatever does not add up counts as not there.
"""

import json
import logging
import os
import struct
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from assistant.engine.model import Owner, Saved

logger = logging.getLogger(__name__)
MAGIC = b"CLKV1\0\0\0"
_LENGTHS = struct.Struct("<II")
SUFFIX = ".kv"


@dataclass(frozen=True, slots=True)
class SavedFile:
    """What a file says of itself. ``size`` is its bytes."""

    path: Path
    model: str
    owner: Owner
    public: int
    tokens: tuple[int, ...]
    size: int


@dataclass(frozen=True, slots=True)
class _Header:
    model: str
    adapter: str | None
    scope: str
    public: int
    tokens: int
    cells: int
    checksum: int


class BadFileError(Exception):
    """The file is not whole."""


def write(folder: Path, model: str, owner: Owner, public: int, tokens: tuple[int, ...], cells: Saved) -> SavedFile:
    """Write a new file, readable by its owner only; it appears under its name when it is whole. Raises OSError."""
    ids = np.array(tokens, "<i4").tobytes()
    checksum = zlib.crc32(cells, zlib.crc32(ids))
    header = _Header(model, owner.adapter, owner.scope, public, len(tokens), len(cells), checksum)
    text = json.dumps(asdict(header)).encode()
    path = folder / f"{uuid.uuid4().hex}{SUFFIX}"
    unfinished = path.with_suffix(".part")
    try:
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(MAGIC + _LENGTHS.pack(len(text), zlib.crc32(text)) + text + ids)
            file.write(cells)
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    return SavedFile(path, model, owner, public, tokens, path.stat().st_size)


def read_cells(saved: SavedFile) -> Saved:
    """The cells of a file. Raises BadFileError, OSError."""
    data = memoryview(saved.path.read_bytes())
    header, start = _parse(data)
    ids = data[start : start + 4 * header.tokens]
    cells = data[start + 4 * header.tokens :]
    if len(cells) != header.cells or zlib.crc32(cells, zlib.crc32(ids)) != header.checksum:
        raise BadFileError(f"{saved.path.name} is damaged")
    return cells


def scan(folder: Path) -> Iterator[SavedFile]:
    """The files of a folder, the one used last at the end; what is broken or unfinished is removed."""
    for unfinished in folder.glob("*.part"):
        unfinished.unlink(missing_ok=True)
    for path in sorted(folder.glob(f"*{SUFFIX}"), key=lambda each: each.stat().st_mtime):
        try:
            yield _describe(path)
        except (BadFileError, OSError) as error:
            logger.warning("a saved prefix is left out: %s", error)
            path.unlink(missing_ok=True)


def _describe(path: Path) -> SavedFile:
    size = path.stat().st_size
    with path.open("rb") as file:
        beginning = file.read(len(MAGIC) + _LENGTHS.size)
        if len(beginning) == len(MAGIC) + _LENGTHS.size:
            beginning += file.read(min(_LENGTHS.unpack(beginning[len(MAGIC) :])[0], size))
        header, start = _parse(memoryview(beginning))
        ids = file.read(4 * header.tokens)
    if size != start + 4 * header.tokens + header.cells:
        raise BadFileError(f"{path.name} is not whole")
    tokens = tuple(np.frombuffer(ids, "<i4").tolist())
    return SavedFile(path, header.model, Owner(header.adapter, header.scope), header.public, tokens, size)


def _parse(data: memoryview) -> tuple[_Header, int]:
    """The header, and where the tokens begin."""
    start = len(MAGIC) + _LENGTHS.size
    if data[: len(MAGIC)] != MAGIC or len(data) < start:
        raise BadFileError("not a file of saved cells")
    length, checksum = _LENGTHS.unpack(data[len(MAGIC) : start])
    text = bytes(data[start : start + length])
    if len(text) != length or zlib.crc32(text) != checksum:
        raise BadFileError("the header is damaged")
    return _Header(**json.loads(text)), start + length
