"""Linear layers whose weights are frozen and quantized, and LoRA on top of them, saving little for the backward pass.

A weight is dequantized into the compute type when a product needs it, in the forward and again in the backward pass,
into memory that layers share: fresh memory costs more (page faults) than dequantizing.

Eight bits, one scale a row (errors of 0.7 %): a row's scale is applied to the product, so dequantizing is a conversion.
Four bits, one scale for 32 rows of a column (9 %, as llama.cpp's Q4_0): four passes. Table look-ups, as NF4 needs them
(https://arxiv.org/abs/2305.14314), take seven times as long in PyTorch.
"""

from typing import Any, Final, cast

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import nn
from torch.autograd.function import FunctionCtx

BLOCK_ROWS: Final = 32


class Scratch:
    """Room for one dense weight of any of the layers that share it."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._buffer = torch.empty(0, dtype=dtype)
        self._holds: FrozenLinear | None = None

    def dense(self, layer: "FrozenLinear") -> torch.Tensor:
        """The layer's weight, shape (rows, columns), valid until another layer asks; kept while none does."""
        size = layer.out_features * layer.in_features
        if self._buffer.numel() < size:
            self._buffer, self._holds = torch.empty(size, dtype=self.dtype), None
        dense = self._buffer[:size].view(layer.out_features, layer.in_features)
        if self._holds is not layer:
            layer.dequantize(dense)
            self._holds = layer
        return dense


class FrozenLinear(nn.Linear):
    """A linear layer without bias, called through AdaptedLinear only. ``weight`` is quantized; a product with its dense
    form is still to be multiplied with ``row_scale``, shape (rows,), unless that is None.
    """

    row_scale: torch.Tensor | None = None

    def __init__(self, shape: torch.Size, weight: torch.Tensor, scratch: Scratch) -> None:
        super().__init__(shape[1], shape[0], bias=False, device="meta")
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.scratch = scratch

    def dense(self) -> torch.Tensor:
        """The weight in the compute type, but for ``row_scale``; valid until another layer's is asked for."""
        return self.scratch.dense(self)

    def dequantize(self, out: torch.Tensor) -> None:
        """Write the dense weight into ``out``, shape (rows, columns)."""
        raise NotImplementedError


class EightBitLinear(FrozenLinear):
    """Whole numbers from -127 to 127 and a scale for each row."""

    def __init__(self, weight: torch.Tensor, scratch: Scratch) -> None:
        """Quantize ``weight``, shape (rows, columns), float32."""
        low, high = weight.aminmax(dim=1)
        scale = _usable(torch.maximum(-low, high) / 127).to(scratch.dtype)
        whole = (weight / scale[:, None]).round_().clamp_(-127, 127).to(torch.int8)
        super().__init__(weight.shape, whole, scratch)
        self.row_scale = scale

    def dequantize(self, out: torch.Tensor) -> None:
        out.copy_(self.weight)


class FourBitLinear(FrozenLinear):
    """Whole numbers from -8 to 7 and a scale for every 32 rows of a column.

    A byte's low half belongs to a row of the matrix's upper half, its high half to the row as far down in the lower.
    Each is read as 16 times its number, which keeps the sign at its place; the scale makes up for it.
    """

    def __init__(self, weight: torch.Tensor, scratch: Scratch) -> None:
        """Quantize ``weight``, shape (rows, columns), float32; rows in multiples of 64."""
        blocks = weight.view(-1, BLOCK_ROWS, weight.shape[1])
        extreme = blocks.gather(1, blocks.abs().argmax(dim=1, keepdim=True))
        scale = _usable(extreme / -8).to(torch.bfloat16)
        whole = (blocks / scale).round_().clamp_(-8, 7).to(torch.int8).view(2, -1, weight.shape[1])
        super().__init__(weight.shape, (whole[0] & 15) | (whole[1] << 4), scratch)
        self.block_scale = scale / 16

    def dequantize(self, out: torch.Tensor) -> None:
        upper, lower = out.view(2, -1, self.in_features)
        upper.copy_(self.weight << 4)
        lower.copy_(self.weight & -16)
        out.view(-1, BLOCK_ROWS, self.in_features).mul_(self.block_scale.to(out.dtype))


def frozen_linear(weight: torch.Tensor, bits: int, scratch: Scratch) -> FrozenLinear:
    """Quantize ``weight``, float32, to ``bits`` (8 or 4); what does not come in 64 rows gets eight."""
    if bits == 4 and weight.shape[0] % (2 * BLOCK_ROWS) == 0:
        return FourBitLinear(weight, scratch)
    return EightBitLinear(weight, scratch)


def _usable(scale: torch.Tensor) -> torch.Tensor:
    """One instead of zero, so that a row or block of zeros can be divided by its scale."""
    return scale.where(scale != 0, 1.0)


class AdaptedLinear(LoraLinear):  # type: ignore[misc]
    """PEFT's LoRA layer on a FrozenLinear. Parameters, names and files are PEFT's, the computation is ours.

    Not covered: dropout, DoRA, merging, several adapters at once.
    """

    def forward(self, x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """``x``: shape (…, columns) in the compute type."""
        (name,) = self.active_adapters
        flat = x.reshape(-1, x.shape[-1])
        factors = self.lora_A[name].weight, self.lora_B[name].weight
        change = LoraProduct.apply(flat, *factors, self.scaling[name])  # type: ignore[no-untyped-call]
        product = FrozenProduct.apply(flat, change, self.base_layer)  # type: ignore[no-untyped-call]
        return cast(torch.Tensor, product.view(*x.shape[:-1], -1))


class LoraProduct(torch.autograd.Function):
    """``scaling * x A' B'``. Saves ``x``, which layers with the same input share, and ``x A'``.

    It comes before FrozenProduct, which saves nothing: a checkpoint's recomputation ends at the last tensor to be
    saved, and so leaves out the layer's last product with a frozen weight.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, a: torch.Tensor, b: torch.Tensor, scaling: float) -> torch.Tensor:
        inner = x @ a.to(x.dtype).T
        ctx.save_for_backward(x, a, b, inner)
        ctx.scaling = scaling
        return (inner * scaling) @ b.to(x.dtype).T

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        x, a, b, inner = ctx.saved_tensors
        of_inner = (gradient @ b.to(x.dtype)) * ctx.scaling
        of_b = gradient.T @ (inner * ctx.scaling)
        of_a = of_inner.T @ x
        of_x = of_inner @ a.to(x.dtype) if ctx.needs_input_grad[0] else None
        return of_x, of_a.to(a.dtype), of_b.to(b.dtype), None


class FrozenProduct(torch.autograd.Function):
    """``x W' + change``; saves no tensor."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: torch.Tensor, change: torch.Tensor, layer: FrozenLinear) -> torch.Tensor:
        ctx.layer = layer  # type: ignore[attr-defined]
        product = x @ layer.dense().T
        if layer.row_scale is None:
            return product.add_(change)
        return torch.addcmul(change, product, layer.row_scale, out=product)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = gradients
        if not ctx.needs_input_grad[0]:
            return None, gradient, None
        layer: FrozenLinear = ctx.layer
        scaled = gradient if layer.row_scale is None else gradient * layer.row_scale
        return scaled @ layer.dense(), gradient, None
