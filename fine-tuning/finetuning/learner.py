"""The model in training: frozen base, LoRA adapter by PEFT, optimizer, loss, and all that it needs to go on."""

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from transformers import LlamaForCausalLM

from finetuning.config import TrainSettings
from finetuning.frozen_llama import adapted_llama
from finetuning.frugal import target_loss
from finetuning.memory import Mode
from finetuning.packing import Pack
from finetuning.squares import InputSquares

State = dict[str, Any]


class Learner:
    """One LoRA adapter on a frozen Llama."""

    def __init__(self, folder: Path, settings: TrainSettings, dtype: torch.dtype, mode: Mode = "fast") -> None:
        self._settings = settings
        self.model = adapted_llama(folder, settings, dtype, mode)
        self._causal = cast(LlamaForCausalLM, self.model.get_base_model())
        self.squares = InputSquares(self.model)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self.parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, foreach=True
        )

    def loss(self, pack: Pack) -> torch.Tensor:
        """Sum of the negative log-likelihoods of the pack's targets, in nats."""
        hidden = self._causal.model(input_ids=pack.ids, position_ids=pack.positions, use_cache=False).last_hidden_state
        return target_loss(hidden[0, pack.predicting], self._causal.lm_head.weight, pack.targets)

    def accumulate(self, pack: Pack) -> float:
        """Add a pack's gradient; returns its summed loss."""
        loss = self.loss(pack)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def step(self, targets: int, number: int, total: int) -> None:
        """One optimizer step on the gradients so far, over ``targets`` tokens; ``number`` counts from 0."""
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter.grad /= targets
        torch.nn.utils.clip_grad_norm_(self.parameters, self._settings.clip)
        for group in self._optimizer.param_groups:
            group["lr"] = self._settings.learning_rate * _schedule(number, total, self._settings.warmup_steps)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)

    def measure(self, pack: Pack) -> float:
        """A pack's summed loss; nothing is learned."""
        with torch.no_grad():
            return self.loss(pack).item()

    def evaluate(self, packs: Sequence[Pack]) -> float:
        """Mean negative log-likelihood per target, in nats."""
        return sum(map(self.measure, packs)) / sum(len(pack.targets) for pack in packs)

    def adapter(self) -> dict[str, torch.Tensor]:
        """A copy of the adapter's tensors."""
        return {name: value.detach().clone() for name, value in get_peft_model_state_dict(self.model).items()}

    def state(self) -> State:
        """Everything that training needs to go on."""
        return {
            "adapter": self.adapter(),
            "gradients": [p.grad for p in self.parameters],
            "optimizer": self._optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "squares": self.squares.state(),
        }

    def restore(self, state: State) -> None:
        """Go on from a ``state``."""
        set_peft_model_state_dict(self.model, state["adapter"])
        for parameter, gradient in zip(self.parameters, state["gradients"], strict=True):
            parameter.grad = gradient
        self._optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        self.squares.load(state["squares"])

    def write_adapter(self, tensors: dict[str, torch.Tensor], folder: Path) -> None:
        """Write ``tensors`` the way PEFT does, so that ``PeftModel.from_pretrained`` loads them."""
        set_peft_model_state_dict(self.model, tensors)
        self.model.save_pretrained(str(folder))


def _schedule(number: int, total: int, warmup: int) -> float:
    """Share of the full learning rate: a linear warm-up, then a cosine down to a tenth."""
    if number < warmup:
        return (number + 1) / (warmup + 1)
    progress = min(1.0, (number - warmup) / max(1, total - warmup))
    return 0.1 + 0.45 * (1 + math.cos(math.pi * progress))


def shuffled(rows: Sequence[Any], seed: int, epoch: int) -> list[Any]:
    """The rows in an order that depends on seed and epoch only."""
    order = list(rows)
    random.Random(f"{seed}:{epoch}").shuffle(order)
    return order
