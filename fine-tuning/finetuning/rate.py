"""How fast this machine will train, from what its bare matrix products reach."""

import time
from typing import Final

import torch

from finetuning.base_model import LINEARS, Shape
from finetuning.memory import Mode

FLOP: Final[dict[str, int]] = {"fast": 4, "lean": 6}
"""Per trained token and weight: forward 2, backward 2, and 2 for what is computed again."""
SHARE: Final[dict[Mode, float]] = {"fast": 0.74, "lean": 0.84}
"""Of the rate of bare products, as tests.load.training measured it in float32 (README.md)."""
DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16}
BFLOAT16_GAIN: Final = 1.3
"""By how much bfloat16 has to be faster to be taken: it learns less exactly."""


def faster_compute(shape: Shape, tokens: int) -> str:
    """bfloat16 where it multiplies much faster than float32 at the model's own sizes, else float32.

    Timed, not read off the CPU's flags: on AVX2 machines bfloat16 is up to 500 times slower (pytorch issue 146508),
    which a sixteenth of the rows shows.
    """
    single = product_seconds(shape, tokens, torch.float32)
    if product_seconds(shape, max(1, tokens // 16), torch.bfloat16, times=1) > single:
        return "float32"
    return "bfloat16" if product_seconds(shape, tokens, torch.bfloat16) * BFLOAT16_GAIN < single else "float32"


def product_seconds(shape: Shape, tokens: int, dtype: torch.dtype, times: int = 3) -> float:
    """Seconds of one (tokens x hidden) x (hidden x intermediate) product, the best of ``times``; one more warms up."""
    left, right = (
        torch.ones(tokens, shape.hidden, dtype=dtype),
        torch.ones(shape.hidden, shape.intermediate, dtype=dtype),
    )
    taken = []
    for _ in range(1 + times):
        started = time.perf_counter()
        torch.mm(left, right)
        taken.append(time.perf_counter() - started)
    return min(taken[1:])


def tokens_per_second(shape: Shape, tokens: int, compute: str, mode: Mode) -> float:
    """What training in micro-batches of ``tokens`` should reach here."""
    rate = 2 * tokens * shape.hidden * shape.intermediate / product_seconds(shape, tokens, DTYPES[compute])
    return SHARE[mode] * rate / (FLOP[mode] * multiplied(shape))


def multiplied(shape: Shape) -> int:
    """Weights that every trained token is multiplied with: the linear layers' and the output matrix's."""
    tensors = shape.tensors()
    layer = sum(rows * columns for rows, columns in (tensors[f"model.layers.0.{name}.weight"] for name in LINEARS))
    return shape.layers * layer + shape.vocab * shape.hidden
