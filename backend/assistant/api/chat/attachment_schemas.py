"""Shapes of files that are attached to questions."""

import re
import uuid
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from codellama_core.prompt import ContextFile

MAX_FILES: Final = 20
MAX_FILE_CHARACTERS: Final = 256_000
MAX_ALL_CHARACTERS: Final = 512_000
"""Of one question; long before that, the context is full."""
_BINARY: Final = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
"""Control characters that no text file has."""


def _named(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise ValueError("must be one line of text and not blank")
    return name.strip()


def _textual(content: str) -> str:
    if _BINARY.search(content):
        raise ValueError("is no text; only text files can be attached")
    return content


class AttachmentIn(BaseModel):
    """A text file; ``name`` may have folders in it."""

    model_config = ConfigDict(extra="forbid", strict=True, title="NewAttachment")

    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_named)]
    content: Annotated[str, Field(min_length=1, max_length=MAX_FILE_CHARACTERS), AfterValidator(_textual)]


def _not_too_much(files: list[AttachmentIn]) -> list[AttachmentIn]:
    size = sum(len(file.content) for file in files)
    if size > MAX_ALL_CHARACTERS:
        raise ValueError(f"have {size:,} characters together and may have {MAX_ALL_CHARACTERS:,}; attach fewer")
    return files


Attachments = Annotated[list[AttachmentIn], Field(max_length=MAX_FILES), AfterValidator(_not_too_much)]


def files_of(given: Sequence[AttachmentIn]) -> tuple[ContextFile, ...]:
    return tuple([ContextFile(each.content, each.name) for each in given])


class AttachmentOut(BaseModel):
    """``size`` is in bytes."""

    model_config = ConfigDict(from_attributes=True, title="Attachment")

    id: uuid.UUID
    name: str
    size: int


class AttachmentText(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    name: str
    content: str
