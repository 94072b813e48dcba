"""Parts of a Llama that save less for the backward pass than PyTorch's own composition of them would."""

from typing import Any, Final, cast

import torch
from torch import nn
from torch.nn import functional
from transformers.models.llama.modeling_llama import LlamaMLP

CHUNK: Final = 256


class FrugalNorm(nn.Module):
    """RMSNorm with a frozen weight; saves its input, which the residual stream holds anyway, and a number per token."""

    def __init__(self, weight: torch.Tensor, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self._epsilon = epsilon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``x``: shape (…, hidden) in the compute type."""
        return cast(torch.Tensor, _Norm.apply(x, self.weight, self._epsilon))  # type: ignore[no-untyped-call]


class FrugalMlp(nn.Module):
    """Llama's gated MLP; saves gate and up, not what lies between them and their product."""

    def __init__(self, mlp: LlamaMLP) -> None:
        super().__init__()
        self.gate_proj, self.up_proj, self.down_proj = mlp.gate_proj, mlp.up_proj, mlp.down_proj

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``x``: shape (…, hidden) in the compute type."""
        inner = _Gated.apply(self.gate_proj(x), self.up_proj(x))  # type: ignore[no-untyped-call]
        return cast(torch.Tensor, self.down_proj(inner))


def target_loss(hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Sum of the cross entropies, in nats, of ``targets``, shape (n,), at ``hidden``, shape (n, hidden).

    ``head``: the frozen output matrix, shape (vocabulary, hidden). Logits exist for some rows at a time.
    """
    return cast(torch.Tensor, _TargetLoss.apply(hidden, head, targets))  # type: ignore[no-untyped-call]


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        wide = _wide(x)
        inverse = wide.square().mean(-1, keepdim=True).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        return (wide * inverse).to(x.dtype) * weight

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight, inverse = ctx.saved_tensors
        wide, gradient = _wide(x), _wide(gradients[0] * weight)
        along = (gradient * wide).mean(-1, keepdim=True) * inverse.square()
        return torch.addcmul(gradient, wide, along, value=-1).mul_(inverse).to(x.dtype), None, None


class _Gated(torch.autograd.Function):
    """``silu(gate) * up``."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        return functional.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        (gradient,) = gradients
        gate, up = ctx.saved_tensors
        of_gate = torch.ops.aten.silu_backward(gradient * up, gate)
        return of_gate, functional.silu(gate).mul_(gradient)


class _TargetLoss(torch.autograd.Function):
    """The gradient is computed along with the loss, while a chunk's logits are there."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, head: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss = torch.zeros((), dtype=_wide(hidden[:0]).dtype)
        gradients = []
        for part, wanted in zip(torch.split(hidden, CHUNK), torch.split(targets, CHUNK), strict=True):
            scores = functional.log_softmax(_wide(part @ head.T), dim=-1)
            rows = torch.arange(len(wanted))
            loss -= scores[rows, wanted].sum()
            if ctx.needs_input_grad[0]:
                shares = scores.exp_()
                shares[rows, wanted] -= 1
                gradients.append(shares.to(hidden.dtype) @ head)
        if gradients:
            ctx.save_for_backward(torch.cat(gradients))
        return loss

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (of_hidden,) = ctx.saved_tensors
        return of_hidden * gradients[0].to(of_hidden.dtype), None, None


def _wide(x: torch.Tensor) -> torch.Tensor:
    """``x`` in at least 32 bits."""
    return x.float() if x.dtype.itemsize < 4 else x
