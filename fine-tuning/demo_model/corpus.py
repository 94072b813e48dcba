"""The text the demo model learns from: the source of the Python standard library that runs this script."""

import ast
import hashlib
import sysconfig
import textwrap
from dataclasses import dataclass
from pathlib import Path

SKIPPED_FOLDERS = frozenset(
    {"site-packages", "lib2to3", "idlelib", "turtledemo", "pydoc_data", "encodings", "lib-dynload", "__pycache__"}
)
SKIPPED_PREFIXES = ("_sysconfigdata", "_pydecimal", "stringprep", "config-")
MAX_BYTES = 300_000
MAX_TEST_BYTES = 60_000
DEV_SHARE = 0.02
MAX_EXAMPLE_CHARS = 1_700


@dataclass(frozen=True)
class SourceFile:
    """One file: its path relative to the standard library, its text, and whether it is a test."""

    path: str
    text: str

    @property
    def is_test(self) -> bool:
        """True for files of the library's own test suites."""
        return any(part in {"test", "tests"} for part in Path(self.path).parts)

    @property
    def is_dev(self) -> bool:
        """True for the held-out files, chosen by a hash of the path."""
        return int(hashlib.sha256(self.path.encode()).hexdigest()[:8], 16) / 2**32 < DEV_SHARE


@dataclass(frozen=True)
class Definition:
    """A documented function, method or class, dedented."""

    kind: str
    name: str
    signature: str
    summary: str
    source: str
    undocumented: str


@dataclass(frozen=True)
class Corpus:
    """Files and documented definitions, split into train and dev by file."""

    train: list[SourceFile]
    dev: list[SourceFile]
    train_definitions: list[Definition]
    dev_definitions: list[Definition]


def load_corpus() -> Corpus:
    """Read the running interpreter's standard library (Lib/), without tables, vendored and duplicate files."""
    files = source_files(Path(sysconfig.get_path("stdlib")))
    train = [file for file in files if not file.is_dev]
    dev = [file for file in files if file.is_dev]
    return Corpus(train, dev, _definitions(train), _definitions(dev))


def source_files(root: Path) -> list[SourceFile]:
    """All usable files under root, sorted by path, exact duplicates removed."""
    seen: set[str] = set()
    files = []
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        text = _usable_text(path, relative)
        if text is None or text in seen:
            continue
        seen.add(text)
        files.append(SourceFile(relative.as_posix(), text))
    return files


def _usable_text(path: Path, relative: Path) -> str | None:
    if SKIPPED_FOLDERS.intersection(relative.parts) or relative.name.startswith(SKIPPED_PREFIXES):
        return None
    limit = MAX_TEST_BYTES if {"test", "tests"}.intersection(relative.parts) else MAX_BYTES
    if not 200 <= path.stat().st_size <= limit:
        return None
    try:
        text = path.read_text(encoding="utf-8")
        ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    return text if sum(not char.isascii() for char in text) < len(text) * 0.01 else None


def _definitions(files: list[SourceFile]) -> list[Definition]:
    found: dict[str, Definition] = {}
    for file in files:
        for node in ast.walk(ast.parse(file.text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                definition = _definition(node, file.text)
                if definition is not None:
                    found.setdefault(definition.source, definition)
    return list(found.values())


def _definition(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, text: str) -> Definition | None:
    summary = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
    if not 12 <= len(summary) <= 160 or len(node.body) < 2 or not summary.isascii():
        return None
    lines = text.splitlines()
    end = node.end_lineno or node.lineno
    source = textwrap.dedent("\n".join(lines[node.lineno - 1 : end]))
    if len(source) > MAX_EXAMPLE_CHARS or "```" in source or not source.isascii() or source.startswith((" ", "\t")):
        return None
    docstring = node.body[0]
    kept = lines[node.lineno - 1 : docstring.lineno - 1] + lines[docstring.end_lineno or docstring.lineno : end]
    kind = "class" if isinstance(node, ast.ClassDef) else "function"
    return Definition(kind, node.name, _signature(node), summary, source, textwrap.dedent("\n".join(kept)))


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    return node.name if isinstance(node, ast.ClassDef) else f"{node.name}({ast.unparse(node.args)})"
