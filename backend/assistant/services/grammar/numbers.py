"""Numbers within bounds as GBNF.

Numbers are written without an exponent where they have bounds, and with 15 significant digits at most, so that every
one of them is told apart from its neighbours when it is read as a double.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

from assistant.services.grammar.gbnf import GrammarError, either, repeat

DIGITS: Final = 15
LIMIT: Final = 10**DIGITS
NUMBER: Final = '"-"? ("0" | [1-9] [0-9]{0,14}) ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?'
INTEGER: Final = '("0" | "-"? [1-9] [0-9]{0,14})'
_USUAL_WHOLE: Final = 9
_USUAL_DECIMALS: Final = 6


def integers(least: int, most: int) -> str:
    """Whole numbers within inclusive bounds, ``least <= most``."""
    alternatives = []
    if most >= 0:
        alternatives += _naturals(max(least, 0), most)
    if least < 0:
        alternatives += [f'"-" {each}' for each in _naturals(max(1, -most), -least)]
    return either(alternatives)


def decimals(least: Decimal | None, most: Decimal | None, *, least_open: bool, most_open: bool) -> str | None:
    """Numbers within bounds, or None where there are none. Raises GrammarError for bounds beyond 10^15."""
    if (least is not None and least >= LIMIT) or (most is not None and most <= -LIMIT):
        raise GrammarError(f"bounds of numbers must lie within -10^{DIGITS} and 10^{DIGITS}")
    whole = _whole_digits(least, most)
    far = Decimal(10) ** whole - Decimal(10) ** -DIGITS
    low = -far if least is None else max(least, -far)
    high = far if most is None else min(most, far)
    needed = max(_decimals(bound) + 1 if abs(bound) < far else 0 for bound in (low, high))
    places = min(DIGITS - whole, max(_USUAL_DECIMALS, needed))
    unit = Decimal(10) ** -places
    first = _ceil(low / unit) + (least_open and least == low and low % unit == 0)
    last = _floor(high / unit) - (most_open and most == high and high % unit == 0)
    if first > last:
        return None
    alternatives = []
    if last >= 0:
        alternatives += _scaled(max(first, 0), last, places)
    if first < 0:
        alternatives += [f'"-" {each}' for each in _scaled(max(1, -last), -first, places)]
    return either(alternatives)


def _whole_digits(least: Decimal | None, most: Decimal | None) -> int:
    """Digits before the point: as many as the bounds have, some more where one is missing."""
    digits = max(len(str(int(abs(bound)))) for bound in (least or Decimal(0), most or Decimal(0)))
    return min(DIGITS, max(_USUAL_WHOLE, digits + 2) if least is None or most is None else digits)


def _decimals(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _ceil(number: Decimal) -> int:
    return -_floor(-number)


def _floor(number: Decimal) -> int:
    whole = int(number)
    return whole - 1 if number < whole else whole


def _scaled(first: int, last: int, places: int) -> list[str]:
    """Numbers from ``first`` to ``last``, which count units of 10^-places, both at least 0."""
    scale = 10**places
    (first_whole, first_rest), (last_whole, last_rest) = divmod(first, scale), divmod(last, scale)
    if first_whole == last_whole:
        return list(_within_one(first_whole, first_rest, last_rest, places))
    alternatives = []
    if first_rest:
        alternatives.append(f'"{first_whole}" {_at_least(first_rest, places)}')
        first_whole += 1
    if last_rest != scale - 1:
        alternatives.append(f'"{last_whole}" {_at_most(last_rest, places)}')
        last_whole -= 1
    if first_whole <= last_whole:
        fraction = f' ("." {_any(1, places)})?' if places else ""
        alternatives.append(either(_naturals(first_whole, last_whole)) + fraction)
    return alternatives


def _within_one(whole: int, first: int, last: int, places: int) -> Iterator[str]:
    """Numbers with the same whole part, whose decimals lie within bounds: one alternative for each length."""
    if first == 0:
        yield f'"{whole}"'
    for length in range(1, places + 1):
        unit = 10 ** (places - length)
        low, high = -(-first // unit), last // unit
        if low <= high:
            yield f'"{whole}." {either(_same_length(str(low).zfill(length), str(high).zfill(length)))}'


def _at_least(rest: int, places: int) -> str:
    """Decimals that make at least ``rest`` units, which is not 0."""
    digits = str(rest).zfill(places).rstrip("0")
    higher = [
        _between(digits[:place], int(digit) + 1, 9, (0, places - place - 1))
        for place, digit in enumerate(digits)
        if digit != "9"
    ]
    return f'"." {either([*higher, f"{_text(digits)}{_any(0, places - len(digits))}".rstrip()])}'


def _at_most(rest: int, places: int) -> str:
    """Decimals that make at most ``rest`` units, or none."""
    digits = str(rest).zfill(places).rstrip("0") if rest else ""
    lower = [
        _between(digits[:place], 0, int(digit) - 1, (0, places - place - 1))
        for place, digit in enumerate(digits)
        if digit != "0"
    ]
    prefixes = [_text(digits[:length]).rstrip() for length in range(1, len(digits))]
    zeros = f'"0"{{{0 if digits else 1},{places - len(digits)}}}' if places > len(digits) else ""
    return f'("." {either([*lower, *prefixes, f"{_text(digits)}{zeros}".rstrip()])})?'


def _naturals(first: int, last: int) -> list[str]:
    """Whole numbers from ``first`` to ``last``, both at least 0, by their length."""
    alternatives: list[str] = []
    full: list[int] = []
    for length in range(len(str(first)), len(str(last)) + 1):
        shortest, longest = 10 ** (length - 1), 10**length - 1
        if length > 1 and first <= shortest and longest <= last:
            full.append(length - 1)
        else:
            low = max(first, shortest if length > 1 else 0)
            alternatives += _same_length(str(low), str(min(last, longest)))
    return [*alternatives, f"[1-9] {_any(full[0], full[-1])}"] if full else alternatives


def _same_length(low: str, high: str) -> list[str]:
    """Digit strings between two of the same length."""
    if low == high:
        return [f'"{low}"']
    same = next(place for place in range(len(low)) if low[place] != high[place])
    tail = len(low) - same - 1
    least, most, edges = int(low[same]), int(high[same]), list[str]()
    if low[same + 1 :] != "0" * tail:
        edges += _edge(low, same, "0", lambda digit: (digit + 1, 9))
        least += 1
    if high[same + 1 :] != "9" * tail:
        edges += _edge(high, same, "9", lambda digit: (0, digit - 1))
        most -= 1
    return [*([_between(low[:same], least, most, (tail, tail))] if least <= most else []), *edges]


def _edge(bound: str, same: int, filler: str, beyond: Callable[[int], tuple[int, int]]) -> list[str]:
    """Digit strings that begin as ``bound`` does, at least one digit beyond ``same``, and stay on its right side."""
    core = bound.rstrip(filler)
    core = bound[: max(len(core), same + 1)]
    tail = len(bound) - len(core)
    alternatives = [f"{_text(core)}{_any(tail, tail)}".rstrip()]
    for place in range(same + 1, len(core)):
        least, most = beyond(int(core[place]))
        if least <= most:
            rest = len(bound) - place - 1
            alternatives.append(_between(core[:place], least, most, (rest, rest)))
    return alternatives


def _between(head: str, least: int, most: int, more: tuple[int, int]) -> str:
    return f"{_text(head)}{_digits(least, most)} {_any(*more)}".rstrip()


def _digits(least: int, most: int) -> str:
    return f'"{least}"' if least == most else f"[{least}-{most}]"


def _any(least: int, most: int) -> str:
    return repeat("[0-9]", least, most) if most else ""


def _text(digits: str) -> str:
    return f'"{digits}" ' if digits else ""
