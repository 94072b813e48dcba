"""Writing GBNF, llama.cpp's grammar notation.

Source: llama.cpp ``grammars/README.md`` and ``src/llama-grammar.cpp``.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from assistant.engine.gbnf_check import MOST_REPEATS

_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_CLASS_ESCAPES: Final = _ESCAPES | {"[": "\\[", "]": "\\]", "-": "\\-", "^": "\\x5E"}

Ranges = Sequence[tuple[int, int]]
"""Code points as inclusive ranges, in order, apart from each other."""


class GrammarError(ValueError):
    """No grammar can be made of this; the text says which part, and why."""


def literal(text: str) -> str:
    return '"' + "".join(_escape(character, _ESCAPES) for character in text) + '"'


def json_literal(value: Any) -> str:
    """A JSON value, spelled the one way in which this server makes the model spell JSON."""
    return literal(json.dumps(value, ensure_ascii=False))


def char_class(ranges: Ranges) -> str:
    """One character out of ``ranges``."""
    parts = (_char(low) if low == high else f"{_char(low)}-{_char(high)}" for low, high in ranges)
    return f"[{''.join(parts)}]"


def either(alternatives: Iterable[str]) -> str:
    """One of the alternatives; the same twice counts once."""
    unique = list(dict.fromkeys(alternatives))
    return unique[0] if len(unique) == 1 else f"({' | '.join(unique)})"


def repeat(item: str, least: int, most: int | None) -> str:
    """``item``, which is a rule's name, a class or a group, so often. Raises GrammarError beyond MOST_REPEATS."""
    if max(least, most or 0) > MOST_REPEATS:
        raise GrammarError(f"more than {MOST_REPEATS} repetitions")
    if (least, most) == (1, 1):
        return item
    short = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get((least, most))
    if short is not None:
        return item + short
    return f"{item}{{{least}}}" if least == most else f"{item}{{{least},{'' if most is None else most}}}"


def _char(code: int) -> str:
    return _escape(chr(code), _CLASS_ESCAPES)


def _escape(character: str, escapes: dict[str, str]) -> str:
    if character in escapes:
        return escapes[character]
    code = ord(character)
    if 0x20 <= code < 0x7F:
        return character
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
