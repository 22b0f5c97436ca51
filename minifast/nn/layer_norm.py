"""Layer norm over the last dimensions, with a scale and a shift for each number.

Book: ch. 16.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from minifast.errors import OptionError, ShapeError, describe
from minifast.errors import whole_number as whole
from minifast.nn.norms import widened

if TYPE_CHECKING:
    from collections.abc import Sequence


class _NormalizeRows(torch.autograd.Function):
    """z * weight + bias for rows z of mean 0 and variance 1, a weight for each place.

    The gradient is the one of ``_Normalize``; but h, which is the arriving gradient
    times the weights, can't be had from the sums of rows.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, z: Tensor, rstd: Tensor
    ) -> Tensor:
        ctx.save_for_backward(z, rstd, weight)
        return torch.addcmul(bias, z, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        z, rstd, weight = ctx.saved_tensors
        products = grad * z
        weight_grad = products.sum(0)
        along = (products @ weight)[:, None] / -len(weight)
        mean = (grad @ weight)[:, None] / len(weight)
        h = torch.mul(grad, weight, out=products)  # its memory is free
        x_grad = h.sub_(mean).addcmul_(z, along).mul_(rstd)
        return x_grad, weight_grad, grad.sum(0), None, None


class LayerNorm(nn.Module):
    """Layer norm: the last dimensions of each sample have mean 0 and variance 1.

    Each number has a scale and a shift of its own. For images, whose size is not fixed,
    ``GroupNorm(1, n_channels)`` has one of each for a channel.

    Args:
        shape: The sizes of the dimensions that are normalized, such as D or (C, H, W).
        eps: Added to the variance before its root is taken.
        affine: Whether there are a scale, ``weight``, and a shift, ``bias``.

    Raises:
        OptionError: If they are fewer than two numbers.

    Shape:
        (..., *shape), floating -> the same.

    Source: Ba, Kiros and Hinton 2016, "Layer normalization", sec. 3.
    Book: ch. 16.
    """

    def __init__(
        self, shape: int | Sequence[int], *, eps: float = 1e-5, affine: bool = True
    ) -> None:
        super().__init__()
        sizes = [shape] if isinstance(shape, int) else list(shape)
        self.shape = tuple(whole("shape", size, 1) for size in sizes)
        if math.prod(self.shape) < 2:
            must = "There must be two numbers at least to take the variance of."
            fix = "Give the sizes of all dimensions that are normalized together."
            raise OptionError(must, f"shape={shape}", fix)
        self.eps = eps
        self.register_parameter("weight", None)
        self.register_parameter("bias", None)
        if affine:
            self.weight = nn.Parameter(torch.ones(self.shape))
            self.bias = nn.Parameter(torch.zeros(self.shape))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize the last dimensions.

        Raises:
            ShapeError: If they have other sizes.

        Shape:
            x: (..., *shape), floating -> the same.
        """
        if x.shape[-len(self.shape) :] != self.shape:
            must = f"The input must be (..., {', '.join(map(str, self.shape))})."
            fix = (
                "LayerNorm(x.shape[1:]) is made for a batch x; GroupNorm(1, n_channels)"
            )
            raise ShapeError(must, describe(x), f"{fix} takes images of any size.")
        with torch.autocast(x.device.type, enabled=False):
            rows = widened(x).reshape(-1, math.prod(self.shape))
            return self._normalized(rows).view(x.shape).to(x.dtype)

    def _normalized(self, rows: Tensor) -> Tensor:
        with torch.no_grad():
            z = rows - rows.mean(1, keepdim=True)
            var = torch.linalg.vector_norm(z, dim=1, keepdim=True).square()
            rstd = (var / rows.shape[1] + self.eps).rsqrt()
            z.mul_(rstd)
        weight, bias = rows.new_ones(rows.shape[1]), rows.new_zeros(rows.shape[1])
        if self.weight is not None:
            weight, bias = self.weight.flatten(), self.bias.flatten()
        y: Tensor = _NormalizeRows.apply(rows, weight, bias, z, rstd)  # type: ignore[no-untyped-call]
        return y

    def extra_repr(self) -> str:
        """Return the arguments, as ``print(model)`` shows them."""
        return f"{self.shape}, eps={self.eps}, affine={self.weight is not None}"
