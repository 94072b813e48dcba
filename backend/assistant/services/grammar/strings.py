"""JSON strings as GBNF: of some length, in a format, or other than some names.

A character is written as itself, the quotation mark and the backslash escaped; of the control characters only those
with a short escape are written. So each character has one spelling, and lengths are counted as JSON Schema counts them.
"""

from collections.abc import Collection
from typing import Final

from assistant.engine.gbnf_check import MOST_REPEATS
from assistant.services.grammar.gbnf import GrammarError, char_class, literal, repeat

ASCII: Final = ((0x20, 0x21), (0x23, 0x5B), (0x5D, 0x7E))
WIDE: Final = ((0xA0, 0x2027), (0x202A, 0xD7FF), (0xE000, 0xFFFD), (0x10000, 0x10FFFF))
MOST_COMPARED: Final = 32
PLAIN: Final = (*ASCII, *WIDE)
"""Characters that stand for themselves in a JSON string; neither control characters nor halves of surrogate pairs."""
ESCAPED: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}

RULES: Final = {"char": 'plain | "\\\\" ["\\\\bfnrt]', "plain": char_class(PLAIN), "wide": char_class(WIDE)}
"""Rules that the expressions here refer to."""

_HOUR: Final = '([0-1] [0-9] | "2" [0-3])'
_DATE: Final = (
    '[1-2] [0-9]{3} "-" (("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8])'
    ' | ("0" [13-9] | "1" [0-2]) "-" ("29" | "30") | ("0" [13578] | "10" | "12") "-31")'
)
_TIME: Final = f'{_HOUR} ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{{1,6}})? ("Z" | [-+] {_HOUR} ":" [0-5] [0-9])'
_HEX: Final = "[0-9a-f]"
_OCTET: Final = '([0-9] | [1-9] [0-9] | "1" [0-9]{2} | "2" [0-4] [0-9] | "25" [0-5])'
_LABEL: Final = '[a-z0-9] ([a-z0-9] | "-" [a-z0-9]){0,30}'
_HOST: Final = f'{_LABEL} ("." {_LABEL}){{0,2}} "." [a-z]{{2,12}}'
FORMATS: Final = {
    "date": _DATE,
    "time": _TIME,
    "date-time": f'{_DATE} "T" {_TIME}',
    "duration": '"P" ([0-9]{1,4} "D" | ([0-9]{1,4} "D")? "T" ([0-9]{1,4} "H" ([0-9]{1,4} "M")? | [0-9]{1,4} "M" |'
    ' [0-9]{1,4} "S") | [0-9]{1,4} "W")',
    "uuid": f'{_HEX}{{8}} "-" {_HEX}{{4}} "-" {_HEX}{{4}} "-" {_HEX}{{4}} "-" {_HEX}{{12}}',
    "ipv4": f'{_OCTET} "." {_OCTET} "." {_OCTET} "." {_OCTET}',
    "ipv6": f'({_HEX}{{1,4}} ":"){{7}} {_HEX}{{1,4}}',
    "hostname": _HOST,
    "email": f'[a-z0-9] ([a-z0-9] | [._+-] [a-z0-9]){{0,30}} "@" {_HOST}',
    "uri": f'"http" "s"? "://" {_HOST} ("/" [a-zA-Z0-9._~-]{{1,64}}){{0,8}} "/"?',
}
"""Formats of JSON Schema, some of them narrower than their standards."""


def text(least: int, most: int | None) -> str:
    """Any string with so many characters; a limit that no answer reaches is lowered to one that grammars can hold."""
    if least > MOST_REPEATS:
        raise GrammarError(f"minLength is at most {MOST_REPEATS}")
    return quoted(repeat("char", least, None if most is None else min(most, MOST_REPEATS)))


def quoted(inside: str) -> str:
    return f'"\\"" {inside} "\\""'.replace("  ", " ")


def formatted(name: str) -> str:
    """A string in a format. Raises GrammarError for one that is not known."""
    if name not in FORMATS:
        raise GrammarError(f"format '{name}' is not supported; {', '.join(FORMATS)} are")
    return quoted(FORMATS[name])


def other_than(names: Collection[str]) -> str:
    """A string without escapes that is none of ``names``, nor begins as a very long one does."""
    plain = {name for name in names if all(is_plain(ord(character)) for character in name)}
    return quoted(_differing(sorted(plain), 0) if plain else "plain*")


def _differing(names: list[str], depth: int) -> str:
    """What may stand after the first ``depth`` characters, which all of ``names`` have in common."""
    branches: dict[str, list[str]] = {}
    for name in names:
        if len(name) > depth:
            branches.setdefault(name[depth], []).append(name)
    ascii_ = char_class(without(ASCII, {ord(character) for character in branches}))
    wide = (
        "wide"
        if all(character < "\x7f" for character in branches)
        else char_class(without(WIDE, {ord(character) for character in branches}))
    )
    alternatives = [f"({ascii_} | {wide}) plain*"]
    for first, rest in branches.items() if depth < MOST_COMPARED else ():
        alternatives.append(f"{literal(first)} {_differing(rest, depth + 1)}")
    return f"({' | '.join(alternatives)}){'' if len(names[0]) == depth else '?'}"


def without(ranges: Collection[tuple[int, int]], removed: Collection[int]) -> list[tuple[int, int]]:
    """``ranges`` less some code points."""
    left = list(ranges)
    for code in removed:
        left = [
            part
            for low, high in left
            for part in (((low, code - 1), (code + 1, high)) if low <= code <= high else ((low, high),))
            if part[0] <= part[1]
        ]
    return left


def is_plain(code: int) -> bool:
    """Whether a code point stands for itself in a JSON string."""
    return any(low <= code <= high for low, high in PLAIN)
