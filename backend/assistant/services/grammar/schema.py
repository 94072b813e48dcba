"""JSON Schema to GBNF: every answer that the grammar admits parses and validates.

Where the schema leaves a choice that answers do not need, the grammar takes it: members in the order of ``properties``,
one way to space and to escape, 15 digits. What it cannot keep to is refused with a GrammarError that names the keyword.
"""

import json
from collections.abc import Iterator, Mapping, Set
from typing import Final

from assistant.engine.gbnf_check import MOST_REPEATS
from assistant.services.grammar import numbers, strings
from assistant.services.grammar.facts import Reader, Schema
from assistant.services.grammar.gbnf import GrammarError, literal, repeat
from assistant.services.grammar.shapes import ArrayShape, Demand, Leaf, Member, NumberOf, ObjectShape, Shape, Shaper

MOST_PARTS: Final = 1000
_RULES: Final = {"space": '" "?', "number": numbers.NUMBER, "integer": numbers.INTEGER, **strings.RULES}

_COMMA: Final = '", "'
_UNKNOWN: Final = Leaf("")
_OVERLAP: Final = "oneOf: an answer may satisfy two of its alternatives; use anyOf, or a property with a const in each"


class SchemaGrammar:
    """The rules for values that satisfy ``schema`` and ``also``, named after ``prefix``."""

    def __init__(self, schema: Schema, prefix: str = "v", *, also: Schema = True) -> None:
        self._prefix = prefix
        self._reader = Reader(schema)
        self._nodes = _Nodes(self._reader, exact=False)
        root = self._nodes.number_of((schema, also))
        self._nodes.expand()
        self._writable = self._nodes.writable()
        if root not in self._writable:
            raise GrammarError("no answer can satisfy the schema")
        self._check_exclusive()
        self._names = {number: f"{prefix}{number}" for number in self._writable}
        self.root = self._names[root]

    def rules(self) -> dict[str, str]:
        """Rule names and their right-hand sides, without those that all grammars share."""
        rules: dict[str, str] = {}
        for number in sorted(self._writable):
            name = self._names[number]
            shapes = [self._written(shape, f"{name}-{place}", rules) for place, shape in self._shapes(number)]
            rules[name] = " | ".join(dict.fromkeys(shapes))
        return rules

    def _shapes(self, number: int) -> Iterator[tuple[int, Shape]]:
        for place, shape in enumerate(self._nodes.shapes[number]):
            settled = shape if isinstance(shape, Leaf) else shape.settled(self._writable)
            if settled is not None:
                yield place, settled

    def _check_exclusive(self) -> None:
        """``oneOf`` is kept to by alternatives that cannot hold together; anything else is refused."""
        nodes = _Nodes(self._reader, exact=True)
        checked: set[tuple[int, int]] = set()
        while new := [pair for pair in self._reader.exclusive if pair not in checked]:
            checked.update(new)
            for pair in new:
                nodes.number_of(self._reader.exclusive[pair])
            nodes.expand()
        possible = nodes.writable()
        if any(nodes.number_of(pair) in possible for pair in self._reader.exclusive.values()):
            raise GrammarError(_OVERLAP)

    def _written(self, shape: Shape, name: str, rules: dict[str, str]) -> str:
        match shape:
            case Leaf(gbnf):
                return gbnf
            case ArrayShape():
                return self._array(shape)
            case ObjectShape():
                return self._object(shape, name, rules)

    def _array(self, shape: ArrayShape) -> str:
        """``[`` items ``]``; all of the first items are written, as far as ``most`` allows."""
        first = [self._names[item] for item in shape.first[: shape.most]]
        least = max(shape.least - len(first), 0)
        most = None if shape.most is None else min(shape.most - len(first), MOST_REPEATS)
        if most == 0:
            return f'"[" {_listed(first)} "]"'.replace("  ", " ")
        rest = self._names[shape.rest]
        another = f"({_COMMA} {rest})"
        if first:
            return f'"[" {_listed(first)} {repeat(another, least, most)} "]"'
        after = repeat(another, max(least - 1, 0), None if most is None else most - 1) if most != 1 else ""
        inside = f"{rest} {after}".strip()
        return f'"[" {inside} "]"' if least else f'"[" ({inside})? "]"'

    def _object(self, shape: ObjectShape, name: str, rules: dict[str, str]) -> str:
        """``{`` members in order, each optional one there or not, then others ``}``.

        The rule ``{name}-{place}`` writes a member from ``place`` on, and what follows it.
        """
        parts = [self._pair(member) for member in shape.members]
        if shape.more is not None:
            pair = f"{name}-more"
            rules[pair] = f'{strings.other_than([each.name for each in shape.members])} ": " {self._names[shape.more]}'
            most = None if shape.most_more is None else min(shape.most_more, MOST_REPEATS) - 1
            parts.append(pair if most == 0 else f"{pair} {repeat(f'({_COMMA} {pair})', 0, most)}")
        for place, part in enumerate(parts):
            skipped = place < len(shape.members) and not shape.members[place].required and place + 1 < len(parts)
            rest = self._from(shape, name, place + 1, _COMMA)
            rules[f"{name}-{place}"] = f"{part} {rest}".strip() + (f" | {name}-{place + 1}" if skipped else "")
        return " ".join(filter(None, ('"{"', self._from(shape, name, 0), '"}"')))

    @staticmethod
    def _from(shape: ObjectShape, name: str, place: int, comma: str = "") -> str:
        """The members from ``place`` on, if there are any."""
        if place >= len(shape.members) + (shape.more is not None):
            return ""
        needed = shape.least_more or any(member.required for member in shape.members[place:])
        following = f"{comma} {name}-{place}".strip()
        return following if needed else f"({following})?"

    def _pair(self, member: Member) -> str:
        return f"{literal(json.dumps(member.name, ensure_ascii=False) + ': ')} {self._names[member.value]}"


class _Nodes:
    """The demands that a schema makes of the parts of an answer, and the shapes that satisfy each.

    Where ``exact`` shapes cannot be told, there may be any.
    """

    def __init__(self, reader: Reader, *, exact: bool) -> None:
        self.number_of = NumberOf(MOST_PARTS)
        self.shapes: list[list[Shape]] = []
        self._reader = reader
        self._exact = exact
        self._shaper = Shaper(self.number_of, exact=exact)

    def expand(self) -> None:
        """Find the shapes of every demand there is, and of those they make in turn."""
        while len(self.shapes) < len(self.number_of.demands):
            try:
                self.shapes.append(self._shapes(self.number_of.demands[len(self.shapes)]))
            except GrammarError:
                if not self._exact:
                    raise
                self.shapes.append([_UNKNOWN])

    def _shapes(self, demand: Demand) -> list[Shape]:
        return [shape for facts in self._reader.alternatives(demand) for shape in self._shaper.shapes(facts)]

    def writable(self) -> set[int]:
        """Demands that a finite answer can satisfy."""
        writable: set[int] = set()
        before = -1
        while before < len(writable):
            before = len(writable)
            for number in reversed(range(len(self.shapes))):
                if number not in writable and any(_is_writable(shape, writable) for shape in self.shapes[number]):
                    writable.add(number)
        return writable


def _is_writable(shape: Shape, writable: Set[int]) -> bool:
    return isinstance(shape, Leaf) or shape.settled(writable) is not None


def text(rules: Mapping[str, str]) -> str:
    """Rules as GBNF, with those that all grammars share."""
    return "\n".join(f"{name} ::= {right}" for name, right in {**rules, **_RULES}.items()) + "\n"


def _listed(items: list[str]) -> str:
    return f" {_COMMA} ".join(items)
