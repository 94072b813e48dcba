"""What a JSON Schema demands, as alternatives of plain facts: references resolved, combinations multiplied out.

Source: JSON Schema 2020-12, core and validation. A keyword that restricts answers and is not understood is refused by
name; annotations are passed over. ``format`` is enforced.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from assistant.services.grammar.gbnf import GrammarError

TYPES: Final = ("null", "boolean", "number", "string", "array", "object")
MOST_ALTERNATIVES: Final = 256
MOST_STEPS: Final = 64

_ANNOTATIONS: Final = frozenset(
    {"title", "description", "default", "examples", "example", "deprecated", "readOnly", "writeOnly", "$comment"}
    | {"$schema", "$id", "$defs", "definitions", "contentMediaType", "contentEncoding", "discriminator"}
)
_STRUCTURE: Final = frozenset(
    ("$ref", "allOf", "anyOf", "oneOf", "properties", "additionalProperties", "prefixItems", "items")
)
_WITHOUT_EFFECT: Final = {"uniqueItems": False, "minContains": 0, "nullable": False}

Schema = Mapping[str, Any] | bool


@dataclass(frozen=True, slots=True)
class Bound:
    """The end of a range of numbers."""

    at: Decimal
    open: bool = False


@dataclass(frozen=True, slots=True)
class Members:
    """What one schema says about the members of objects; ``rest`` is for names that are not in ``named``."""

    named: Mapping[str, Schema]
    rest: Schema | None


@dataclass(frozen=True, slots=True)
class Items:
    """What one schema says about the items of arrays: the first ones by place, then the rest."""

    first: tuple[Schema, ...]
    rest: Schema | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Demands that all hold; each concerns values of its own type only."""

    types: tuple[str, ...] = TYPES
    values: tuple[Any, ...] | None = None
    least: Bound | None = None
    most: Bound | None = None
    min_length: int = 0
    max_length: int | None = None
    pattern: str | None = None
    format: str | None = None
    members: tuple[Members, ...] = ()
    required: tuple[str, ...] = ()
    min_members: int = 0
    max_members: int | None = None
    items: tuple[Items, ...] = ()
    min_items: int = 0
    max_items: int | None = None

    def and_(self, other: "Facts") -> "Facts":
        """Both hold. Raises GrammarError where two patterns or formats meet."""
        return Facts(
            types=_common(self.types, other.types),
            values=_shared(self.values, other.values),
            least=max(filter(None, (self.least, other.least)), key=lambda bound: (bound.at, bound.open), default=None),
            most=min(filter(None, (self.most, other.most)), key=lambda bound: (bound.at, not bound.open), default=None),
            min_length=max(self.min_length, other.min_length),
            max_length=_lower(self.max_length, other.max_length),
            pattern=_only("pattern", self.pattern, other.pattern),
            format=_only("format", self.format, other.format),
            members=self.members + other.members,
            required=tuple(dict.fromkeys(self.required + other.required)),
            min_members=max(self.min_members, other.min_members),
            max_members=_lower(self.max_members, other.max_members),
            items=self.items + other.items,
            min_items=max(self.min_items, other.min_items),
            max_items=_lower(self.max_items, other.max_items),
        )


class Reader:
    """Reads the schemas of one document."""

    def __init__(self, document: Schema) -> None:
        self._document = document
        self.exclusive: dict[tuple[int, int], tuple[Schema, Schema]] = {}
        """Pairs out of ``oneOf``, which must not hold together."""

    def alternatives(self, schemas: tuple[Schema, ...]) -> list[Facts]:
        """The ways to satisfy all of ``schemas``. Raises GrammarError."""
        found = [Facts()]
        for schema in schemas:
            found = _product(found, self._read(schema, ()))
        return found

    def _read(self, schema: Schema, within: tuple[int, ...]) -> list[Facts]:
        if isinstance(schema, bool):
            return [Facts()] if schema else []
        if id(schema) in within:
            raise GrammarError("a schema refers to itself without anything between")
        if len(within) >= MOST_STEPS:
            raise GrammarError(f"more than {MOST_STEPS} references or combinations within each other")
        within = (*within, id(schema))
        found = [_own_facts(schema)]
        for part in self._conjunction(schema):
            found = _product(found, self._read(part, within))
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                options = _schemas(schema[keyword], keyword)
                found = _product(found, [each for option in options for each in self._read(option, within)])
                if keyword == "oneOf":
                    self._exclude(options)
        return found

    def _conjunction(self, schema: Mapping[str, Any]) -> Iterator[Schema]:
        if "$ref" in schema:
            yield self._resolve(schema["$ref"])
        if "allOf" in schema:
            yield from _schemas(schema["allOf"], "allOf")

    def _exclude(self, options: tuple[Schema, ...]) -> None:
        pairs = [(one, other) for place, one in enumerate(options) for other in options[place + 1 :]]
        if len(pairs) > MOST_ALTERNATIVES:
            raise GrammarError(f"oneOf has {len(options)} alternatives, too many to tell apart; use anyOf")
        self.exclusive |= {(id(one), id(other)): (one, other) for one, other in pairs}

    def _resolve(self, reference: Any) -> Schema:
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            raise GrammarError(f"$ref {reference!r} must point into the same schema, as in '#/$defs/name'")
        found: Any = self._document
        for part in reference.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and key.isascii() and key.isdigit() and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, Mapping) and key in found:
                found = found[key]
            else:
                raise GrammarError(f"$ref {reference!r} points at nothing")
        if not isinstance(found, Mapping | bool):
            raise GrammarError(f"$ref {reference!r} does not point at a schema")
        return found


def _product(one: list[Facts], other: list[Facts]) -> list[Facts]:
    if len(one) * len(other) > MOST_ALTERNATIVES:
        raise GrammarError(f"anyOf, oneOf and allOf together make more than {MOST_ALTERNATIVES} combinations")
    return [left.and_(right) for left in one for right in other]


def _own_facts(schema: Mapping[str, Any]) -> Facts:
    """What a schema says by itself, without the schemas that it combines."""
    facts = Facts()
    for keyword, value in schema.items():
        if keyword in _READERS:
            facts = facts.and_(_READERS[keyword](value, keyword))
        elif keyword not in _STRUCTURE and not _has_no_effect(keyword, value):
            raise GrammarError(f"the keyword '{keyword}' is not supported")
    if "properties" in schema or "additionalProperties" in schema:
        named = schema.get("properties", {})
        if not isinstance(named, Mapping):
            raise GrammarError("properties must be an object of schemas")
        checked = {name: _schema(value, f"the property '{name}'") for name, value in named.items()}
        facts = replace(facts, members=(Members(checked, _optional(schema, "additionalProperties")),))
    if "prefixItems" in schema or "items" in schema:
        first = _schemas(schema["prefixItems"], "prefixItems") if "prefixItems" in schema else ()
        facts = replace(facts, items=(Items(first, _optional(schema, "items")),))
    return facts


def _has_no_effect(keyword: str, value: Any) -> bool:
    neutral = _WITHOUT_EFFECT.get(keyword)
    return keyword in _ANNOTATIONS or keyword.startswith("x-") or (neutral is not None and value == neutral)


def _schema(value: Any, place: str) -> Schema:
    if not isinstance(value, Mapping | bool):
        raise GrammarError(f"{place} must be a schema, that is an object or a boolean")
    return value


def _optional(schema: Mapping[str, Any], keyword: str) -> Schema | None:
    return _schema(schema[keyword], keyword) if keyword in schema else None


def _schemas(value: Any, keyword: str) -> tuple[Schema, ...]:
    if not isinstance(value, list) or not value:
        raise GrammarError(f"{keyword} must be a list of schemas")
    return tuple(_schema(each, f"each of {keyword}") for each in value)


def _types(value: Any, keyword: str) -> Facts:
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else ()
    unknown = [name for name in names if name not in (*TYPES, "integer")]
    if not names or unknown:
        raise GrammarError(f"type must be one or some of {', '.join((*TYPES, 'integer'))}")
    return Facts(types=_common(TYPES, names))


def _constant(value: Any, keyword: str) -> Facts:
    return Facts(values=(value,))


def _enumeration(value: Any, keyword: str) -> Facts:
    if not isinstance(value, list) or not value:
        raise GrammarError("enum must be a list of values")
    return Facts(values=tuple(value))


def _bound(value: Any, keyword: str) -> Facts:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise GrammarError(f"{keyword} must be a number")
    bound = Bound(Decimal(repr(value)), open=keyword.startswith("exclusive"))
    return Facts(least=bound) if keyword.lower().endswith("minimum") else Facts(most=bound)


def _count(value: Any, keyword: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or value < 0:
        raise GrammarError(f"{keyword} must be a whole number, at least 0")
    return int(value)


def _text(value: Any, keyword: str) -> str:
    if not isinstance(value, str):
        raise GrammarError(f"{keyword} must be a string")
    return value


def _required(value: Any, keyword: str) -> Facts:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise GrammarError("required must be a list of names")
    return Facts(required=tuple(dict.fromkeys(value)))


_READERS: Final[Mapping[str, Callable[[Any, str], Facts]]] = {
    "type": _types,
    "const": _constant,
    "enum": _enumeration,
    "minimum": _bound,
    "maximum": _bound,
    "exclusiveMinimum": _bound,
    "exclusiveMaximum": _bound,
    "required": _required,
    "minLength": lambda value, keyword: Facts(min_length=_count(value, keyword)),
    "maxLength": lambda value, keyword: Facts(max_length=_count(value, keyword)),
    "pattern": lambda value, keyword: Facts(pattern=_text(value, keyword)),
    "format": lambda value, keyword: Facts(format=_text(value, keyword)),
    "minProperties": lambda value, keyword: Facts(min_members=_count(value, keyword)),
    "maxProperties": lambda value, keyword: Facts(max_members=_count(value, keyword)),
    "minItems": lambda value, keyword: Facts(min_items=_count(value, keyword)),
    "maxItems": lambda value, keyword: Facts(max_items=_count(value, keyword)),
}


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """Types in both; an integer is a number too."""
    kept: list[str] = []
    for name in (*one, *other):
        wider = name if name != "integer" else "number"
        in_both = all(name in types or wider in types for types in (one, other))
        if in_both and name not in kept:
            kept.append(name)
    return tuple(name for name in kept if name != "integer" or "number" not in kept)


def _shared(one: tuple[Any, ...] | None, other: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    if one is None or other is None:
        return one if other is None else other
    return tuple(value for value in one if any(same(value, candidate) for candidate in other))


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values: 1 is 1.0, but not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    return bool(one == other)


def _lower(one: int | None, other: int | None) -> int | None:
    limits = [limit for limit in (one, other) if limit is not None]
    return min(limits, default=None)


def _only(keyword: str, one: str | None, other: str | None) -> str | None:
    if one is not None and other is not None and one != other:
        raise GrammarError(f"two different values of {keyword} for one string")
    return one if other is None else other
