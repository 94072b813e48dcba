"""Under which license source code is, by SPDX identifier (https://spdx.org/licenses), and which may be learned from.

Recognised are license texts and notices by the words that only they have. A license that is not recognised is UNKNOWN,
and that is not allowed: somebody has to say what it is.
"""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

NO_LICENSE: Final = "none"
"""In the allow-list: code without any license, which is the organisation's own."""
UNKNOWN: Final = "unknown"
ALLOWED: Final = (
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-0", "PSF-2.0",
    "Python-2.0", "Unlicense", "Zlib", "Proprietary", NO_LICENSE,
)  # fmt: skip
"""By default: permissive ones, and what is the organisation's own, by name or for want of any license."""
HEAD_CHARACTERS: Final = 4_000
"""How much of a source file is searched for a notice."""

_TEXTS: Final = (
    ("AGPL-3.0", r"gnu_affero_general_public_license,?_(?:as_published_by.{0,80}?_)?version_3"),
    ("LGPL-3.0", r"gnu_lesser_general_public_license,?_(?:as_published_by.{0,80}?_)?version_3"),
    ("LGPL-2.1", r"gnu_(?:lesser|library)_general_public_license,?_(?:as_published_by.{0,80}?_)?version_2"),
    ("GPL-3.0", r"gnu_general_public_license,?_(?:as_published_by.{0,80}?_)?version_3"),
    ("GPL-2.0", r"gnu_general_public_license,?_(?:as_published_by.{0,80}?_)?version_2"),
    ("GPL", r"gnu_(?:lesser_|affero_)?general_public_license"),
    ("Apache-2.0", r"apache_license,?_version_2\.0"),
    ("MPL-2.0", r"mozilla_public_license,?_(?:version|v\.)_?2\.0"),
    ("EPL-2.0", r"eclipse_public_license,?_(?:-|version|v\.?)_?v?_?2\.0"),
    ("SSPL-1.0", r"server_side_public_license"),
    ("BUSL-1.1", r"business_source_license_1\.1"),
    ("Elastic-2.0", r"elastic_license_2\.0"),
    ("CC-BY-NC-4.0", r"attribution-non_?commercial"),
    ("PSF-2.0", r"python_software_foundation_license_version_2"),
    ("MIT", r"permission_is_hereby_granted,_free_of_charge,_to_any_person_obtaining_a_copy_of_this_software"),
    ("BSD-4-Clause", r"redistribution_and_use_in_source_and_binary_forms.{0,900}all_advertising_materials"),
    ("BSD-3-Clause", r"redistribution_and_use_in_source_and_binary_forms.{0,900}neither_the_names?"),
    ("BSD-2-Clause", r"redistribution_and_use_in_source_and_binary_forms"),
    ("ISC", r"permission_to_use,_copy,_modify,_and(?:/or)?_distribute_this_software_for_any_purpose_with"),
    ("Unlicense", r"this_is_free_and_unencumbered_software_released_into_the_public_domain"),
    ("CC0-1.0", r"cc0_1\.0_universal"),
    ("BSL-1.0", r"boost_software_license_-_version_1\.0"),
    ("Zlib", r"altered_source_versions_must_be_plainly_marked"),
)  # fmt: skip
"""In order of trust where two begin at one place. An underscore is a space, so that this file is under none of them."""
_PATTERNS: Final = tuple((name, re.compile(pattern.replace("_", " "))) for name, pattern in _TEXTS)
_RESERVED = re.compile(r"all rights reserved|proprietary|confidential")
_SPDX = re.compile(r"SPDX-License-Identifier:[ \t]*([\w.+() \t-]+)")
_DECORATION = re.compile(r"[\s#*/;\"'<>!]+")
_LICENSE_FILE = re.compile(r"(?i)^(?:un)?licen[cs]es?(?:[.\-_].*)?$|^copying(?:[.\-_].*)?$")
_CODE_ENDING = re.compile(r"(?i)\.(?:py|js|ts|go|rs|java|c|h|cpp|sh|sql|rb)$")


def is_license_file(path: str) -> bool:
    """Whether a file is named as license texts are: LICENSE, LICENCE.md, LICENSE-MIT, COPYING.LESSER, UNLICENSE."""
    name = PurePosixPath(path).name
    return bool(_LICENSE_FILE.match(name)) and not _CODE_ENDING.search(name)


def license_of_text(text: str) -> str:
    """The license that a license file holds: the one that is named first; UNKNOWN when none is recognised.

    A text that is none of them and reserves all rights is the owner's own: Proprietary.
    """
    return _named(text) or ("Proprietary" if _RESERVED.search(_DECORATION.sub(" ", text.lower())) else UNKNOWN)


def license_of_texts(texts: Iterable[str]) -> str | None:
    """The license of a folder with these license files; of several all have to be allowed. None without any.

    A file that only points to the others is passed over.
    """
    found = {license_of_text(text) for text in texts}
    return " AND ".join(sorted(found - {UNKNOWN} or found)) or None


def license_of_source(content: str) -> str | None:
    """The license that a source file names at its beginning, as SPDX expression or notice; None without one."""
    head = content[:HEAD_CHARACTERS]
    spdx = _SPDX.search(head)
    return spdx.group(1).strip() if spdx else _named(head)


def _named(text: str) -> str | None:
    plain = _DECORATION.sub(" ", text.lower())
    found = [(match.start(), order, name) for order, (name, p) in enumerate(_PATTERNS) if (match := p.search(plain))]
    return min(found)[2] if found else None


def is_allowed(license_name: str | None, allowed: Iterable[str]) -> bool:
    """Whether the allow-list covers an SPDX expression: one alternative of an OR, all parts of an AND.

    In an expression with brackets every license has to be allowed. ``-only``, ``-or-later`` and exceptions (WITH) make
    no difference: GPL-2.0 in the list stands for all of them.
    """
    names = {_plain(name) for name in allowed}
    expression = (license_name or NO_LICENSE).strip() or NO_LICENSE
    if "(" in expression:
        expression = re.sub(r"[()]", " ", re.sub(r"(?i)\sOR\s", " AND ", expression))
    alternatives = re.split(r"(?i)\s+OR\s+", expression)
    return any(all(_plain(part) in names for part in re.split(r"(?i)\s+AND\s+", choice)) for choice in alternatives)


def _plain(name: str) -> str:
    base = re.split(r"(?i)\s+WITH\s+", name.strip())[0].strip().lower()
    return re.sub(r"(?:-only|-or-later|\+)$", "", base)
