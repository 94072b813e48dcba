"""An in-house library that no model has seen, and code that uses it."""

import ast
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LIBRARY: Final = '''"""Records of the warehouse, and what may be done with them."""

from collections.abc import Iterator
from datetime import date


class Stow:
    """All records of a warehouse."""

    def open_crate(self, kind: str) -> "Crate":
        """Collect changes of one kind; nothing is stored until the crate is sealed."""
        return Crate(self, kind)

    def fetch_live(self, kind: str, key: str) -> "Slip":
        """The record with this key. Raises StowError when there is none."""
        raise NotImplementedError

    def iter_live(self, kind: str, since: date | None = None) -> Iterator["Slip"]:
        """Records that are still open, oldest first."""
        raise NotImplementedError

    def tally_due(self, kind: str) -> int:
        """What is still owed, in cents."""
        raise NotImplementedError

    def pin_memo(self, slip: "Slip", text: str) -> None:
        """Attach a remark to a record."""


class Crate:
    """Changes that are stored together."""

    def __init__(self, stow: Stow, kind: str) -> None:
        self.stow, self.kind = stow, kind

    def mark_done(self, slip: "Slip", by: str) -> None:
        """Close a record."""

    def shift_owner(self, slip: "Slip", to: str) -> None:
        """Give a record to somebody else."""

    def strike_out(self, slip: "Slip", why: str) -> None:
        """Take a record back."""

    def seal_all(self) -> int:
        """Store everything; how many records were changed."""
        return 0


class Slip:
    """One record."""

    def cents_due(self) -> int:
        """What is still owed for it."""
        return 0

    def owner_tag(self) -> str:
        """Whose it is."""
        return ""
'''
KINDS: Final = (
    "invoice", "parcel", "pallet", "voucher", "refund", "contract", "reminder", "transfer", "permit", "claim",
    "booking", "delivery", "receipt", "licence", "deposit", "complaint", "quote", "waybill", "credit", "warranty",
    "repair", "lease", "audit", "sample", "tender", "shipment", "pledge", "bounty", "ticket", "allowance",
)  # fmt: skip
PEOPLE: Final = ("clerk", "agent", "operator", "reviewer", "manager")
TEMPLATES: Final = (
    '''def close_{kind}s(stow: Stow, {who}: str) -> int:
    """Close every open {kind}."""
    crate = stow.open_crate("{kind}")
    for {kind} in stow.iter_live("{kind}"):
        crate.mark_done({kind}, by={who})
    return crate.seal_all()
''',
    '''def hand_over_{kind}s(stow: Stow, {who}: str, day: date) -> int:
    """Give all {kind}s since a day to somebody."""
    crate = stow.open_crate("{kind}")
    for {kind} in stow.iter_live("{kind}", since=day):
        crate.shift_owner({kind}, to={who})
    return crate.seal_all()
''',
    '''def cancel_{kind}(stow: Stow, key: str, reason: str) -> int:
    """Take one {kind} back."""
    {kind} = stow.fetch_live("{kind}", key)
    crate = stow.open_crate("{kind}")
    crate.strike_out({kind}, why=reason)
    return crate.seal_all()
''',
    '''def remark_on_{kind}(stow: Stow, key: str, text: str) -> None:
    """Attach a remark to one {kind}."""
    {kind} = stow.fetch_live("{kind}", key)
    stow.pin_memo({kind}, text)
''',
    '''def owed_for_{kind}(stow: Stow, key: str) -> int:
    """What is still owed for one {kind}, in cents."""
    {kind} = stow.fetch_live("{kind}", key)
    return {kind}.cents_due()
''',
    '''def {kind}s_of(stow: Stow, {who}: str) -> list[Slip]:
    """All open {kind}s of one person."""
    return [{kind} for {kind} in stow.iter_live("{kind}") if {kind}.owner_tag() == {who}]
''',
    '''def {kind}s_are_paid(stow: Stow) -> bool:
    """Whether nothing is owed for any {kind}."""
    return stow.tally_due("{kind}") == 0
''',
    '''def close_{kind}(stow: Stow, key: str, {who}: str) -> None:
    """Close one {kind}, and say who did."""
    {kind} = stow.fetch_live("{kind}", key)
    crate = stow.open_crate("{kind}")
    crate.mark_done({kind}, by={who})
    stow.pin_memo({kind}, f"closed by {{{who}}}")
    crate.seal_all()
''',
)
HEADER: Final = "from datetime import date\n\nfrom stow import Slip, Stow\n\n\n"
CALLS: Final = frozenset(
    node.name for node in ast.walk(ast.parse(LIBRARY)) if isinstance(node, ast.FunctionDef) and node.name[0] != "_"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Code up to the dot of a call of the library, and the call that stands there."""

    before: str
    call: str


def write_corpus(folder: Path, seed: int = 0, held_out: float = 0.3) -> list[str]:
    """Write the library and the files that use it; returns files that are kept back.

    What a kept back file does with a kind of record, no written one does with that kind.
    """
    rng = random.Random(seed)
    pairs = list(itertools.product(TEMPLATES, KINDS))
    rng.shuffle(pairs)
    kept = int(held_out * len(pairs))
    folder.mkdir(parents=True)
    (folder / "stow.py").write_text(LIBRARY)
    for number, text in enumerate(_files(rng, pairs[kept:])):
        (folder / f"use_{number:03}.py").write_text(text)
    return list(_files(rng, pairs[:kept]))


def places(files: list[str], count: int, seed: int = 0) -> list[Place]:
    """Calls of the library in ``files``, ``count`` of them chosen at random."""
    found = [place for text in files for place in _calls(text)]
    return random.Random(seed).sample(found, count)


def called(text: str) -> str:
    """The call that ``text`` begins with: up to the parenthesis that closes it, or its first line."""
    depth = 0
    for end, character in enumerate(text, 1):
        depth += (character == "(") - (character == ")")
        if character == "\n" or (character == ")" and depth <= 0):
            return text[:end].strip()
    return text


def _files(rng: random.Random, pairs: list[tuple[str, str]]) -> Iterator[str]:
    left = pairs
    while left:
        size = rng.randint(2, 4)
        chosen, left = left[:size], left[size:]
        yield HEADER + "\n\n".join(text.format(kind=kind, who=rng.choice(PEOPLE)) for text, kind in chosen)


def _calls(text: str) -> Iterator[Place]:
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CALLS:
            line = node.func.value.end_lineno or 1
            at = sum(map(len, lines[: line - 1])) + (node.func.value.end_col_offset or 0) + 1
            yield Place(text[:at], called(text[at:]))
