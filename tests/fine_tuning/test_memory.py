"""The mode follows from the memory limit: a 7B of 1,024 tokens fits where it was measured to fit."""

import pytest

from finetuning.config import TrainSettings
from finetuning.errors import ConfigError
from finetuning.memory import BITS, Mode, choose_mode, need
from tests.load.training.shapes import llama

GIB = 2**30


@pytest.mark.parametrize(
    ("compute", "limit", "mode"),
    [("bfloat16", 16, "fast"), ("bfloat16", 9, "lean"), ("float32", 20, "fast"), ("float32", 16, "lean")],
)
def test_the_mode_is_the_fastest_that_fits(compute: str, limit: int, mode: Mode) -> None:
    assert choose_mode(llama(32), TrainSettings(), compute, limit * GIB) == mode


def test_a_machine_that_is_too_small_is_told_what_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"needs \d+\.\d GiB .* may use 4\.0 GiB"):
        choose_mode(llama(32), TrainSettings(), "bfloat16", 4 * GIB)


@pytest.mark.parametrize("mode", BITS)
def test_a_setting_decides_whatever_the_limit(mode: Mode) -> None:
    assert choose_mode(llama(32), TrainSettings(mode=mode), "float32", GIB) == mode


@pytest.mark.parametrize("mode", BITS)
def test_longer_packs_need_more(mode: Mode) -> None:
    short, long = (need(llama(32), TrainSettings(sequence_length=n), "bfloat16", mode) for n in (512, 1024))
    assert short.total < long.total
    assert short.weights == long.weights
