"""Tool calls in words: the tools told to the model, its call as JSON, and that JSON read back.

CodeLlama has not learned to call tools, so this is best effort: the grammar makes a call well formed and its arguments
valid, not sensible. One answer makes one call, and either calls or talks.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from assistant.services.generators.types import ChatPrompt, Format, Prompt, Tool, ToolUse
from codellama_core.prompt import ChatMessage

_OPTIONAL: Final = "If one of them helps, answer with nothing but"
_FORCED: Final = "Answer with nothing but"
_OPEN: Final = '{"name": "'
_MIDDLE: Final = ', "arguments": '
_BEGIN: Final = re.compile(r'(?:\}\s*)?\{"name": "([^"]*)", "arguments": ')
"""A call up to its arguments, after the end of the call before it."""
_FORM: Final = '{"name": "the function", "arguments": {…}}'


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool; ``arguments`` is JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CallDelta:
    """More of the call number ``index``: its name, which comes whole and first, or more of its arguments."""

    index: int
    name: str | None = None
    arguments: str = ""


def as_read(prompt: Prompt, wanted: Format | None) -> Prompt:
    """The prompt as the model reads it: with the tools in the system message."""
    if not isinstance(prompt, ChatPrompt) or not isinstance(wanted, ToolUse):
        return prompt
    first, *others = prompt.messages
    told = _told(wanted)
    if first.role == "system":
        return replace(prompt, messages=(replace(first, content=f"{first.content}\n\n{told}"), *others))
    return replace(prompt, messages=(ChatMessage("system", told), *prompt.messages))


def _told(use: ToolUse) -> str:
    tools = [tool for tool in use.tools if use.named in (None, tool.name)]
    described = "\n".join(json.dumps(_described(tool), ensure_ascii=False) for tool in tools)
    how = _OPTIONAL if use.choice == "auto" else _FORCED
    return f"You can call these functions:\n{described}\n{how} JSON of this form: {_FORM}"


def _described(tool: Tool) -> dict[str, Any]:
    described: dict[str, Any] = {"name": tool.name}
    if tool.description:
        described["description"] = tool.description
    return described | {"parameters": dict(tool.parameters)}


def called(calls: Sequence[Call]) -> str:
    """Calls as the model writes them, for an earlier turn of the conversation."""
    return "\n".join(f'{{"name": {json.dumps(call.name)}, "arguments": {call.arguments}}}' for call in calls)


def returned(name: str, result: str) -> str:
    """What a call has returned, for the user's turn that tells it."""
    return f"{name} returned:\n{result}"


class CallReader:
    """Tells calls from other text, and reads them while they are written.

    An answer that begins as ``called`` writes a call is one. Nothing of it is told before that is clear, and the text
    of one that breaks off before is returned by ``finish``.
    """

    def __init__(self) -> None:
        self._held = ""
        self._index = -1
        self._plain = False
        self._arguments: _Scanner | None = None

    def push(self, text: str) -> tuple[str, list[CallDelta]]:
        """Text that belongs to no call, and what is new of calls."""
        self._held += text
        deltas = [] if self._plain else list(self._read())
        if not self._plain and (self._index >= 0 or _may_begin(self._held)):
            return "", deltas
        self._plain, text, self._held = True, self._held, ""
        return text, deltas

    def finish(self) -> str:
        """What was held back and has not become a call."""
        return self._held if self._index < 0 else ""

    def _read(self) -> Iterator[CallDelta]:
        while self._held:
            if self._arguments is not None:
                text, self._held = self._arguments.take(self._held)
                yield CallDelta(self._index, None, text)
                self._arguments = None if self._arguments.over else self._arguments
                continue
            begin = _BEGIN.match(self._held)
            if begin is None:
                return
            self._held = self._held[begin.end() :]
            self._index += 1
            self._arguments = _Scanner()
            yield CallDelta(self._index, begin[1])


class _Scanner:
    """Finds the end of one JSON object."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self.over = False

    def take(self, text: str) -> tuple[str, str]:
        """The part of ``text`` that belongs to the value, and what follows it."""
        for place, character in enumerate(text):
            self._step(character)
            if self.over:
                return text[: place + 1], text[place + 1 :]
        return text, ""

    def _step(self, character: str) -> None:
        if self._in_string:
            self._in_string = self._escaped or character != '"'
            self._escaped = not self._escaped and character == "\\"
        elif character == '"':
            self._in_string = True
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1
            self.over = self._depth == 0


def _may_begin(text: str) -> bool:
    """Whether a call may begin like this."""
    if len(text) <= len(_OPEN):
        return _OPEN.startswith(text)
    _, quote, rest = text.removeprefix(_OPEN).partition('"')
    return text.startswith(_OPEN) and (not quote or _MIDDLE.startswith(rest))
