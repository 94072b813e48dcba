"""Fill-in-the-middle rows from source files: holes chosen by syntax, prompts built by token ids.

Formats: PSM ``[BOS, PRE] pre [SUF] suf [MID] mid [EOT]`` and SPM ``[BOS, PRE, SUF] suf [MID] pre+mid [EOT]``
(Meta's codellama, ``llama/generation.py``; Bavarian et al. 2022, "Efficient Training of Language Models to Fill in
the Middle"). Languages without a parser here get holes of whole lines.
"""

import ast
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass

from codellama_core.prompt import SpecialTokens, Tokenize, infill_tokens, without_leading_space
from finetuning.items import Infill

MAX_MIDDLE_CHARS = 600
CONTEXT_CHARS = 1_500


@dataclass(frozen=True, slots=True)
class Tokens:
    """Ids of one row; ``first`` is the index of the first one that is learned, all after it are too."""

    ids: list[int]
    first: int


def infill_row(hole: Infill, tokenize: Tokenize, special: SpecialTokens, *, suffix_first: bool) -> Tokens:
    """Prompt, middle and end token of one hole. Raises ValueError when the vocabulary has no infill tokens."""
    if special.end_of_infill is None:
        raise ValueError("this model has no fill-in-the-middle tokens")
    if not suffix_first:
        head = infill_tokens(hole.prefix, hole.suffix, tokenize, special)
        return Tokens([*head, *without_leading_space(tokenize, hole.answer), special.end_of_infill], len(head))
    head = infill_tokens("", hole.suffix, tokenize, special)
    before = without_leading_space(tokenize, hole.prefix)
    both = without_leading_space(tokenize, hole.prefix + hole.answer)
    return Tokens([*head, *both, special.end_of_infill], len(head) + common_prefix(before, both))


def common_prefix(first: list[int], second: list[int]) -> int:
    """How many tokens two lists share from the start."""
    for index, (left, right) in enumerate(zip(first, second, strict=False)):
        if left != right:
            return index
    return min(len(first), len(second))


def holes(text: str, language: str, count: int, seed: str) -> list[Infill]:
    """``count`` holes of a file at most, the same for the same seed; their surroundings cut at line ends."""
    choose = random.Random(seed)
    spans = list(_python_spans(text) if language == "python" else _line_spans(text))
    spans = [(start, end) for start, end in spans if 0 < end - start <= MAX_MIDDLE_CHARS and text[start:end].strip()]
    chosen = choose.sample(spans, min(count, len(spans)))
    return [_hole(text, start, end) for start, end in sorted(chosen)]


def _hole(text: str, start: int, end: int) -> Infill:
    first = max(0, start - CONTEXT_CHARS)
    first = 0 if first == 0 else text.find("\n", first, start) + 1 or first
    last = min(len(text), end + CONTEXT_CHARS // 2)
    last = last if last == len(text) else max(text.rfind("\n", end, last) + 1, end)
    return Infill(text[first:start], text[end:last], text[start:end])


def _python_spans(text: str) -> Iterator[tuple[int, int]]:
    """Statements, function bodies, calls and comparisons; whole lines where the file does not parse."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        yield from _line_spans(text)
        return
    offsets = _LineOffsets(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield offsets.of(node.body[0])[0], offsets.of(node.body[-1])[1]
        elif isinstance(node, ast.stmt | ast.Call | ast.Compare):
            yield offsets.of(node)


def _line_spans(text: str) -> Iterator[tuple[int, int]]:
    position = 0
    for line in text.splitlines(keepends=True):
        body = line.strip()
        if len(body) > 3:
            start = position + line.index(body)
            yield start, start + len(body)
        position += len(line)


class _LineOffsets:
    """Character offsets of syntax nodes, whose columns are UTF-8 bytes."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="").readlines()
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def of(self, node: ast.AST) -> tuple[int, int]:
        """Where a node begins and ends."""
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
        end_line, end_column = getattr(node, "end_lineno", line), getattr(node, "end_col_offset", column)
        return self._offset(line, column), self._offset(end_line, end_column)

    def _offset(self, line: int, column: int) -> int:
        text = self._lines[line - 1]
        return self._starts[line - 1] + (column if text.isascii() else len(text.encode()[:column].decode()))
