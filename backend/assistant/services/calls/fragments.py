"""What an editor sends around the cursor, made to fit the context."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from assistant.services.generators.types import InfillPrompt, Prompt, TextPrompt
from codellama_core.prompt import ContextFile, context_text

EXTRA_SHARE: Final = 4
"""Code from elsewhere gets this part of the context, whatever stands around the cursor, so that it stays the same."""
SUFFIX_SHARE: Final = 4
LINE_TOKENS: Final = 256
"""Room for the cursor's line is reserved in steps, so that typing does not move the place where the prefix is cut."""
CONTROL_TOKENS: Final = 16
"""BOS and the three of the infill prompt, and what tokenizing in pieces may miscount."""
TOKEN_CHARS: Final = 32
"""No token stands for more characters; longer texts need not be counted to know that they are too long."""

Count = Callable[[Prompt], int]


@dataclass(frozen=True, slots=True)
class Fragment:
    """The lines ``before`` the cursor's own, that ``line`` up to the cursor, what comes ``after`` it.

    ``extra`` is code from elsewhere, the oldest first.
    """

    before: str
    line: str
    after: str
    extra: tuple[ContextFile, ...] = ()

    @property
    def prompt(self) -> InfillPrompt:
        return InfillPrompt(self.before + self.line, self.after, self.extra)


def fit(fragment: Fragment, limit: int, count: Count) -> tuple[InfillPrompt, bool]:
    """A prompt of at most ``limit`` tokens, and whether anything had to go.

    Extra code goes first, the oldest before the newer; then the beginning of the prefix and the end of the suffix.
    """
    local = _fit_local(fragment, limit - CONTROL_TOKENS, count)
    room = limit - CONTROL_TOKENS - _tokens(local.before + local.line, count) - _tokens(local.after, count)
    extra = _newest(fragment.extra, min(room, limit // EXTRA_SHARE), count)
    fitted = Fragment(local.before, local.line, local.after, extra)
    return fitted.prompt, fitted != fragment


def _fit_local(fragment: Fragment, room: int, count: Count) -> Fragment:
    most = room * TOKEN_CHARS
    before, line, after = fragment.before[-most:], fragment.line[-most:], fragment.after[:most]
    reserved = (_tokens(line, count) // LINE_TOKENS + 1) * LINE_TOKENS
    sizes = _tokens(before, count), _tokens(after, count)
    if sum(sizes) + _tokens(line, count) <= room:
        return Fragment(before, line, after)
    line = _end_of(line, room // 2, count)
    reserved = min(reserved, room // 2)
    after = _beginning_of(after, max(room // SUFFIX_SHARE, room - reserved - sizes[0]), count)
    return Fragment(_end_of(before, room - reserved - _tokens(after, count), count), line, after)


def _newest(extra: tuple[ContextFile, ...], room: int, count: Count) -> tuple[ContextFile, ...]:
    kept = 0
    for file in reversed(extra):
        room -= _tokens(context_text((file,)), count)
        if room < 0:
            break
        kept += 1
    return extra[len(extra) - kept :]


def _tokens(text: str, count: Count) -> int:
    return count(TextPrompt(text)) if text else 0


def _end_of(text: str, room: int, count: Count) -> str:
    """The last whole lines of at most ``room`` tokens, or the end of one line that is longer."""
    cut = text
    while cut and (size := _tokens(cut, count)) > room:
        kept = len(cut) * max(room, 0) // size
        cut = cut[len(cut) - kept :]
    if len(cut) == len(text):
        return text
    return cut.partition("\n")[2] or cut


def _beginning_of(text: str, room: int, count: Count) -> str:
    """The first whole lines of at most ``room`` tokens, or the beginning of one line that is longer."""
    cut = text
    while cut and (size := _tokens(cut, count)) > room:
        cut = cut[: len(cut) * max(room, 0) // size]
    if len(cut) == len(text):
        return text
    head, newline, _ = cut.rpartition("\n")
    return head + newline or cut
