from pathlib import Path

import pytest

from assistant.engine.gguf_header import check_is_language_model, read_header
from assistant.engine.types import ModelLoadError


def test_the_header_of_a_good_file_is_read(demo_gguf: Path) -> None:
    header = read_header(demo_gguf)
    assert header.metadata["general.architecture"] == "llama"
    assert header.tensors > 10
    assert 0 <= demo_gguf.stat().st_size - header.size < 32
    check_is_language_model(demo_gguf, header)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"none\.gguf does not exist"):
        read_header(tmp_path / "none.gguf")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04" + b"\0" * 100, "not a GGUF file"),
        (b"GGUF", "damaged or truncated"),
        (b"GGUF\x03\0\0\0" + b"\xff" * 100, "damaged or truncated"),
        (b"GGUF\x09\0\0\0" + b"\0" * 16, "version 9"),
        (b"GGUF\x03\0\0\0" + b"\0" * 16, "architecture"),
    ],
)
def test_what_is_wrong_with_a_bad_file_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelLoadError, match=said):
        check_is_language_model(path, read_header(path))


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path, demo_gguf: Path, share: float) -> None:
    data = demo_gguf.read_bytes()
    path = tmp_path / "short.gguf"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ModelLoadError, match="truncated"):
        read_header(path)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match="cannot be read"):
        read_header(tmp_path)
