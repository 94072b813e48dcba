"""Secrets, duplicates, splits."""

import uuid

import pytest

from codellama_core.models import Split
from finetuning.hygiene import clean, has_secret, merkle_root, split_of
from finetuning.items import Code, Item, Source

GROUPS = [f"file:repo/{number}.py" for number in range(2000)]
BODY = "\n".join(f"def function_{n}(value):\n    return value * {n} + len('{n}')" for n in range(40))


def item(group: str, text: str) -> Item:
    return Item(Source.DOCUMENT, uuid.uuid4(), group, Code(text, "python"))


def group_of(split: Split) -> str:
    return next(group for group in GROUPS if split_of(group, 0.1, 0.1) is split)


@pytest.mark.parametrize(
    "text",
    [
        "AWS_KEY = 'AKIA" + "IOSFODNN7QWERTYA'",
        "token = 'ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'",
        "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIE",
        'password = "kX9' + 'vQ2mLp7Zr4T"',
        '{"api_key": "9f8a7b6c5d' + '4e3f2a1b0c"}',
        "url = 'postgresql://admin:hunter2" + "hunter2@db/prod'",
        "get('https://git.corp/api?private_token=kX9vQ" + "2mLp7Zr4TnW8b')",
        "token = 'github_pat_" + "11ABCDEFG0aBcDeFgHiJkL_mNoPqRsTuVwXyZ0123456789abcdefghijklmnopqrstuv'",
        "key = 'AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q'",
        'password = "kX9$' + 'vQ2m<Lp7Zr4T{"',
    ],
)
def test_secrets_are_seen(text: str) -> None:
    assert has_secret(f"import os\n{text}\nprint(1)\n")


@pytest.mark.parametrize(
    "text",
    [
        "password = os.environ['PASSWORD']",
        'password = "correct horse"',
        "url = 'https://user:pass@host/path'",
        "url = f'https://host/?token={settings.token_1}'",
        'password = "${DATABASE_PASSWORD_1}"',
        'token = "your-token-here-123"',
        'api_key = "{settings.api_key_1}"',
        "def reset_password(user): ...",
        "sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'",
    ],
)
def test_ordinary_code_is_no_secret(text: str) -> None:
    assert not has_secret(text)


def test_shares_of_the_splits_are_about_as_asked() -> None:
    splits = [split_of(group, 0.15, 0.1) for group in GROUPS]
    assert 0.12 < splits.count(Split.GATE) / len(GROUPS) < 0.18
    assert 0.07 < splits.count(Split.DEV) / len(GROUPS) < 0.13


def test_a_gate_group_stays_gate_whatever_else_there_is() -> None:
    before = {g for g in GROUPS[:500] if split_of(g, 0.1, 0.1) is Split.GATE}
    wider = {g for g in GROUPS if split_of(g, 0.1, 0.3) is Split.GATE}
    assert before <= wider


def test_the_same_text_twice_is_kept_once() -> None:
    kept, rejected = clean([item(GROUPS[0], BODY), item(GROUPS[0], BODY)], 0.85, 0.1, 0.1)
    assert len(kept) == 1
    assert [r.reason for r in rejected] == ["duplicate"]


def test_a_training_row_that_resembles_a_gate_row_is_dropped_not_the_gate_row() -> None:
    gate, train = group_of(Split.GATE), group_of(Split.TRAIN)
    kept, rejected = clean([item(train, BODY + "\nx = 1"), item(gate, BODY)], 0.85, 0.1, 0.1)
    assert [(entry.group, split) for entry, split in kept] == [(gate, Split.GATE)]
    assert [r.reason for r in rejected] == ["near_duplicate_of_held_out"]


def test_different_texts_are_kept() -> None:
    other = "\n".join(f"class Thing{n}:\n    '''A thing of kind {n}.'''\n    size = {n}" for n in range(40))
    kept, rejected = clean([item(GROUPS[0], BODY), item(GROUPS[1], other)], 0.85, 0.1, 0.1)
    assert len(kept) == 2
    assert rejected == []


def test_the_fingerprint_depends_on_the_rows_and_not_on_their_order() -> None:
    hashes = [f"{n:064x}" for n in range(5)]
    assert merkle_root(hashes) == merkle_root(hashes[::-1])
    assert merkle_root(hashes) != merkle_root(hashes[:4])
    assert len(merkle_root([])) == 64
