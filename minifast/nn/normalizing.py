"""Normalizing a batch, with gradients through its statistics written by hand.

All norms of :mod:`minifast.nn.norms` end in one of these two functions.

Book: ch. 16.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:
    from collections.abc import Callable


class Centred(NamedTuple):
    """A batch less its mean, and what else normalizing it needs.

    Attributes:
        x: (B, C, L), less the mean.
        rstd: One over the standard deviation, as it broadcasts to x.
        pool: From sums over positions, (B, C, 1), to the means that were taken.
        moves: 0 where the variance does not depend on x, as it was held at a bound.

    Shape:
        x: (B, C, L); rstd, moves: what broadcasts to it.
    """

    x: Tensor
    rstd: Tensor
    pool: Callable[[Tensor], Tensor]
    moves: Tensor | int = 1


class Normalize(torch.autograd.Function):
    """(x - mean) * rstd * weight + bias, with the gradient through both statistics.

    Let z be (x - mean) * rstd, and h the gradient that arrives there. That of x is
    rstd * (h - pool(h) - z * pool(h * z)): h less its mean, less its part along z.

    Source: Ioffe and Szegedy 2015, "Batch normalization", sec. 3.
    Book: ch. 16.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, centred: Centred
    ) -> Tensor:
        """Scale and shift what has been centred.

        Shape:
            x: (B, C, L); weight, bias: (C, 1) -> (B, C, L).
        """
        scale = centred.rstd * weight
        ctx.save_for_backward(centred.x, centred.rstd, weight)
        ctx.pool, ctx.moves = centred.pool, centred.moves
        return torch.addcmul(bias, centred.x, scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, weight and bias.

        Shape:
            grad: (B, C, L) -> (B, C, L), (C, 1), (C, 1).
        """
        centred, rstd, weight = ctx.saved_tensors
        products = grad * centred
        sums, sums_z = sum_positions(grad), sum_positions(products) * rstd
        mean = ctx.pool(sums * weight) * rstd
        along = ctx.pool(sums_z * weight) * rstd.square() * ctx.moves
        rest = torch.addcmul(-mean, centred, -along, out=products)  # its memory is free
        return (
            rest.addcmul_(grad, rstd * weight),
            sums_z.sum_to_size(weight.shape),
            sums.sum_to_size(weight.shape),
            None,
        )


def normalize(x: Tensor, weight: Tensor, bias: Tensor, centred: Centred) -> Tensor:
    """Apply :class:`Normalize`.

    Shape:
        x: (B, C, L); weight, bias: (C, 1) -> (B, C, L).
    """
    y: Tensor = Normalize.apply(x, weight, bias, centred)  # type: ignore[no-untyped-call]
    return y


class NormalizeRows(torch.autograd.Function):
    """z * weight + bias for rows z of mean 0 and variance 1, a weight for each place.

    The gradient is the one of ``Normalize``; but h, which is the arriving gradient
    times the weights, can't be had from the sums of rows.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, z: Tensor, rstd: Tensor
    ) -> Tensor:
        """Scale and shift the rows.

        Shape:
            x, z: (B, D); weight, bias: (D,); rstd: (B, 1) -> (B, D).
        """
        ctx.save_for_backward(z, rstd, weight)
        return torch.addcmul(bias, z, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, weight and bias.

        Shape:
            grad: (B, D) -> (B, D), (D,), (D,).
        """
        z, rstd, weight = ctx.saved_tensors
        products = grad * z
        weight_grad = products.sum(0)
        along = (products @ weight)[:, None] / -len(weight)
        mean = (grad @ weight)[:, None] / len(weight)
        h = torch.mul(grad, weight, out=products)  # its memory is free
        x_grad = h.sub_(mean).addcmul_(z, along).mul_(rstd)
        return x_grad, weight_grad, grad.sum(0), None, None


def widened(x: Tensor) -> Tensor:
    """Return a batch in float32 at least.

    Shape:
        x: any, floating -> the same.
    """
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def sum_positions(x: Tensor) -> Tensor:
    """Add up the positions.

    Shape:
        x: (B, C, L) -> (B, C, 1).
    """
    return x.sum(2, keepdim=True)


def mean_and_var(
    x: Tensor, pool: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean, x less the mean, and the mean of the squares of that.

    The mean of squares less the square of the mean would take a pass less over the
    numbers, and may lose all digits (ch. 10).

    Shape:
        x: (B, C, L) -> what pooling leaves, (B, C, L), what pooling leaves.
    """
    mean = pool(sum_positions(x))
    centred = x - mean
    norms = torch.linalg.vector_norm(centred, dim=2, keepdim=True)
    return mean, centred, pool(norms.square())
