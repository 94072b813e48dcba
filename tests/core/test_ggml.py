"""Which of ggml's CPU variants a process runs, read off the files it has mapped."""

from codellama_core.ggml import variant_in

LINE = "7f2c1e000000-7f2c1e0a1000 r-xp 0000d000 fe:00 1312 /opt/venv/lib/python3.12/site-packages/llama_cpp/lib/{}\n"


def test_the_variant_is_the_one_that_is_mapped() -> None:
    maps = "".join(map(LINE.format, ("libggml-base.so.0", "libggml-cpu-sapphirerapids.so", "libllama.so.0")))
    assert variant_in(maps) == "sapphirerapids"


def test_a_static_build_has_no_variant() -> None:
    assert variant_in("".join(map(LINE.format, ("libggml-base.so.0", "libggml-cpu.so", "libllama.so.0")))) is None
