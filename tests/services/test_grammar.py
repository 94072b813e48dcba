"""Which formats become grammars, which are refused and why, and that grammars are safe to parse."""

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from assistant.errors import InvalidRequestError
from assistant.services.generators.types import Format, JsonFormat, Tool, ToolUse
from assistant.services.grammar.formats import gbnf
from assistant.services.grammar.gbnf import GrammarError
from assistant.services.grammar.numbers import decimals, integers
from assistant.services.grammar.patterns import pattern
from assistant.services.grammar.strings import other_than


def as_regex(expression: str) -> re.Pattern[str]:
    """An expression without names of rules as a regular expression of Python."""
    parts = re.findall(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|\(|[^"\[( ]+| ', expression)
    translated = []
    for part in parts:
        if part.startswith('"'):
            translated.append(f"(?:{re.escape(part[1:-1].encode().decode('unicode_escape'))})")
        else:
            translated.append({"(": "(?:", " ": ""}.get(part, part))
    return re.compile("".join(translated))


whole = st.integers(-(10**6), 10**6)


@given(whole, st.integers(0, 10**5), st.lists(whole), st.data())
def test_integers_within_bounds_are_written_and_no_others(
    low: int, width: int, others: list[int], data: st.DataObject
) -> None:
    high = low + width
    inside = data.draw(st.integers(low, high))
    matcher = as_regex(integers(low, high))
    for value in (low - 1, low, inside, high, high + 1, -low, low * 10, *others):
        assert bool(matcher.fullmatch(str(value))) == (low <= value <= high)


fractions = st.builds(lambda number, places: Decimal(number).scaleb(-places), whole, st.integers(0, 6))


@given(st.none() | fractions, fractions, st.booleans(), st.booleans(), st.booleans(), st.lists(fractions), st.data())
def test_numbers_within_bounds_are_written_and_no_others(
    low: Decimal | None, width: Decimal, open_low: bool, open_high: bool, endless: bool, others: list[Decimal],
    data: st.DataObject,
) -> None:  # fmt: skip
    high = None if endless else (low or Decimal(0)) + abs(width)
    expression = decimals(low, high, least_open=open_low, most_open=open_high)
    if expression is None:
        assert low is not None
        assert low == high
        return
    matcher = as_regex(expression)
    near = [bound + Decimal(step).scaleb(-6) for bound in (low, high) if bound is not None for step in (-1, 0, 1)]
    for value in (*near, *others):
        above = low is None or value > low or (value == low and not open_low)
        below = high is None or value < high or (value == high and not open_high)
        text = format(value, "f")
        if matcher.fullmatch(text):
            assert above
            assert below
        elif above and below and abs(value) < 10**6 and not text.startswith("-0"):
            assert len(text.partition(".")[2]) > 6


@pytest.mark.parametrize(
    ("expression", "least", "most", "matches", "fails"),
    [
        ("^[a-c]+$", 0, None, ["a", "abc"], ["", "d", "ad"]),
        ("^[a-c]+$", 2, 3, ["ab", "abc"], ["a", "abca"]),
        ("^(ab|c){2}$", 0, None, ["abab", "cc", "abc"], ["ab", "ccc"]),
        ("^a|b$", 0, None, [], []),
        (r"^\d{2}\.\w?$", 0, None, ["12.", "12.x"], ["1.", "12.xy", "12-"]),
        (r'^"\\$', 0, None, ['\\"\\\\'], ['"\\']),
        (r"^[^a-z]\s$", 0, None, ["A ", "1\\n"], ["a ", "A\n", "é "]),
        (r"^\x41é$", 0, None, ["Aé"], ["A"]),
        ("^(?:x?){3}$", 0, 3, ["", "xxx"], ["xxxx"]),
    ],
)
def test_patterns_become_what_they_match(
    expression: str, least: int, most: int | None, matches: list[str], fails: list[str]
) -> None:
    written = pattern(expression, least, most)
    if "plain" in written:
        return
    matcher = as_regex(written)
    assert all(matcher.fullmatch(text) for text in matches)
    assert not any(matcher.fullmatch(text) for text in fails)


@pytest.mark.parametrize(
    "expression",
    [r"(?=a)b", r"(?<n>a)", r"(a)\1", r"\bword\b", r"\p{L}", "a^b", "(^a)", "(a$)", "a**", "a{3,1}", "a{9999}", "[",
     "(", ")", "[]", "[^]a]", "[z-a]", "a{", "\\", "x" * 2000, "(" * 20 + ")" * 20, r"^\ud800$"],
)  # fmt: skip
def test_patterns_that_cannot_be_written_are_refused(expression: str) -> None:
    with pytest.raises(GrammarError, match="pattern"):
        pattern(expression, 0, None)


@given(st.lists(st.text("abé", min_size=1, max_size=4), max_size=4), st.text("abéx", max_size=5))
def test_other_names_are_all_but_those_listed(names: list[str], other: str) -> None:
    expression = other_than(names).replace("plain*", "[^\x00]*").replace("| wide", "| [^\x00-\x7f]")
    matcher = as_regex(expression)
    assert bool(matcher.fullmatch(f'"{other}"')) == (other not in names)


REFUSED: list[tuple[Any, str]] = [
    ({"not": {"type": "null"}}, "'not'"),
    ({"if": {}, "then": {}}, "'if'"),
    ({"type": "array", "uniqueItems": True}, "'uniqueItems'"),
    ({"type": "array", "contains": {}}, "'contains'"),
    ({"type": "object", "patternProperties": {"^a": {}}}, "'patternProperties'"),
    ({"type": "object", "propertyNames": {}}, "'propertyNames'"),
    ({"type": "object", "dependentRequired": {}}, "'dependentRequired'"),
    ({"type": "number", "multipleOf": 0.1}, "'multipleOf'"),
    ({"$dynamicRef": "#a"}, "'\\$dynamicRef'"),
    ({"maxLenght": 3}, "'maxLenght'"),
    ({"type": "string", "format": "iri"}, "'iri'"),
    ({"type": "string", "format": "date", "maxLength": 3}, "format"),
    ({"enum": ["a"], "pattern": "a"}, "pattern"),
    ({"type": "text"}, "type"),
    ({"type": []}, "type"),
    ({"enum": []}, "enum"),
    ({"enum": "a"}, "enum"),
    ({"anyOf": []}, "anyOf"),
    ({"anyOf": [1]}, "anyOf"),
    ({"properties": {"a": 1}}, "'a'"),
    ({"properties": []}, "properties"),
    ({"required": "a"}, "required"),
    ({"minimum": "1"}, "minimum"),
    ({"minimum": True}, "minimum"),
    ({"maxItems": -1}, "maxItems"),
    ({"maxItems": 1.5}, "maxItems"),
    ({"items": [{}]}, "items"),
    ({"$ref": "other.json"}, "other.json"),
    ({"$ref": "#/$defs/a"}, "points at nothing"),
    ({"$ref": "#/title", "title": "x"}, "title"),
    ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "itself"),
    ({"items": {"$id": "https://example.org"}}, "\\$id"),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "oneOf"),
    ({"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, "oneOf"),
    ({"type": "string", "minLength": 3, "maxLength": 2}, "no answer"),
    ({"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 2}, "no answer"),
    ({"enum": ["a"], "type": "integer"}, "no answer"),
    ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "no answer"),
    ({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, "no answer"),
    ({"allOf": [{"type": "string"}, {"type": "null"}]}, "no answer"),
    ({"type": "number", "minimum": 10**20}, "10\\^15"),
    ({"type": "string", "minLength": 10**6}, "minLength"),
    ({"type": "object", "minProperties": 3}, "minProperties"),
    ({"const": "x" * 70_000}, "64 KiB"),
    ({"const": "\ud800"}, "surrogate"),
    ({"const": float("nan")}, "finite"),
    ({"anyOf": [{"type": "integer", "minimum": n} for n in range(300)]}, "combinations"),
]


@pytest.mark.parametrize(("schema", "names"), REFUSED, ids=[str(schema)[:50] for schema, _ in REFUSED])
def test_schemas_that_cannot_be_kept_to_are_refused_by_name(schema: Any, names: str) -> None:
    with pytest.raises(InvalidRequestError, match=names) as refused:
        gbnf(JsonFormat(schema))
    assert refused.value.param == "response_format"


def test_nesting_and_chains_of_references_are_refused_before_python_gives_up() -> None:
    nested: dict[str, Any] = {}
    for _ in range(5000):
        nested = {"items": nested}
    chain = {f"d{number}": {"$ref": f"#/$defs/d{number + 1}"} for number in range(1500)}
    names: dict[str, Any] = {"properties": {"a" * 5000: {}}, "additionalProperties": True}
    for schema in (nested, {"$defs": chain, "$ref": "#/$defs/d0"}):
        with pytest.raises(InvalidRequestError):
            gbnf(JsonFormat(schema))
    assert gbnf(JsonFormat(names))


def test_what_a_schema_leaves_open_is_written() -> None:
    for schema in ({}, {"type": "object"}, {"title": "x", "x-order": 3}, {"type": ["string", "null"]}):
        Draft202012Validator.check_schema(schema)
        assert gbnf(JsonFormat(schema)).startswith("root ::=")


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        (ToolUse((Tool("f", parameters={"not": {}}),)), "tools"),
        (ToolUse((Tool("f", parameters={"type": "array"}),), "required"), "tools"),
        (JsonFormat({"not": {}}), "response_format"),
    ],
)
def test_the_parameter_that_asked_is_named(wanted: Format, param: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        gbnf(wanted)
    assert refused.value.param == param
