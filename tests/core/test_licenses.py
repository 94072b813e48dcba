"""Licenses are recognised by their own words, and the allow-list decides on whole SPDX expressions."""

from pathlib import Path

import pytest

from codellama_core import licenses
from codellama_core.licenses import (
    ALLOWED,
    UNKNOWN,
    is_allowed,
    is_license_file,
    license_of_source,
    license_of_text,
    license_of_texts,
)

MIT = "MIT License\n\nPermission is hereby granted, free of charge, to any person\nobtaining a copy of this software"
BSD = "Redistribution and use in source and binary forms, with or without modification, are permitted"
TEXTS = {
    "GPL-3.0": "GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007 ... the GNU Affero General Public License",
    "AGPL-3.0": "GNU AFFERO GENERAL PUBLIC LICENSE\n Version 3, 19 November 2007",
    "LGPL-2.1": "GNU LESSER GENERAL PUBLIC LICENSE\n Version 2.1, February 1999",
    "MPL-2.0": "Mozilla Public License Version 2.0\n Secondary License: GNU General Public License, Version 2.0",
    "Apache-2.0": "  Apache License\n   Version 2.0, January 2004",
    "MIT": MIT,
    "BSD-2-Clause": BSD,
    "BSD-3-Clause": f"{BSD}\n * Neither the name of the holder",
    "Unlicense": "This is free and unencumbered software released into the public domain.",
    UNKNOWN: "Copyright Example Corp. Do as our lawyers say.",
    "Proprietary": "Copyright (c) 2019 Example Corp. All rights reserved. Not to be given away.",
}


@pytest.mark.parametrize(("name", "text"), TEXTS.items())
def test_a_license_text_is_recognised_by_what_it_names_first(name: str, text: str) -> None:
    assert license_of_text(text) == name


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (
            "/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */\n",
            "GPL-2.0-only WITH Linux-syscall-note",
        ),
        (
            "# This file is licensed under the GNU General\n# Public License as published by the FSF, version 2.\n",
            "GPL-2.0",
        ),
        ('// Licensed under the Apache License, Version 2.0 (the "License");\n', "Apache-2.0"),
        ("# Copyright Example Corp.\n", None),
    ],
)
def test_a_source_file_says_itself_what_it_is_under(head: str, name: str | None) -> None:
    assert license_of_source(f"{head}x = 1\n") == name


def test_all_license_files_of_a_folder_count_but_those_that_point_to_them() -> None:
    assert license_of_texts([MIT, TEXTS["Apache-2.0"], "See the files beside this one."]) == "Apache-2.0 AND MIT"
    assert license_of_texts([TEXTS[UNKNOWN]]) == UNKNOWN
    assert license_of_texts([]) is None


@pytest.mark.parametrize(
    "name", ["LICENSE", "licence.md", "LICENSE-MIT", "COPYING.LESSER", "UNLICENSE", "a/LICENSE.txt"]
)
def test_license_files_are_known_by_name(name: str) -> None:
    assert is_license_file(name)


@pytest.mark.parametrize("name", ["license.py", "licensing.md", "copying_files.sh", "README"])
def test_code_and_prose_are_no_license_files(name: str) -> None:
    assert not is_license_file(name)


@pytest.mark.parametrize("name", [None, "MIT", "mit", "MIT OR GPL-2.0-only", "Apache-2.0 AND MIT", "Proprietary",
                                  "Apache-2.0 WITH LLVM-exception", "(MIT OR ISC) AND BSD-3-Clause"])  # fmt: skip
def test_permissive_and_own_code_is_allowed(name: str | None) -> None:
    assert is_allowed(name, ALLOWED)


@pytest.mark.parametrize("name", ["GPL-3.0-or-later", "AGPL-3.0", "MIT AND GPL-2.0", "LicenseRef-Vendor", UNKNOWN,
                                  "(MIT OR GPL-2.0) AND MIT"])  # fmt: skip
def test_what_is_not_in_the_list_is_not_allowed(name: str) -> None:
    assert not is_allowed(name, ALLOWED)


def test_the_list_is_the_organisations() -> None:
    assert is_allowed("GPL-2.0-or-later", ["GPL-2.0"])
    assert not is_allowed(None, ["MIT"])


def test_the_words_to_look_for_are_no_license_of_the_file_that_holds_them() -> None:
    assert license_of_source(Path(licenses.__file__).read_text()) is None
