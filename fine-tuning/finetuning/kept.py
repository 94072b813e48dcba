"""How much of what was learned is left once the merged weights are quantized, by the loss on the dev rows.

Quantizing can round a small change away although every tensor's error is small. The yardstick is the base, quantized in
the same way, without and with the adapter beside it: the adapter is not rounded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from codellama_core.models import Split
from finetuning.context import Context
from finetuning.dataset import read_rows, within
from finetuning.llama import LlamaModel
from finetuning.rows import Row
from finetuning.scores import losses

LEAST_GAIN = 0.01
"""Nats per token; shares of a smaller gain would be noise, and the gate turns it down."""


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Losses in nats per token of the base alone, ``before``, and with the adapter beside it, ``after``."""

    before: float
    after: float
    loss_of: Callable[[Path], float]

    @classmethod
    def measure(cls, context: Context, base: Path, adapter: Path) -> Self | None:
        """On ``export.kept_tokens`` of the dev rows; None without rows, or without ``LEAST_GAIN`` on them."""
        rows = read_rows(context.folder, Split.DEV)
        if not rows:
            return None
        rows = within(rows, context.settings.export.kept_tokens)
        before, after = _loss(context, rows, base), _loss(context, rows, base, adapter)
        enough = before - after >= LEAST_GAIN
        return cls(before, after, lambda model: _loss(context, rows, model)) if enough else None

    def kept_by(self, model: Path) -> float:
        """The share of the adapter's gain that a merged file has; 1 is all of it, below 0 it is worse than the base."""
        return round((self.before - self.loss_of(model)) / (self.before - self.after), 4)


def _loss(context: Context, rows: list[Row], model: Path, adapter: Path | None = None) -> float:
    threads, size = context.environment.threads, context.settings.extract.max_tokens
    with LlamaModel(model, threads=threads, context=size, adapter=adapter) as llama:
        return losses(llama, rows, lambda _: context.progress.check()).mean
