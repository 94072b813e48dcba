"""What the layers in training read, watched for the importance matrix."""

from functools import partial
from typing import Any

import torch
from torch import nn

from finetuning.frozen import AdaptedLinear

_PREFIX = "base_model.model."


class InputSquares:
    """Sums of squares of the inputs of every adapted layer while it learns, by the name of its weight.

    ``sums``: shape (columns,). ``counts``: how many inputs; where a layer is computed twice they count twice.
    """

    def __init__(self, model: nn.Module) -> None:
        self.sums: dict[str, torch.Tensor] = {}
        self.counts: dict[str, int] = {}
        for module_name, module in model.named_modules():
            if isinstance(module, AdaptedLinear):
                name = f"{module_name.removeprefix(_PREFIX)}.weight"
                self.sums[name], self.counts[name] = torch.zeros(module.in_features, dtype=torch.float64), 0
                module.register_forward_pre_hook(partial(self._add, name))

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"sums": self.sums, "counts": self.counts}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.sums.update(state["sums"])
        self.counts.update(state["counts"])

    def _add(self, name: str, _: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            rows = inputs[0].detach().flatten(0, -2)
            self.sums[name] += torch.linalg.vector_norm(rows, dim=0, dtype=torch.float32).square()
            self.counts[name] += len(rows)
