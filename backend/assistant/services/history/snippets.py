"""The part of a text where something was found, as plain text with the places to highlight."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from codellama_core.search import MAX_INDEXED, Term

LENGTH: Final = 160
BEFORE: Final = 50
"""Characters shown before the first match."""
_BEGIN: Final = r"(?:(?<![^\W_])|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))"
_END: Final = r"(?:(?![^\W_])|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]))"
_BETWEEN: Final = r"[\W_]*"


@dataclass(frozen=True, slots=True)
class Snippet:
    """``ranges`` are [start, end) in characters of ``text``, in order, none within another."""

    text: str
    ranges: tuple[tuple[int, int], ...]


def excerpt(text: str, wanted: Sequence[Term]) -> Snippet:
    """About 160 characters around the first match; the beginning of the text where there is none."""
    pattern = _pattern(wanted)
    first = pattern.search(text, 0, MAX_INDEXED)
    start = _word_start(text, max(0, first.start() - BEFORE)) if first else 0
    end = min(len(text), start + LENGTH)
    ranges = ((match.start() - start, min(match.end(), end) - start) for match in pattern.finditer(text, start, end))
    return Snippet(text[start:end], tuple(each for each in ranges if each[0] < each[1]))


def highlights(text: str, wanted: Sequence[Term]) -> tuple[tuple[int, int], ...]:
    """Where a short text has what was looked for."""
    return tuple(match.span() for match in _pattern(wanted).finditer(text))


def _word_start(text: str, at: int) -> int:
    """The beginning of a word a little after ``at``, so that an excerpt does not begin within one."""
    space = text.find(" ", at, at + BEFORE // 2) if at else -1
    return space + 1 if space >= 0 else at


def _pattern(wanted: Sequence[Term]) -> re.Pattern[str]:
    return re.compile("|".join(_alternatives(term) for term in wanted))


def _alternatives(term: Term) -> str:
    end = "" if term.prefix else _END
    phrase = _BETWEEN.join(f"(?i:{re.escape(word)})" for word in term.words)
    whole = "" if term.whole is None else f"|{_BEGIN}(?i:{'[._]?'.join(map(re.escape, term.whole))}){end}"
    return f"{_BEGIN}{phrase}{end}{whole}"
