"""The format that a request asks for as one grammar in GBNF."""

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from assistant.errors import InvalidRequestError
from assistant.services.generators.types import Format, GrammarFormat, JsonFormat, Tool, ToolUse
from assistant.services.grammar.gbnf import GrammarError, literal
from assistant.services.grammar.schema import SchemaGrammar, text

MOST_BYTES: Final = 64 * 1024
MOST_DEPTH: Final = 64
_ANY_OBJECT: Final = {"type": "object"}
_NOTHING: Final = {"type": "object", "additionalProperties": False}
_WRITTEN: Final = "[^{ \\t\\r\\n] [^\\x00]*"


def gbnf(wanted: Format) -> str:
    """The grammar of a format. Raises InvalidRequestError, with the parameter that asked for it."""
    param = parameter_of(wanted)
    try:
        return _grammar(wanted)
    except GrammarError as error:
        raise InvalidRequestError(f"{param}: {error}.", param=param) from None


def parameter_of(wanted: Format | None) -> str:
    """The parameter of a request that asks for a format."""
    return {JsonFormat: "response_format", ToolUse: "tools"}.get(type(wanted), "grammar")


def _grammar(wanted: Format) -> str:
    match wanted:
        case GrammarFormat(grammar):
            return grammar
        case JsonFormat(schema):
            values = SchemaGrammar(_checked(_ANY_OBJECT if schema is None else schema))
            return text({"root": f"space {values.root}", **values.rules()})
        case ToolUse():
            return _calls(wanted)


def _calls(use: ToolUse) -> str:
    """One call as JSON; where the model may also just write, text that does not begin with a brace."""
    rules: dict[str, str] = {}
    names = []
    for place, tool in enumerate(use.tools):
        if use.named in (None, tool.name):
            names.append(f"call-{place}")
            rules |= _call(tool, names[-1])
    call = " | ".join(names)
    if use.choice == "auto":
        return text({"root": f"space ({call} | written)?", "written": _WRITTEN, **rules})
    return text({"root": f"space ({call})", **rules})


def _call(tool: Tool, name: str) -> dict[str, str]:
    schema = _checked(tool.parameters or _NOTHING)
    try:
        arguments = SchemaGrammar(schema, f"{name}-", also=_ANY_OBJECT)
    except GrammarError as error:
        raise GrammarError(f"the parameters of '{tool.name}': {error}") from None
    begin = literal(f'{{"name": {json.dumps(tool.name)}, "arguments": ')
    return {name: f'{begin} {arguments.root} "}}"', **arguments.rules()}


def _checked(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema, if it is small, shallow, and made of plain JSON values. Raises GrammarError."""
    waiting: list[tuple[Any, int]] = [(schema, 0)]
    size = 0
    while waiting:
        value, depth = waiting.pop()
        if depth > MOST_DEPTH:
            raise GrammarError(f"the schema is nested more than {MOST_DEPTH} deep")
        size += _size(value)
        if size > MOST_BYTES:
            raise GrammarError(f"the schema has more than {MOST_BYTES // 1024} KiB")
        if isinstance(value, Mapping):
            if "$id" in value and depth:
                raise GrammarError("$id is supported at the top of the schema only")
            waiting += [(each, depth + 1) for pair in value.items() for each in pair]
        elif isinstance(value, list):
            waiting += [(each, depth + 1) for each in value]
    return schema


def _size(value: Any) -> int:
    """Bytes of a value without its parts. Raises GrammarError for what JSON text cannot hold."""
    if isinstance(value, float) and not math.isfinite(value):
        raise GrammarError("the schema has a number that is not finite")
    if isinstance(value, int) and value.bit_length() > 1024:
        raise GrammarError("the schema has a number of more than 300 digits")
    if not isinstance(value, str):
        return 8
    try:
        return len(value.encode()) + 3
    except UnicodeEncodeError:
        raise GrammarError("the schema has text with half of a surrogate pair") from None
