"""A real corpus as the organisation's code: the standard library, installed packages, and what must not get in.

The standard library is also what runs replay: what judges must not come back that way either.
"""

import shutil
import sysconfig
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from codellama_core.models import Document, Split, TrainingRow
from finetuning.base_model import BaseModel
from finetuning.context import Context
from finetuning.dataset import extract, read_rows
from finetuning.held_out import resembling
from finetuning.hygiene import secrets_in
from finetuning.ingest import ingest
from finetuning.items import Source
from finetuning.rows import Row
from tests.fine_tuning.world import make_context, settings

STDLIB = ("json", "http", "logging", "asyncio", "email")
INSTALLED = ("click", "httpx", "starlette")
HOSTS = (
    "json/decoder.py",
    "http/cookies.py",
    "logging/config.py",
    "asyncio/queues.py",
    "click/types.py",
    "httpx/_api.py",
)
SECRETS = (
    "AWS_KEY = 'AKIA" + "QYLPMN5HHHFPZAM2'",
    "GITHUB = 'ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'",
    "PASSWORD = 'kX9" + "vQ2mLp7Zr4TnW8b'",
    "DATABASE = 'postgresql://admin:hunter2" + "hunter2@db/prod'",
    "CLONE = 'https://git.corp/tools.git?private_token=kX9vQ" + "2mLp7Zr4TnW8b'",
    "KEY = '''-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow" + "IBAAKCAQEAx7Zq3m\n'''",
)
MOST_FALSE = 0.02
"""Share of real files that may be taken for ones with secrets."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages, each of ``SECRETS`` in a copy of a real file, a file twice, one nearly twice, and one of others."""
    root = tmp_path_factory.mktemp("corpus") / "organisation"
    for names, place in ((STDLIB, "stdlib"), (INSTALLED, "purelib")):
        for name in names:
            here = Path(sysconfig.get_path(place)) / name
            shutil.copytree(here, root / name, ignore=shutil.ignore_patterns("__pycache__", "test*"))
    planted = root / "planted"
    planted.mkdir()
    for number, (host, secret) in enumerate(zip(HOSTS, SECRETS, strict=True)):
        lines = (root / host).read_text().splitlines(keepends=True)
        middle = len(lines) // 2
        text = "".join([*lines[:middle], f"\n{secret}\n", *lines[middle:]])
        (planted / f"secret_{number}.py").write_text(text)
    decoder = (root / "json" / "decoder.py").read_text()
    (planted / "again.py").write_text(decoder)
    (planted / "nearly.py").write_text(decoder.replace("JSONDecodeError", "OurDecodeError") + "\n# ours\n")
    (planted / "theirs.py").write_text(f"# SPDX-License-Identifier: GPL-3.0-or-later\n{decoder}")
    return root


@pytest.fixture
def context(engine: Engine, tmp_path: Path, demo_hf: Path) -> Context:
    return make_context(engine, demo_hf, tmp_path, settings(extract={"max_train_tokens": 5_000_000}))


def test_what_was_planted_does_not_get_in_and_nothing_that_judges_is_learned(
    context: Context, corpus: Path, demo: BaseModel
) -> None:
    taken = ingest(context.engine, corpus)
    assert taken["skipped_license"] == 1
    assert taken["new"] > 100
    report = extract(context)
    outcomes = _outcomes(context.engine)
    for number in range(len(SECRETS)):
        assert outcomes[f"planted/secret_{number}.py"] == {"secret"}
    pair = (outcomes["planted/again.py"], outcomes["json/decoder.py"])
    assert {"duplicate"} in pair
    assert {"kept"} in pair
    assert outcomes["planted/nearly.py"] <= {"near_duplicate", "near_duplicate_of_held_out"}
    false = [path for path, each in outcomes.items() if "secret" in each and not path.startswith("planted/")]
    assert len(false) <= MOST_FALSE * taken["new"], false

    rows = {split: read_rows(context.folder, split) for split in Split}
    assert report["rows"] == {split.value: len(each) for split, each in rows.items()}
    assert all(rows.values())
    texts = _texts(demo, [row for each in rows.values() for row in each])
    for secret in (found for planted in SECRETS for found in secrets_in(planted)):
        assert secret
        assert secret not in texts
    assert not resembling(rows[Split.TRAIN], rows[Split.GATE], context.settings.extract.near_duplicate)
    groups = Counter(group for each in rows.values() for group in {row.group for row in each})
    assert set(groups.values()) == {1}, "a file is in one split"
    judging = {row.group.removeprefix("file:organisation/") for row in rows[Split.GATE]}
    replayed = {row.group.removeprefix("library:") for row in rows[Split.TRAIN] if row.source is Source.REPLAY}
    assert replayed
    assert not judging & replayed


def _outcomes(engine: Engine) -> dict[str, set[str]]:
    """By path: ``kept``, and why not."""
    query = select(Document.path, TrainingRow.kept, TrainingRow.reason)
    outcomes: dict[str, set[str]] = {}
    with Session(engine) as session:
        for path, kept, reason in session.execute(query.join(TrainingRow, TrainingRow.source_id == Document.id)):
            outcomes.setdefault(path, set()).add("kept" if kept else str(reason))
    return outcomes


def _texts(base: BaseModel, rows: Sequence[Row]) -> str:
    """All rows as text."""
    pieces = base.vocabulary.pieces
    return "\n".join("".join(pieces[token] for token in row.ids).replace("▁", " ") for row in rows)
