"""What training rows are made of, before they are tokens: a conversation with its right answer, a call, a file."""

import hashlib
import uuid
from dataclasses import dataclass
from enum import StrEnum

from codellama_core.prompt import ChatMessage


class Source(StrEnum):
    """Where an item came from; stands in ``training_rows.source_kind``."""

    CORRECTION = "correction"
    RATING = "rating"
    INTERACTION = "interaction"
    DOCUMENT = "document"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Chat:
    """Turns up to the question, and the answer to learn."""

    prompt: tuple[ChatMessage, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Code:
    """A whole source file."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Continuation:
    """Plain text and what followed it."""

    prompt: str
    answer: str


@dataclass(frozen=True, slots=True)
class Infill:
    """A hole between two texts and what filled it."""

    prefix: str
    suffix: str
    answer: str


Content = Chat | Code | Continuation | Infill


@dataclass(frozen=True, slots=True)
class Item:
    """``group`` is the conversation or file that the item belongs to: items of one group share a split."""

    source: Source
    source_id: uuid.UUID
    group: str
    content: Content

    @property
    def target(self) -> str:
        """The text that would be learned."""
        return self.content.text if isinstance(self.content, Code) else self.content.answer

    @property
    def text(self) -> str:
        """All of the item as text, for comparing items with each other."""
        match self.content:
            case Chat(prompt, answer):
                return "\n".join([*(f"{turn.role}: {turn.content}" for turn in prompt), answer])
            case Code(text, _):
                return text
            case Continuation(prompt, answer):
                return prompt + answer
            case Infill(prefix, suffix, answer):
                return prefix + answer + suffix

    @property
    def sha256(self) -> str:
        """Identity of the item's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Rejection:
    """An item that is not learned from, and why (a short word that is counted)."""

    source: Source
    source_id: uuid.UUID
    sha256: str
    reason: str

    @classmethod
    def of(cls, item: Item, reason: str) -> "Rejection":
        """``item`` turned down for ``reason``."""
        return cls(item.source, item.source_id, item.sha256, reason)
