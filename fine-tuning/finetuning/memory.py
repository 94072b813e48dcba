"""How much memory training takes, and which of its two modes fits, without torch.

``fast`` keeps frozen weights in 8 bits, and what a layer computed until its backward pass (4 FLOP a weight and token).
``lean`` keeps them in 4 bits, and computes each layer again in the backward pass (under 6 FLOP).
"""

from dataclasses import dataclass
from typing import Final, Literal

from finetuning.base_model import LINEARS, Shape
from finetuning.config import TrainSettings
from finetuning.errors import ConfigError

Mode = Literal["fast", "lean"]
BITS: Final[dict[Mode, int]] = {"fast": 8, "lean": 4}
WEIGHT_BYTES: Final[dict[Mode, float]] = {"fast": 1.0, "lean": 0.5 + 2 / 32}
COMPUTE_BYTES: Final = {"float32": 4, "bfloat16": 2}
ADAPTER_COPIES: Final = 7
"""Parameters, gradients, two moments, the best so far, a checkpoint's copy, the optimizer's intermediate results."""
PROCESS_BYTES: Final = 700_000_000
"""Python with its libraries, and the matrix library's own buffers."""
RESERVE: Final = 1.05
"""The limit has to be larger than the need by this, for what is not counted here."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes at the peak, by what they are for."""

    weights: int
    adapter: int
    saved: int
    working: int

    @property
    def total(self) -> int:
        return self.weights + self.adapter + self.saved + self.working + PROCESS_BYTES


def need(shape: Shape, settings: TrainSettings, compute: str, mode: Mode) -> Need:
    """What training on full packs takes; ``compute``: float32 or bfloat16."""
    size, tokens = COMPUTE_BYTES[compute], settings.sequence_length
    linears = [shape.tensors()[f"model.layers.0.{name}.weight"] for name in LINEARS]
    layer = sum(rows * columns for rows, columns in linears)
    heads = shape.vocab * shape.hidden * (1 if shape.tied else 2)
    stream = tokens * shape.hidden * size
    norms_and_inputs, attention = 4 * shape.hidden, 2 * (shape.heads + shape.kv_heads) * shape.head_dim
    kept = tokens * size * (norms_and_inputs + attention + 3 * shape.intermediate)
    factors = shape.layers * settings.rank * sum(rows + columns for rows, columns in linears)
    dense = max(rows * columns for rows, columns in linears) if mode == "fast" else layer
    return Need(
        weights=int(shape.layers * layer * WEIGHT_BYTES[mode]) + heads * size,
        adapter=ADAPTER_COPIES * 4 * factors,
        saved=shape.layers * kept if mode == "fast" else shape.layers * stream + kept,
        working=dense * size + 3 * stream + 8 * tokens * shape.intermediate * size,
    )


def choose_mode(shape: Shape, settings: TrainSettings, compute: str, limit: int) -> Mode:
    """The setting's mode; for ``auto`` the fast one if it fits into ``limit`` bytes, else the lean one.

    Raises ConfigError when not even that fits.
    """
    if settings.mode != "auto":
        return settings.mode
    for mode in BITS:
        if need(shape, settings, compute, mode).total * RESERVE <= limit:
            return mode
    least = need(shape, settings, compute, "lean").total * RESERVE
    raise ConfigError(
        f"Training needs {least / 2**30:.1f} GiB of memory and may use {limit / 2**30:.1f} GiB: raise the limit, or "
        "lower train.sequence_length or train.rank; train.mode: lean tries it all the same."
    )
