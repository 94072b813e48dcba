"""Checks of GBNF before it reaches llama.cpp, whose parser trusts its input.

It recurses for every parenthesis, loops without end on ``x{2,1}``, takes an upper bound above 2,000 for none, copies
what it repeats, follows every path of first symbols to find left recursion, which takes exponential time, and keeps a
stack for every way to go on, comparing each with each. Where a token element follows characters, it lets a token
through that covers both, and ends the process when that token is chosen.

Source: llama.cpp ``src/llama-grammar.cpp``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from assistant.engine.types import InvalidGrammarError

MOST_REPEATS: Final = 2000
"""llama.cpp refuses more, and takes a larger upper bound for none at all."""
MOST_BYTES: Final = 64 * 1024
MOST_NESTED: Final = 64
MOST_ELEMENTS: Final = 64 * 1024
MOST_PATHS: Final = 4096
MOST_OPTIONAL: Final = 32

_END: Final = -1
_TOKEN: Final = re.compile(
    r"""(?P<blank>[ \t\r\n]+|\#[^\n]*)
    |(?P<rule>[a-zA-Z0-9-]+(?=[ \t]*::=))
    |(?P<defined>::=)
    |(?P<name>[a-zA-Z0-9-]+)
    |(?P<terminal>"(?:[^"\\\n]|\\.)*"|\[(?:[^\]\\\n]|\\.)*\]|\.|!?<(?:\[\d{1,9}\]|[^<>\n]{1,64})>)
    |(?P<open>\()
    |(?P<close>\))
    |(?P<bar>\|)
    |(?P<repeat>[*+?]|\{[ \t]*\d{1,5}[ \t]*(?:,[ \t]*(?:\d{1,5})?[ \t]*)?\})""",
    re.VERBOSE,
)


@dataclass(slots=True)
class _Group:
    """A rule or a parenthesis while it is read; references and groups are numbers of nodes, terminals are None."""

    number: int
    alternatives: list[list[int | None]] = field(default_factory=lambda: [[]])
    last: int = 0
    """Elements of the symbol before, which a repetition would copy."""


class _Grammar:
    """Rules and groups as a graph of their symbols."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.nodes: dict[int, list[list[int | None]]] = {}
        self.elements = 0
        self.terminals: set[str] = set()
        self._count = 0

    def number(self, name: str | None = None) -> int:
        if name in self.numbers:
            return self.numbers[name]
        self._count += 1
        if name is not None:
            self.numbers[name] = self._count
        return self._count


def check_gbnf(text: str) -> None:
    """Raise InvalidGrammarError unless llama.cpp can parse this grammar, and soon."""
    if "\0" in text:
        raise InvalidGrammarError("the grammar has a NUL character")
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise InvalidGrammarError(f"the grammar has more than {MOST_BYTES // 1024} KiB")
    grammar = _read(text)
    undefined = [name for name, number in grammar.numbers.items() if number not in grammar.nodes]
    if undefined:
        raise InvalidGrammarError(f"the rule '{undefined[0]}' is not defined")
    if "root" not in grammar.numbers:
        raise InvalidGrammarError("there is no rule 'root'")
    if len(grammar.terminals) > 1:
        raise InvalidGrammarError("a grammar has either characters or <[token]> elements, not both")
    _check_paths(grammar)


def _read(text: str) -> _Grammar:
    grammar = _Grammar()
    stack: list[_Group] = []
    for kind, token in _tokens(text):
        if kind == "rule":
            _end_rule(grammar, stack)
            stack = [_Group(grammar.number(token))]
        elif not stack:
            raise InvalidGrammarError("a grammar begins with 'root ::= '")
        else:
            _take(grammar, stack, kind, token)
    _end_rule(grammar, stack)
    return grammar


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            line = text.count("\n", 0, at) + 1
            raise InvalidGrammarError(f"line {line} of the grammar cannot be read from {text[at : at + 20]!r} on")
        if match.lastgroup not in ("blank", "defined"):
            yield match.lastgroup, match.group()
        at = match.end()


def _end_rule(grammar: _Grammar, stack: list[_Group]) -> None:
    if len(stack) > 1:
        raise InvalidGrammarError("a parenthesis of the grammar is never closed")
    if stack:
        _close(grammar, stack[0])


def _close(grammar: _Grammar, group: _Group) -> None:
    grammar.nodes[group.number] = group.alternatives


def _count(grammar: _Grammar, elements: int) -> None:
    grammar.elements += elements
    if grammar.elements > MOST_ELEMENTS:
        raise InvalidGrammarError(f"with its repetitions the grammar has more than {MOST_ELEMENTS} elements")


def _take(grammar: _Grammar, stack: list[_Group], kind: str, token: str) -> None:
    group = stack[-1]
    if kind == "bar":
        group.alternatives.append([])
        group.last = 0
    elif kind == "open":
        if len(stack) > MOST_NESTED:
            raise InvalidGrammarError(f"the grammar has more than {MOST_NESTED} parentheses within each other")
        stack.append(_Group(grammar.number()))
    elif kind == "close":
        if len(stack) == 1:
            raise InvalidGrammarError("a parenthesis of the grammar was never opened")
        _close(grammar, stack.pop())
        _add(grammar, stack[-1], group.number, 1)
    elif kind == "repeat":
        _repeat(grammar, group, token)
    elif kind == "name":
        _add(grammar, group, grammar.number(token), 1)
    elif token in ('""', "[]", "[^]"):
        group.last = 0  # stands for nothing
    else:
        grammar.terminals.add("token" if token.lstrip("!").startswith("<") else "characters")
        _add(grammar, group, None, len(token))


def _add(grammar: _Grammar, group: _Group, symbol: int | None, elements: int) -> None:
    group.alternatives[-1].append(symbol)
    group.last = elements
    _count(grammar, elements)


def _repeat(grammar: _Grammar, group: _Group, token: str) -> None:
    if not group.last:
        raise InvalidGrammarError(f"the repetition {token} has nothing before it")
    least, most = _bounds(token)
    if max(least, most or 0) > MOST_REPEATS or (most is not None and most < least):
        raise InvalidGrammarError(f"the repetition {token} must lie within 0 and {MOST_REPEATS}, the lower bound first")
    times = max(least, most or 0, 1)
    _count(grammar, group.last * (times - 1))
    repeated = [group.alternatives[-1].pop()] * times
    if least == 0:
        number = grammar.number()
        grammar.nodes[number] = [repeated, []]
        repeated = [number]
    group.alternatives[-1] += repeated


def _bounds(token: str) -> tuple[int, int | None]:
    if token in ("*", "+", "?"):
        return int(token == "+"), 1 if token == "?" else None
    low, comma, high = token.strip("{}").replace(" ", "").replace("\t", "").partition(",")
    return int(low), int(high) if high else None if comma else int(low)


def _check_paths(grammar: _Grammar) -> None:
    """Refuse left recursion, and more ways to go on than can be followed."""
    empty = _nullable(grammar)
    paths: dict[int, int] = {}
    for start in grammar.nodes:
        if start not in paths:
            _count_paths(grammar, start, empty, paths)
    if max(paths.values()) > MOST_PATHS:
        raise InvalidGrammarError(f"the grammar has more than {MOST_PATHS} ways to go on at one place")
    skips: dict[int, int] = {}
    for node in paths:  # what may come first in a node stands before it
        skips[node] = max(_runs(symbols, empty, skips)[-1] for symbols in grammar.nodes[node])
    for alternatives in grammar.nodes.values():
        if any(max(_runs(symbols, empty, skips)) > MOST_OPTIONAL for symbols in alternatives):
            raise InvalidGrammarError(f"the grammar has more than {MOST_OPTIONAL} optional parts in a row")


def _runs(symbols: list[int | None], empty: set[int], skips: dict[int, int]) -> list[int]:
    """How many optional parts stand in a row before each part that is not optional; the first such run comes last."""
    runs = [0]
    for symbol in reversed(symbols):
        inside = 0 if symbol is None else skips.get(symbol, 0)
        if symbol in empty:
            runs[-1] += 1 + inside
        else:
            runs.append(inside)
    return runs


def _count_paths(grammar: _Grammar, start: int, empty: set[int], paths: dict[int, int]) -> None:
    """Fill in ``paths`` for a node and all that may come first in it."""
    open_ = {start}
    stack = [(start, iter(_leftmost(grammar.nodes[start], empty)))]
    counts = [1]
    while stack:
        node, following = stack[-1]
        other = next(following, _END)
        if other is None:
            counts[-1] += 1
        elif other == _END:
            stack.pop()
            open_.remove(node)
            paths[node] = min(counts.pop(), MOST_PATHS + 1)
            if counts:
                counts[-1] += paths[node]
        elif other in open_:
            raise InvalidGrammarError("a rule of the grammar begins with itself (left recursion)")
        elif other in paths:
            counts[-1] += paths[other]
        else:
            open_.add(other)
            stack.append((other, iter(_leftmost(grammar.nodes[other], empty))))
            counts.append(1)


def _leftmost(alternatives: list[list[int | None]], empty: set[int]) -> list[int | None]:
    """Symbols that may come first, as often as they may."""
    found = []
    for symbols in alternatives:
        for symbol in symbols:
            found.append(symbol)
            if symbol not in empty:
                break
    return found


def _nullable(grammar: _Grammar) -> set[int]:
    """Nodes that may stand for nothing."""
    waiting: list[tuple[int, int]] = []
    """For each alternative without terminals: its node, and how many of its symbols are not known to be empty."""
    users: dict[int, list[int]] = {}
    for number, alternatives in grammar.nodes.items():
        for symbols in alternatives:
            if None not in symbols:
                for symbol in symbols:
                    users.setdefault(symbol or 0, []).append(len(waiting))
                waiting.append((number, len(symbols)))
    found = [number for number, missing in waiting if missing == 0]
    empty: set[int] = set()
    while found:
        number = found.pop()
        if number in empty:
            continue
        empty.add(number)
        for place in users.get(number, ()):
            node, missing = waiting[place]
            waiting[place] = (node, missing - 1)
            if missing == 1:
                found.append(node)
    return empty
