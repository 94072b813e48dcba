"""How training is to compute, and how fast that will be."""

import pytest
import torch

from finetuning import rate
from finetuning.base_model import BaseModel
from finetuning.rate import faster_compute, multiplied, product_seconds, tokens_per_second

TOKENS = 1024


@pytest.mark.parametrize(
    ("bfloat16", "sixteenth", "chosen"),
    [(0.5, 0.04, "bfloat16"), (0.9, 0.06, "float32"), (100.0, 6.0, "float32")],
)
def test_bfloat16_is_taken_where_it_is_much_faster_and_not_tried_whole_where_it_is_hopeless(
    demo: BaseModel, monkeypatch: pytest.MonkeyPatch, bfloat16: float, sixteenth: float, chosen: str
) -> None:
    asked = []

    def seconds(shape: object, tokens: int, dtype: torch.dtype, times: int = 3) -> float:
        asked.append((tokens, dtype))
        if dtype is torch.float32:
            return 1.0
        return sixteenth if tokens == TOKENS // 16 else bfloat16

    monkeypatch.setattr(rate, "product_seconds", seconds)
    assert faster_compute(demo.shape, TOKENS) == chosen
    assert ((TOKENS, torch.bfloat16) in asked) is (sixteenth <= 1.0)


def test_the_projected_speed_is_a_share_of_the_rate_of_products(
    demo: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate, "product_seconds", lambda *_: 2.0)
    flop_s = 2 * TOKENS * demo.shape.hidden * demo.shape.intermediate / 2.0
    fast, lean = (tokens_per_second(demo.shape, TOKENS, "float32", mode) for mode in ("fast", "lean"))
    assert fast == pytest.approx(0.74 * flop_s / (4 * multiplied(demo.shape)))
    assert lean == pytest.approx(0.84 * flop_s / (6 * multiplied(demo.shape)))


def test_products_are_timed(demo: BaseModel) -> None:
    assert 0 < product_seconds(demo.shape, 16, torch.float32) < product_seconds(demo.shape, 4096, torch.float32)
