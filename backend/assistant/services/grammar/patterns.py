"""``pattern`` of JSON Schema as GBNF: the part of regular expressions that describes a regular language by itself.

Look-around, back references, word boundaries and classes of Unicode are refused. Where dialects disagree, what is
written matches in both ECMAScript and Python: ``\\d`` and its like are ASCII, complements are of printable ASCII. A
pattern that is not anchored may have any characters before and after it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from assistant.engine.gbnf_check import MOST_REPEATS
from assistant.services.grammar.gbnf import GrammarError, char_class, literal, repeat
from assistant.services.grammar.strings import ESCAPED, PLAIN, without

MOST_CHARACTERS: Final = 1000
MOST_GROUPS: Final = 16
_DIGIT: Final = ((0x30, 0x39),)
_WORD: Final = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Final = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))
_CLASSES: Final = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROLS: Final = {"t": 0x09, "n": 0x0A, "r": 0x0D, "f": 0x0C}
_SPECIAL: Final = frozenset("^$\\.*+?()[]{}|/-")
_PRINTABLE: Final = ((0x20, 0x7E),)


@dataclass(frozen=True, slots=True)
class Characters:
    """One character out of a set."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Choice:
    options: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    item: "Node"
    least: int
    most: int | None


Node = Characters | Sequence | Choice | Repeat

_ANYTHING: Final = Repeat(Characters(PLAIN), 0, None)


def pattern(expression: str, least: int, most: int | None) -> str:
    """The inside of a JSON string that matches, with so many characters. Raises GrammarError."""
    tree = _Parser(expression).parse()
    if most is not None:
        tree = _shortened(tree, most)
    tree = _lengthened(tree, least)
    shortest, longest = _lengths(tree)
    if shortest < least or (most is not None and (longest is None or longest > most)):
        raise GrammarError(
            f"pattern {expression!r} allows other lengths than minLength and maxLength; write them into it"
        )
    return _written(tree)


def _lengths(node: Node) -> tuple[int, int | None]:
    """The fewest and the most characters."""
    match node:
        case Characters():
            return 1, 1
        case Sequence(parts):
            lengths = [_lengths(part) for part in parts]
            return sum(low for low, _ in lengths), _sum(high for _, high in lengths)
        case Choice(options):
            lengths = [_lengths(option) for option in options]
            highs = [high for _, high in lengths]
            return min(low for low, _ in lengths), None if None in highs else max(high or 0 for high in highs)
        case Repeat(item, least, most):
            low, high = _lengths(item)
            return low * least, 0 if high == 0 or most == 0 else None if high is None or most is None else high * most


def _sum(lengths: Iterable[int | None]) -> int | None:
    total = 0
    for length in lengths:
        if length is None:
            return None
        total += length
    return total


def _shortened(tree: Node, most: int) -> Node:
    """The same with open repetitions limited, so that at most so many characters come out, if that can be done."""
    tops = [part for part in _parts(tree) if isinstance(part, Repeat) and part.most is None]
    fixed = _lengths(_mapped(tree, lambda part: replace(part, most=part.least)))[1]
    if not tops or fixed is None or fixed > most:
        return tree
    share = (most - fixed) // len(tops)

    def limited(part: Repeat) -> Repeat:
        unit = _lengths(part.item)[1]
        return part if not unit else replace(part, most=part.least + share // unit)

    return _mapped(tree, limited)


def _lengthened(tree: Node, least: int) -> Node:
    """The same with one repetition that has room raised, so that at least so many characters come out."""
    missing = least - _lengths(tree)[0]
    for part in _parts(tree) if missing > 0 else ():
        unit = _lengths(part.item)[0] if isinstance(part, Repeat) else 0
        if isinstance(part, Repeat) and unit:
            wanted = part.least + -(-missing // unit)
            if part.most is None or wanted <= part.most:
                return _swapped(tree, part, replace(part, least=wanted))
    return tree


def _parts(tree: Node) -> tuple[Node, ...]:
    return tree.parts if isinstance(tree, Sequence) else (tree,)


def _mapped(tree: Node, change: Callable[[Repeat], Repeat]) -> Node:
    """Open repetitions at the top changed."""
    parts = [change(part) if isinstance(part, Repeat) and part.most is None else part for part in _parts(tree)]
    return Sequence(tuple(parts))


def _swapped(tree: Node, old: Node, new: Node) -> Node:
    parts = list(_parts(tree))
    parts[next(place for place, part in enumerate(parts) if part is old)] = new
    return Sequence(tuple(parts))


def _written(node: Node) -> str:
    match node:
        case Characters(ranges):
            return _class(ranges)
        case Sequence(parts):
            return " ".join(_written(part) for part in parts) or '""'
        case Choice(options):
            return f"({' | '.join(_written(option) for option in options)})"
        case Repeat(item, least, most):
            inside = _written(item)
            single = isinstance(item, Choice | Characters)
            return repeat(inside if single else f"({inside})", least, most)


def _class(ranges: tuple[tuple[int, int], ...]) -> str:
    """A character of a set as JSON writes it."""
    if ranges == PLAIN:
        return "plain"
    escapes = [code for code in map(ord, ESCAPED) if any(low <= code <= high for low, high in ranges)]
    plain = [
        (max(low, allowed_low), min(high, allowed_high))
        for low, high in ranges
        for allowed_low, allowed_high in PLAIN
        if low <= allowed_high and allowed_low <= high
    ]
    spelled = [literal(ESCAPED[chr(code)]) for code in escapes]
    if not plain and not spelled:
        raise GrammarError("pattern: a class without any character that JSON text can hold")
    parts = [char_class(plain)] if plain else []
    return parts[0] if not spelled and parts else f"({' | '.join([*parts, *spelled])})"


class _Parser:
    """Recursive descent over the expression."""

    def __init__(self, expression: str) -> None:
        if len(expression) > MOST_CHARACTERS:
            raise GrammarError(f"pattern is longer than {MOST_CHARACTERS} characters")
        self._text = expression
        self._at = 0
        self._depth = 0

    def parse(self) -> Node:
        options = [self._anchored()]
        while self._take("|"):
            options.append(self._anchored())
        if self._at < len(self._text):
            raise self._refuse("a parenthesis that was never opened")
        return options[0] if len(options) == 1 else Choice(tuple(options))

    def _anchored(self) -> Node:
        """A branch at the top, the only place for anchors."""
        start = () if self._take("^") else (_ANYTHING,)
        parts = self._pieces()
        end = () if self._take("$") else (_ANYTHING,)
        return Sequence((*start, *parts, *end))

    def _group(self) -> Node:
        options = [Sequence(tuple(self._pieces()))]
        while self._take("|"):
            options.append(Sequence(tuple(self._pieces())))
        return Choice(tuple(options))

    def _pieces(self) -> list[Node]:
        parts: list[Node] = []
        while self._at < len(self._text) and self._text[self._at] not in "|)$":
            parts.append(self._quantified(self._atom()))
        return parts

    def _atom(self) -> Node:
        character = self._next()
        if character == "(":
            return self._parenthesis()
        if character == "[":
            return Characters(self._set())
        if character == ".":
            return Characters(PLAIN)
        if character == "\\":
            return Characters(self._escape())
        if character in "^*+?{":
            raise self._refuse(f"'{character}' here")
        return Characters(_one(ord(character)))

    def _parenthesis(self) -> Node:
        if self._take("?") and not self._take(":"):
            raise self._refuse("look-around and named groups")
        self._depth += 1
        if self._depth > MOST_GROUPS:
            raise self._refuse(f"more than {MOST_GROUPS} groups within each other")
        inside = self._group()
        self._depth -= 1
        if not self._take(")"):
            raise self._refuse("a parenthesis that is never closed, or an anchor within one")
        return inside

    def _quantified(self, item: Node) -> Node:
        bounds = self._bounds()
        if bounds is None:
            return item
        self._take("?")  # lazy: the same language
        if self._at < len(self._text) and self._text[self._at] in "*+?{":
            raise self._refuse("a repetition of a repetition")
        least, most = bounds
        if max(least, most or 0) > MOST_REPEATS or (most is not None and most < least):
            raise self._refuse(f"repetition {{{least},{most}}}, which is not within 0 and {MOST_REPEATS}")
        return Repeat(item, least, most)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._take(sign):
                return bounds
        if not self._take("{"):
            return None
        least = self._number()
        most: int | None = least
        if self._take(","):
            most = None if self._text[self._at : self._at + 1] == "}" else self._number()
        if not self._take("}"):
            raise self._refuse("a repetition without end")
        return least, most

    def _number(self) -> int:
        start = self._at
        while self._text[self._at : self._at + 1] in tuple("0123456789"):
            self._at += 1
        if not 0 < self._at - start < 6:
            raise self._refuse("a repetition without a sensible number")
        return int(self._text[start : self._at])

    def _set(self) -> tuple[tuple[int, int], ...]:
        negated = self._take("^")
        if self._text[self._at : self._at + 1] == "]":
            raise self._refuse("an empty class")
        ranges: list[tuple[int, int]] = []
        while not self._take("]"):
            low = self._set_item()
            if len(low) == 1 and low[0][0] == low[0][1] and self._range_follows():
                self._at += 1
                high = self._set_item()
                if len(high) != 1 or high[0][1] < low[0][0]:
                    raise self._refuse("a range whose end lies before its beginning")
                low = ((low[0][0], high[0][1]),)
            ranges += low
        if negated:
            return tuple(_complement(ranges))
        return tuple(ranges)

    def _range_follows(self) -> bool:
        return self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", "")

    def _set_item(self) -> tuple[tuple[int, int], ...]:
        character = self._next()
        return self._escape() if character == "\\" else _one(ord(character))

    def _escape(self) -> tuple[tuple[int, int], ...]:
        character = self._next()
        if character in _CLASSES:
            return _CLASSES[character]
        if character.lower() in _CLASSES:
            return tuple(_complement(_CLASSES[character.lower()]))
        if character in _CONTROLS:
            return _one(_CONTROLS[character])
        if character in ("x", "u"):
            return _one(self._hexadecimal(2 if character == "x" else 4))
        if character in _SPECIAL or not character.isalnum():
            return _one(ord(character))
        raise self._refuse(f"the escape \\{character}")

    def _hexadecimal(self, digits: int) -> int:
        text = self._text[self._at : self._at + digits]
        self._at += digits
        if len(text) != digits or any(digit not in "0123456789abcdefABCDEF" for digit in text):
            raise self._refuse("an escape without its digits")
        return int(text, 16)

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise self._refuse("an end in the middle of something")
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, character: str) -> bool:
        found = self._text[self._at : self._at + 1] == character
        self._at += found
        return found

    def _refuse(self, what: str) -> GrammarError:
        return GrammarError(f"pattern {self._text!r} is not supported: {what}, at character {self._at}")


def _one(code: int) -> tuple[tuple[int, int], ...]:
    return ((code, code),)


def _complement(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Printable ASCII less ``ranges``."""
    return without(_PRINTABLE, {code for low, high in ranges for code in range(low, min(high, 0x7E) + 1)})
