"""Places in lists that are read page by page: stable, because no two rows share one."""

import base64
import binascii
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from assistant.errors import InvalidRequestError


@dataclass(frozen=True, slots=True)
class Place:
    """A row by its time and its id; callers know it as an opaque ``cursor``."""

    at: datetime
    id: uuid.UUID

    @property
    def cursor(self) -> str:
        return base64.urlsafe_b64encode(f"{self.at.isoformat()} {self.id}".encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, cursor: str, param: str) -> Self:
        """Raises InvalidRequestError, naming ``param``, for what is no cursor of ours."""
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            at, _, id_ = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii").partition(" ")
            moment = datetime.fromisoformat(at)
            if moment.tzinfo is None:
                raise ValueError("a time without a zone")
            return cls(moment.astimezone(UTC), uuid.UUID(id_))
        except (ValueError, OverflowError, binascii.Error):
            text = f"{param}: this is no cursor; use one that a page before has given, or leave it out."
            raise InvalidRequestError(text, param=param) from None
