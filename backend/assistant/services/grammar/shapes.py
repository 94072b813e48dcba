"""From facts to the shapes of JSON that satisfy them: what may be written, short of its spelling.

Shapes may be narrower than the schema, never wider: members come in the order of ``properties``, and names that the
schema neither lists nor speaks of are left out.
"""

from collections.abc import Set
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from assistant.engine.gbnf_check import MOST_REPEATS
from assistant.services.grammar import numbers, strings
from assistant.services.grammar.facts import TYPES, Bound, Facts, Schema
from assistant.services.grammar.gbnf import GrammarError, json_literal
from assistant.services.grammar.patterns import pattern

Demand = tuple[Schema, ...]
"""Schemas that a part of the answer has to satisfy, all of them."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value without parts, as GBNF."""

    gbnf: str


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    value: int
    required: bool


@dataclass(frozen=True, slots=True)
class ObjectShape:
    """Members in order, then between ``least_more`` and ``most_more`` others. Values are numbers of nodes."""

    members: tuple[Member, ...]
    more: int | None
    min_members: int
    max_members: int | None
    least_more: int = 0
    most_more: int | None = None

    def settled(self, writable: Set[int]) -> "ObjectShape | None":
        """The same without what cannot be written, and counts turned into what is required. None: nothing is left."""
        if any(member.required and member.value not in writable for member in self.members):
            return None
        members = [member for member in self.members if member.value in writable]
        surplus = len(members) - (len(members) if self.max_members is None else self.max_members)
        for member in [member for member in reversed(members) if not member.required][: max(surplus, 0)]:
            members.remove(member)
        if self.max_members is not None and len(members) > self.max_members:
            return None
        missing = self.min_members - sum(member.required for member in members)
        for place, member in enumerate(members):
            if missing > 0 and not member.required:
                members[place] = replace(member, required=True)
                missing -= 1
        more = self.more if self.more in writable else None
        room = None if self.max_members is None else self.max_members - len(members)
        if missing > (0 if more is None else 1) or (room is not None and missing > room):
            return None
        return ObjectShape(tuple(members), None if room == 0 else more, 0, None, max(missing, 0), room)


@dataclass(frozen=True, slots=True)
class ArrayShape:
    """The first items by place, then others; ``least`` to ``most`` in all. Items are numbers of nodes."""

    first: tuple[int, ...]
    rest: int
    least: int
    most: int | None

    def settled(self, writable: Set[int]) -> "ArrayShape | None":
        """The same without what cannot be written. None: nothing is left."""
        most = self.most
        stop = next((place for place, item in enumerate(self.first) if item not in writable), None)
        if stop is None and self.rest not in writable:
            stop = len(self.first)
        if stop is not None:
            most = stop if most is None else min(most, stop)
        if most is not None and most < self.least:
            return None
        return replace(self, most=most)


Shape = Leaf | ObjectShape | ArrayShape


class Shaper:
    """Turns facts into shapes; ``number_of`` gives each demand that their parts make a number.

    ``exact`` shapes are no narrower than the facts, to find out whether anything satisfies them.
    """

    def __init__(self, number_of: "NumberOf", *, exact: bool) -> None:
        self._number_of = number_of
        self._exact = exact

    def shapes(self, facts: Facts) -> list[Shape]:
        """Every kind of value that satisfies the facts. Raises GrammarError."""
        if facts.values is not None:
            return [Leaf(json_literal(value)) for value in facts.values if _admits(facts, value)]
        found: list[Shape | None] = []
        for kind in facts.types if self._exact else _meant(facts):
            if kind == "object":
                found.append(self._object(facts))
            elif kind == "array":
                found.append(self._array(facts))
            else:
                found.append(_leaf(kind, facts))
        return [shape for shape in found if shape is not None]

    def _object(self, facts: Facts) -> Shape:
        names = dict.fromkeys(name for part in facts.members for name in part.named)
        names |= dict.fromkeys(facts.required)
        required = set(facts.required)
        members = tuple(Member(name, self._number_of(_member(facts, name)), name in required) for name in names)
        rests = [part.rest for part in facts.members if part.rest is not None]
        more = self._number_of(tuple(rests)) if rests or self._exact or not (facts.members or names) else None
        if facts.min_members > len(names) + 1 and not self._exact:
            raise GrammarError("minProperties is at most one more than there are properties")
        return ObjectShape(members, more, facts.min_members, facts.max_members)

    def _array(self, facts: Facts) -> Shape | None:
        places = max((len(part.first) for part in facts.items), default=0)
        first = tuple(self._number_of(_item(facts, place)) for place in range(places))
        rests = tuple(part.rest for part in facts.items if part.rest is not None)
        if facts.min_items > MOST_REPEATS:
            raise GrammarError(f"minItems is at most {MOST_REPEATS}")
        most = facts.max_items
        if places and not rests and not self._exact:
            most = max(places, facts.min_items) if most is None else min(most, max(places, facts.min_items))
        if most is not None and most < facts.min_items:
            return None
        return ArrayShape(first, self._number_of(rests), facts.min_items, most)


class NumberOf:
    """Numbers for demands, the same for the same schemas; ``demands`` lists them."""

    def __init__(self, most: int) -> None:
        self.demands: list[Demand] = []
        self._numbers: dict[tuple[int, ...], int] = {}
        self._most = most

    def __call__(self, demand: Demand) -> int:
        unique = {id(schema): schema for schema in demand if schema is not True}
        key = tuple(sorted(unique))
        if key not in self._numbers:
            if len(self.demands) >= self._most:
                raise GrammarError(f"the schema has more than {self._most} parts")
            self._numbers[key] = len(self.demands)
            self.demands.append(tuple(unique.values()))
        return self._numbers[key]


def _member(facts: Facts, name: str) -> Demand:
    demands = [part.named.get(name, part.rest) for part in facts.members]
    return tuple(demand for demand in demands if demand is not None)


def _item(facts: Facts, place: int) -> Demand:
    demands = [part.first[place] if place < len(part.first) else part.rest for part in facts.items]
    return tuple(demand for demand in demands if demand is not None)


_NO_FACTS: Final = Facts()
_ABOUT: Final = {
    "number": ("least", "most"),
    "string": ("min_length", "max_length", "pattern", "format"),
    "array": ("items", "min_items", "max_items"),
    "object": ("members", "required", "min_members", "max_members"),
}


def _says_something(facts: Facts, kind: str) -> bool:
    return any(getattr(facts, name) != getattr(_NO_FACTS, name) for name in _ABOUT.get(kind, ()))


def _meant(facts: Facts) -> tuple[str, ...]:
    """The types to write: those that the other keywords speak of, where ``type`` is left open."""
    spoken_of = tuple(kind for kind in TYPES if _says_something(facts, kind))
    return spoken_of if facts.types == TYPES and spoken_of else facts.types


def _leaf(kind: str, facts: Facts) -> Leaf | None:
    match kind:
        case "null":
            return Leaf('"null"')
        case "boolean":
            return Leaf('"true" | "false"')
        case "string":
            return _string(facts)
        case "integer":
            return _integer(facts)
        case _:
            return _number(facts)


def _number(facts: Facts) -> Leaf | None:
    least, most = facts.least, facts.most
    if least is None and most is None:
        return Leaf("number")
    gbnf = numbers.decimals(
        least.at if least else None, most.at if most else None,
        least_open=least is not None and least.open, most_open=most is not None and most.open,
    )  # fmt: skip
    return None if gbnf is None else Leaf(gbnf)


def _integer(facts: Facts) -> Leaf | None:
    if facts.least is None and facts.most is None:
        return Leaf("integer")
    least = _whole(facts.least, 1) if facts.least else 1 - numbers.LIMIT
    most = _whole(facts.most, -1) if facts.most else numbers.LIMIT - 1
    if least >= numbers.LIMIT or most <= -numbers.LIMIT:
        raise GrammarError(f"bounds of integers must lie within -10^{numbers.DIGITS} and 10^{numbers.DIGITS}")
    least, most = max(least, 1 - numbers.LIMIT), min(most, numbers.LIMIT - 1)
    return None if least > most else Leaf(numbers.integers(least, most))


def _whole(bound: Bound, inward: int) -> int:
    """The whole number nearest to a bound on its inner side."""
    if abs(bound.at) > 10 * numbers.LIMIT:
        return 10 * numbers.LIMIT if bound.at > 0 else -10 * numbers.LIMIT
    whole = int(bound.at.to_integral_value("ROUND_CEILING" if inward > 0 else "ROUND_FLOOR"))
    return whole + inward if bound.open and whole == bound.at else whole


def _string(facts: Facts) -> Leaf | None:
    least, most = facts.min_length, facts.max_length
    if most is not None and most < least:
        return None
    if facts.format is not None:
        if facts.pattern is not None or least or most is not None:
            raise GrammarError("format cannot be combined with pattern, minLength or maxLength")
        return Leaf(strings.formatted(facts.format))
    if facts.pattern is not None:
        return Leaf(strings.quoted(pattern(facts.pattern, least, most)))
    return Leaf(strings.text(least, most))


def _admits(facts: Facts, value: Any) -> bool:
    """Whether a value out of ``enum`` or ``const`` satisfies the other facts."""
    kind = _type_of(value)
    if kind not in facts.types and not (kind == "integer" and "number" in facts.types):
        return False
    if kind in ("array", "object") and _says_something(facts, kind):
        raise GrammarError(f"enum and const with an {kind} cannot be combined with keywords about its parts")
    if isinstance(value, str):
        if facts.pattern is not None or facts.format is not None:
            raise GrammarError("enum and const cannot be combined with pattern or format")
        return facts.min_length <= len(value) and (facts.max_length is None or len(value) <= facts.max_length)
    if kind in ("integer", "number"):
        return _within(facts, Decimal(repr(value)))
    return True


def _within(facts: Facts, value: Decimal) -> bool:
    above = facts.least is None or value > facts.least.at or (value == facts.least.at and not facts.least.open)
    below = facts.most is None or value < facts.most.at or (value == facts.most.at and not facts.most.open)
    return above and below


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if value == int(value) else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"
