"""Both processes take their turns, and only one of them asks for huge pages."""

import re
from pathlib import Path

import pytest

from tests.load.huge_pages import ROUNDS, main

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def test_a_line_for_each_number_of_rows(
    demo_gguf: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["huge_pages", "--model", str(demo_gguf), "--threads", "1", "--share", "0.01"]
    monkeypatch.setattr("sys.argv", arguments)
    assert main() == 0
    first, _, *lines = capfd.readouterr().out.splitlines()
    found = re.fullmatch(r"in huge pages, MiB: (\d+) without, (\d+) with", first)
    assert found
    if SETTING.is_file() and "[madvise]" in SETTING.read_text():
        assert int(found[1]) == 0 < int(found[2])
    assert [int(line.split()[0]) for line in lines] == list(ROUNDS)
    assert all(float(line.split()[3]) > 0 for line in lines)
