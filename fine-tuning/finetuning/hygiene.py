"""What is unfit to learn from: secrets, duplicates, near-duplicates. And the split, which never moves a gate row."""

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final

from datasketch import MinHash, MinHashLSH

from codellama_core.models import Split
from finetuning.items import Item, Rejection

PERMUTATIONS: Final = 64
SHINGLE_WORDS: Final = 5
NEAR_HELD_OUT: Final = "near_duplicate_of_held_out"
SPLIT_ORDER: Final = (Split.GATE, Split.DEV, Split.TRAIN)

_DETECTORS: Final = (
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)
_ASSIGNED = re.compile(
    r"""(?ix) (?:passw(?:or)?d|passphrase|secret|token|api_?key|access_?key|private_?key|credentials?)
    ["']? \s* (?:[:=]|:=|=>) \s* ["'] ([^"'\s]{12,}) ["']"""
)
_IN_ADDRESS = re.compile(r"(?i)[?&](?:[a-z_]*token|api_?key|secret|password|sig)=([\w%.~+/-]{12,})")
_PREFIXED = re.compile(r"\b(?:github_pat_\w{40,}|AIza[\w-]{35}|hf_[A-Za-z0-9]{30,}|sk-ant-[\w-]{20,})")
_PLACEHOLDER = re.compile(
    r"(?i)example|changeme|placeholder|dummy|\{[^}]*\}|<[^>]*>|^\$|\$[({]|xxx|\*\*\*|your[-_ ]|^pass(?:word)?$"
)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s*([^\s-]*)")
_WORD = re.compile(r"\w+|[^\w\s]")


@cache
def _detectors() -> list[Any]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    known = {kind.__name__: kind for kind in get_mapping_from_secret_type_to_class().values()}
    return [known[name]() for name in _DETECTORS if name in known]


def has_secret(text: str) -> bool:
    """Whether a key, token, password or private key stands in ``text``."""
    return next(secrets_in(text), None) is not None


def secrets_in(text: str) -> Iterator[str]:
    """The secrets in ``text``; of a private key its first line, empty where only the key's heading is there."""
    yield from (match.group(1) for match in _PRIVATE_KEY.finditer(text))
    yield from (match.group() for match in _PREFIXED.finditer(text))
    for pattern in (_ASSIGNED, _IN_ADDRESS):
        yield from (match.group(1) for match in pattern.finditer(text) if looks_random(match.group(1)))
    for detector in _detectors():
        found = (secret for secret in detector.analyze_string(text) if isinstance(secret, str))
        yield from (secret for secret in found if not _PLACEHOLDER.search(secret))


def looks_random(value: str) -> bool:
    """Shannon entropy above 3.5 bits a character, with a digit in it, and no sign of a placeholder."""
    if _PLACEHOLDER.search(value) or not any(c.isdigit() for c in value):
        return False
    shares = [value.count(c) / len(value) for c in set(value)]
    return -sum(share * math.log2(share) for share in shares) > 3.5


def split_of(group: str, gate_share: float, dev_share: float) -> Split:
    """The split of a conversation or file: a function of its name alone, so that gate rows stay gate rows."""
    place = int(hashlib.sha256(f"split:{group}".encode()).hexdigest()[:12], 16) / 16**12
    if place < gate_share:
        return Split.GATE
    return Split.DEV if place < gate_share + dev_share else Split.TRAIN


def clean(
    items: Iterable[Item], near_duplicate: float, gate_share: float, dev_share: float
) -> tuple[list[tuple[Item, Split]], list[Rejection]]:
    """Items that are free of secrets and of each other, with their splits, and the rejected ones with the reason.

    Gate items are looked at first, then dev: what resembles one of them is dropped from the later splits.
    """
    assigned = [(item, split_of(item.group, gate_share, dev_share)) for item in items]
    assigned.sort(key=lambda entry: SPLIT_ORDER.index(entry[1]))
    kept: list[tuple[Item, Split]] = []
    rejections: list[Rejection] = []
    seen = _Seen(near_duplicate)
    for item, split in assigned:
        reason = "secret" if has_secret(item.text) else seen.duplicate(item, split)
        if reason is None:
            kept.append((item, split))
        else:
            rejections.append(Rejection.of(item, reason))
    return kept, rejections


class _Seen:
    """The items so far, by hash and by MinHash signature."""

    def __init__(self, threshold: float) -> None:
        self._hashes: set[str] = set()
        self._splits: dict[str, Split] = {}
        self._index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)

    def duplicate(self, item: Item, split: Split) -> str | None:
        """Why ``item`` repeats an earlier one; None, and it is remembered, when it does not."""
        if item.sha256 in self._hashes:
            return "duplicate"
        minhash = signature_of(item)
        similar = self._index.query(minhash)
        if similar:
            crosses = any(self._splits[key] is not split for key in similar)
            return NEAR_HELD_OUT if crosses else "near_duplicate"
        self._hashes.add(item.sha256)
        self._splits[item.sha256] = split
        self._index.insert(item.sha256, minhash)
        return None


def signature_of(item: Item) -> MinHash:
    """The signature of an item's text."""
    return signature(_WORD.findall(item.text))


def signature(words: Sequence[str]) -> MinHash:
    """MinHash of all stretches of ``SHINGLE_WORDS`` words."""
    shingles = {" ".join(words[i : i + SHINGLE_WORDS]) for i in range(max(1, len(words) - SHINGLE_WORDS + 1))}
    minhash = MinHash(num_perm=PERMUTATIONS)
    minhash.update_batch([shingle.encode() for shingle in shingles])
    return minhash


def merkle_root(hashes: Iterable[str]) -> str:
    """SHA-256 root of a binary tree over hex hashes, sorted: the identity of a set of rows."""
    level = [bytes.fromhex(value) for value in sorted(hashes)] or [hashlib.sha256().digest()]
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [hashlib.sha256(b"".join(pair)).digest() for pair in pairs]
    return level[0].hex()
