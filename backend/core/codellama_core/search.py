"""The words of a text as full-text search knows them: PostgreSQL's 'simple' configuration, made for code.

A word is a run of letters and digits in lower case, so ``snake_case``, ``foo.bar()`` and ``CamelCase`` are found by
their parts. Where parts stand together without white space the whole is a word too, without what stands between:
``snakecase``. We split texts ourselves: PostgreSQL's parser takes ``foo.bar`` for a host and ``a/b`` for a file, and
what it calls a letter depends on the database's locale.

Every word begins with a mark of its owner. So the index holds a list of places for each word of each person, and a
search reads one person's lists, however many others use the same word.
"""

import base64
import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

MAX_INDEXED: Final = 50_000
"""Characters of a text that can be found; with them a vector stays below PostgreSQL's 1 MB."""
MIN_PREFIX: Final = 3
"""Letters of an unfinished word; with fewer, too many words begin alike to look at all of them at each keystroke."""
MAX_WORD: Final = 80
"""Longer ones are data, not words; they are found by their beginning."""
_MOST_POSITION: Final = 16_383
_MOST_PLACES: Final = 255
_RUN: Final = re.compile(r"\w+(?:[.:/-]+\w+)*")
_SEPARATOR: Final = re.compile(r"[.:/-]+")
_PART: Final = re.compile(r"[^\W_]+")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PHRASE: Final = re.compile(r'"([^"]*)"?')


@dataclass(frozen=True, slots=True)
class Term:
    """Words that follow one another: a quoted phrase, an identifier, or one word. ``prefix``: the last may go on.

    ``whole`` is the term written in one, where it is an identifier rather than a phrase.
    """

    words: tuple[str, ...]
    whole: str | None
    prefix: bool = False


def parts(text: str) -> Iterator[str]:
    """The words of a text in their order, split at case boundaries too."""
    for part in _PART.findall(text):
        pieces = _HUMP.split(part) if not part.islower() else (part,)
        yield from (piece.lower()[:MAX_WORD] for piece in pieces)


def wholes(text: str) -> set[str]:
    """What is written in one and may have parts, such as ``foo.bar`` or ``getUser``, as ``_joined`` has it."""
    runs = set(_RUN.findall(text))
    pieces = runs.union(*(_SEPARATOR.split(run) for run in runs if not run.isalnum()))
    return {_joined(piece) for piece in pieces if not (piece.isalnum() and piece.islower())} - {""}


def _joined(text: str) -> str:
    return "".join(_PART.findall(text)).lower()[:MAX_WORD]


def mark(user_id: uuid.UUID) -> str:
    """What a person's words begin with. Two people may share one: rows say whose they are."""
    return base64.urlsafe_b64encode(user_id.bytes[-3:]).decode()[-3:]


def week_word(user_id: uuid.UUID, week: int) -> str:
    """The word that every message of a week has, as a vector or a query; a search walks backwards in time by it."""
    return f"'{mark(user_id)}#{week}'"


def week_of(moment: datetime) -> int:
    """Weeks since the year 1, in UTC."""
    return moment.astimezone(UTC).toordinal() // 7


def vector(user_id: uuid.UUID, created_at: datetime, *texts: str) -> str:
    """The ``tsvector``, as text, by which a message of this person is found."""
    places: dict[str, list[int]] = defaultdict(list)
    position = 0
    for text in texts:
        for word in parts(text[:MAX_INDEXED]):
            position = min(position + 1, _MOST_POSITION)
            if len(places[word]) < _MOST_PLACES:
                places[word].append(position)
        position += 1  # no phrase goes from one text into the next
    for text in texts:
        for word in wholes(text[:MAX_INDEXED]):
            places.setdefault(word, [_MOST_POSITION])  # without a place no phrase with an unfinished word would match
    owner = mark(user_id)
    lexemes = [week_word(user_id, week_of(created_at))]
    lexemes += [f"'{owner}{word}':" + ",".join(map(str, positions)) for word, positions in places.items()]
    return " ".join(lexemes)


def terms(query: str) -> list[Term]:
    """What a person looks for: words, identifiers and "quoted phrases". The last word may be unfinished."""
    found: list[Term] = []
    end = 0
    for phrase in _PHRASE.finditer(query):
        found += _bare(query[end : phrase.start()])
        if words := tuple(parts(phrase[1])):
            found.append(Term(words, None))
        end = phrase.end()
    found += _bare(query[end:])
    if found and (query[-1].isalnum() or query[-1] == "_"):
        found[-1] = replace(found[-1], prefix=len(found[-1].words[-1]) >= MIN_PREFIX or len(found[-1].words) > 1)
    return found


def _bare(text: str) -> list[Term]:
    split = [(tuple(parts(chunk)), _joined(chunk)) for chunk in text.split()]
    return [Term(words, whole) for words, whole in split if words]


def tsquery(user_id: uuid.UUID, wanted: Iterable[Term]) -> str:
    """The ``tsquery``, as text, that asks for all of the terms."""
    return " & ".join(_clause(mark(user_id), term) for term in wanted)


def _clause(owner: str, term: Term) -> str:
    star = ":*" if term.prefix else ""
    words = [f"'{owner}{word}'" for word in term.words]
    phrase = " <-> ".join(words) + star
    if term.whole is None or (len(words) == 1 and term.whole == term.words[0]):
        return f"({phrase})"
    return f"('{owner}{term.whole}'{star} | ({phrase}))"
