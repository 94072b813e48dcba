"""JSON as RFC 8259 has it, stricter than Python's parser: what it lets through, PostgreSQL and the model can take.

FastAPI parses an accepted body again, because its parser cannot be replaced; that costs 10 microseconds a kilobyte.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from assistant.errors import InvalidRequestError

MAX_DEPTH: Final = 64
MAX_OBJECTS: Final = 100_000
_SUSPICIOUS: Final = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""An escape that may be NUL or half of a surrogate pair."""


def check(body: bytes) -> None:
    """Raises InvalidRequestError, with the place at fault, unless ``body`` is JSON that this server works with.

    Refused: other encodings than UTF-8, NaN and infinities, names given twice, more than 64 levels or 100,000 objects,
    integers of more than 4,300 digits, NUL and lone surrogates.
    """
    value = _parse(body)
    _check_depth(value)
    if _SUSPICIOUS.search(body):
        for place, text in _strings(value, ()):
            _check_text(place, text)


def _parse(body: bytes) -> Any:
    try:
        text = body.decode()
        hooks = _Hooks()
        return json.loads(
            text, object_pairs_hook=hooks.pairs, parse_constant=hooks.constant, parse_float=hooks.fraction
        )
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"The body is not UTF-8: see byte {error.start}.") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidRequestError(f"The body is not valid JSON: {error.msg} at {place}.") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # int() refuses what would take it quadratic time
        raise InvalidRequestError("The body holds an integer of more than 4,300 digits.") from None


class _Hooks:
    """Refuse while parsing what could not be seen afterwards."""

    def __init__(self) -> None:
        self._objects = 0

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self._objects += 1
        if self._objects > MAX_OBJECTS:
            raise InvalidRequestError(f"The body holds more than {MAX_OBJECTS:,} objects.")
        whole = dict(pairs)
        if len(whole) < len(pairs):
            twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
            raise InvalidRequestError(f"'{twice}' is given twice in one object; leave one out.", param=twice)
        return whole

    @staticmethod
    def constant(name: str) -> Any:
        raise InvalidRequestError(f"The body is not valid JSON: {name} is no number there.")

    @staticmethod
    def fraction(digits: str) -> float:
        number = float(digits)
        if not math.isfinite(number):
            raise InvalidRequestError(f"The body holds {digits[:40]}, a number too large to be represented.")
        return number


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _children(outer) if isinstance(inner, dict | list)]
        if not level:
            return
    raise _too_deep()


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> InvalidRequestError:
    return InvalidRequestError(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _strings(value: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text with its place, names of fields included. The depth has been checked before."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield (*place, "(a name)"), name
            yield from _strings(inner, (*place, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _strings(inner, (*place, str(index)))


def _check_text(place: tuple[str, ...], text: str) -> None:
    param = ".".join(place) or "body"
    if "\0" in text:
        raise InvalidRequestError(f"{param}: must not contain the NUL character.", param=param)
    try:
        text.encode()
    except UnicodeEncodeError:
        message = f"{param}: must be valid Unicode: it contains half of a surrogate pair."
        raise InvalidRequestError(message, param=param) from None
