"""Normalization layers of channels: batch, instance, group and running batch norm.

All of them subtract a mean and divide by a standard deviation, and then give each
channel a scale and a shift that are learned. They differ in which numbers share their
statistics. Of an activation (B, C, positions):

======================  =========================================================
batch norm              a channel, over all samples and positions
layer norm              a sample, over all channels and positions
instance norm           a channel of a sample, over its positions
group norm              some channels of a sample, over their positions
running batch norm      as batch norm, together with samples of earlier batches
======================  =========================================================

In code, each adds up the positions first, which leaves (B, C), and *pools* these sums.
``_pool`` is the line that tells the norms apart. The gradient needs it again: an input
moves the statistics, and through them all numbers that share them.

In half precision the statistics are computed, and kept, in float32.

Book: ch. 16 and 17.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from minifast.errors import OptionError, ShapeError, describe
from minifast.errors import whole_number as whole

if TYPE_CHECKING:
    from collections.abc import Callable


class _Centred(NamedTuple):
    """A batch less its mean, and what else normalizing it needs.

    Attributes:
        x: (B, C, L), less the mean.
        rstd: One over the standard deviation, as it broadcasts to x.
        pool: From sums over positions, (B, C, 1), to the means that were taken.
        moves: 0 where the variance does not depend on x, as it was held at a bound.
    """

    x: Tensor
    rstd: Tensor
    pool: Callable[[Tensor], Tensor]
    moves: Tensor | int = 1


class _Normalize(torch.autograd.Function):
    """(x - mean) * rstd * weight + bias, with the gradient through both statistics.

    Let z be (x - mean) * rstd, and h the gradient that arrives there. That of x is
    rstd * (h - pool(h) - z * pool(h * z)): h less its mean, less its part along z.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, centred: _Centred
    ) -> Tensor:
        scale = centred.rstd * weight
        ctx.save_for_backward(centred.x, centred.rstd, weight)
        ctx.pool, ctx.moves = centred.pool, centred.moves
        return torch.addcmul(bias, centred.x, scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        centred, rstd, weight = ctx.saved_tensors
        products = grad * centred
        sums, sums_z = _sum(grad), _sum(products) * rstd
        mean = ctx.pool(sums * weight) * rstd
        along = ctx.pool(sums_z * weight) * rstd.square() * ctx.moves
        rest = torch.addcmul(-mean, centred, -along, out=products)  # its memory is free
        return (
            rest.addcmul_(grad, rstd * weight),
            sums_z.sum_to_size(weight.shape),
            sums.sum_to_size(weight.shape),
            None,
        )


def _normalize(x: Tensor, weight: Tensor, bias: Tensor, centred: _Centred) -> Tensor:
    y: Tensor = _Normalize.apply(x, weight, bias, centred)  # type: ignore[no-untyped-call]
    return y


def widened(x: Tensor) -> Tensor:
    """Return numbers in half precision as float32, and others as they are.

    Shape:
        x: any -> the same.
    """
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _sum(x: Tensor) -> Tensor:
    """Add up the positions: (B, C, L) -> (B, C, 1)."""
    return x.sum(2, keepdim=True)


def _mean_and_var(
    x: Tensor, pool: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean, x less the mean, and the mean of the squares of that.

    The mean of squares less the square of the mean would take a pass less over the
    numbers, and may lose all digits (ch. 10).
    """
    mean = pool(_sum(x))
    centred = x - mean
    norms = torch.linalg.vector_norm(centred, dim=2, keepdim=True)
    return mean, centred, pool(norms.square())


class _Norm(nn.Module):
    """What the norms of channels share: checks, precision, a learned scale and shift.

    Args:
        n_channels: C, the size of the input's second dimension.
        eps: Added to the variance before its root is taken.
        affine: Whether each channel has a scale, ``weight``, and a shift, ``bias``.
    """

    def __init__(
        self, n_channels: int, *, eps: float = 1e-5, affine: bool = True
    ) -> None:
        super().__init__()
        self.n_channels = whole("n_channels", n_channels, 1)
        self.eps = eps
        self.register_parameter("weight", None)
        self.register_parameter("bias", None)
        if affine:
            self.weight = nn.Parameter(torch.ones(self.n_channels))
            self.bias = nn.Parameter(torch.zeros(self.n_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize a batch.

        Raises:
            ShapeError: If it has another number of channels, or if only one number
                would have a mean and a variance to itself.

        Shape:
            x: (B, C) or (B, C, ...), floating -> the same.
        """
        self._check(x)
        flat = widened(x.flatten(2) if x.ndim > 2 else x.unsqueeze(2))
        with torch.autocast(x.device.type, enabled=False):
            return self._normalized(flat).view(x.shape).to(x.dtype)

    def _normalized(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            centred = self._centre(x, partial(self._pool, n_positions=x.shape[2]))
        return _normalize(x, *self._affine(x), centred)

    def _affine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scale and shift as they broadcast to a batch."""
        if self.weight is None:
            return x.new_ones(self.n_channels, 1), x.new_zeros(self.n_channels, 1)
        return self.weight[:, None], self.bias[:, None]

    def _centre(self, x: Tensor, pool: Callable[[Tensor], Tensor]) -> _Centred:
        _, centred, var = _mean_and_var(x, pool)
        return _Centred(centred, (var + self.eps).rsqrt(), pool)

    def _pool(self, sums: Tensor, n_positions: int) -> Tensor:
        raise NotImplementedError

    def _n_sharing(self, x: Tensor) -> int:
        """Count the numbers that share a mean."""
        raise NotImplementedError

    def _check(self, x: Tensor) -> None:
        if x.ndim < 2 or x.shape[1] != self.n_channels:
            name = type(self).__name__
            must = f"The input of {name} must be (B, {self.n_channels}, ...)."
            fix = "Make the layer for as many channels as come."
            raise ShapeError(must, describe(x), fix)
        if self._n_sharing(x) == 1:
            raise ShapeError(
                f"{type(self).__name__} must have more than one number to take the "
                "variance of: that of one is zero.",
                f"{describe(x)}, {self._n_sharing(x)} for each mean",
                self._remedy,
            )

    _remedy = ""

    def extra_repr(self) -> str:
        """Return the arguments, as ``print(model)`` shows them."""
        return f"{self.n_channels}, eps={self.eps}, affine={self.weight is not None}"


class _OverBatch(_Norm):
    """A norm whose statistics are over the batch, and in evaluation running ones."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, n_channels: int, *, eps: float, affine: bool) -> None:
        super().__init__(n_channels, eps=eps, affine=affine)
        self.register_buffer("running_mean", torch.zeros(self.n_channels))
        self.register_buffer("running_var", torch.ones(self.n_channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def _pool(self, sums: Tensor, n_positions: int) -> Tensor:
        return sums.sum(0, keepdim=True) / (len(sums) * n_positions)

    def _normalized(self, x: Tensor) -> Tensor:
        if self.training:
            return super()._normalized(x)
        weight, bias = (each.to(x.dtype) for each in self._affine(x))
        mean, var = (
            each.to(x.dtype)[:, None] for each in (self.running_mean, self._var())
        )
        scale = (var + self.eps).rsqrt() * weight
        return torch.addcmul(bias - mean * scale, x, scale)

    def _var(self) -> Tensor:
        return self.running_var


class BatchNorm(_OverBatch):
    """Batch norm: each channel has mean 0 and variance 1 over the batch.

    In evaluation the running statistics are used, which training has kept: moving
    averages of the batches' means and (unbiased) variances.

    Args:
        n_channels: C, the size of the input's second dimension.
        eps: Added to the variance before its root is taken.
        momentum: The weight of a new batch in the running statistics: torch's sense of
            the word, in which 0.1 forgets slowly. None takes the average of all.
        affine: Whether each channel has a scale, ``weight``, and a shift, ``bias``.

    Raises:
        OptionError: If there is no channel.

    Shape:
        (B, C) or (B, C, ...), floating -> the same. In training B times the number of
        positions is at least 2.

    Example:
        >>> y = BatchNorm(2)(torch.tensor([[1.0, 0.0], [5.0, 1.0]]))
        >>> y.detach().round().tolist()  # of two numbers it says which is larger
        [[-1.0, -1.0], [1.0, 1.0]]

    Source: Ioffe and Szegedy 2015, "Batch normalization", algorithms 1 and 2.
    Book: ch. 16.
    """

    _remedy = (
        "Use a larger batch, drop a last one of one sample, or use GroupNorm; "
        "for predictions, model.eval()."
    )

    def __init__(
        self,
        n_channels: int,
        *,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
    ) -> None:
        super().__init__(n_channels, eps=eps, affine=affine)
        self.momentum = momentum

    def _n_sharing(self, x: Tensor) -> int:
        return len(x) * math.prod(x.shape[2:]) if self.training else 2

    def _centre(self, x: Tensor, pool: Callable[[Tensor], Tensor]) -> _Centred:
        mean, centred, var = _mean_and_var(x, pool)
        n = len(x) * x.shape[2]
        self.num_batches_tracked += 1
        share: float | Tensor | None = self.momentum
        if share is None:
            share = 1 / self.num_batches_tracked.to(self.running_mean.dtype)
        unbiased = var * (n / (n - 1))
        for kept, new in ((self.running_mean, mean), (self.running_var, unbiased)):
            kept.lerp_(new.view_as(kept).to(kept.dtype), share)
        return _Centred(centred, (var + self.eps).rsqrt(), pool)


class RunningBatchNorm(_OverBatch):
    """Running batch norm: batch norm over the last samples, however small the batch.

    Batch norm trains with the statistics of one batch and predicts with running ones.
    Here both use the running ones. Each batch of B samples takes the place of B of the
    ``window`` samples that they are about; a batch as large as that makes it plain
    batch norm. Count, mean and variance fade alike, and merge as those of
    :class:`minifast.stats.RunningStats` do, so from the first batch on they are those
    of what has come, and there is no bias to correct.

    Args:
        n_channels: C, the size of the input's second dimension.
        eps: Added to the variance before its root is taken.
        window: How many samples the statistics are about.
        min_var: What the variance is taken for if it is smaller, so that a few samples
            that are alike don't make the next one enormous.
        affine: Whether each channel has a scale, ``weight``, and a shift, ``bias``.

    Raises:
        OptionError: If there is no channel, or the window is less than one sample.

    Shape:
        (B, C) or (B, C, ...), floating, of any B -> the same.

    Source: the course's notebook 07_batchnorm has the idea; the merging is Chan, Golub
    and LeVeque 1979, eq. 2.1.
    Book: ch. 17.
    """

    running_count: Tensor

    def __init__(
        self,
        n_channels: int,
        *,
        eps: float = 1e-5,
        window: int = 256,
        min_var: float = 0.01,
        affine: bool = True,
    ) -> None:
        super().__init__(n_channels, eps=eps, affine=affine)
        self.window, self.min_var = whole("window", window, 1), min_var
        self.register_buffer("running_count", torch.tensor(0.0))

    def _n_sharing(self, x: Tensor) -> int:
        return 2  # together with samples that came before

    def _centre(self, x: Tensor, pool: Callable[[Tensor], Tensor]) -> _Centred:
        batch_mean, centred, batch_var = _mean_and_var(x, pool)
        old_mean, old_var = (
            each[:, None].to(x.dtype) for each in (self.running_mean, self.running_var)
        )
        count = self.running_count * max(0.0, 1 - len(x) / self.window) + len(x)
        share = (len(x) / count).to(x.dtype)
        delta = batch_mean - old_mean
        mean = old_mean + share * delta
        var = old_var.lerp(batch_var, share) + share * (1 - share) * delta.square()
        self.running_mean.copy_(mean.view(-1))
        self.running_var.copy_(var.view(-1))
        self.running_count.copy_(count)
        self.num_batches_tracked += 1
        return _Centred(
            centred.add_(batch_mean - mean),
            (var.clamp_min(self.min_var) + self.eps).rsqrt(),
            lambda sums: share * pool(sums),  # this batch moves its share of them
            var > self.min_var,
        )

    def _var(self) -> Tensor:
        return self.running_var.clamp(self.min_var)


class GroupNorm(_Norm):
    """Group norm: groups of channels of each sample have mean 0 and variance 1.

    With one group it is layer norm over channels and positions, with as many groups as
    channels it is instance norm. Training and evaluation are the same.

    Args:
        n_groups: Into how many groups the channels are divided.
        n_channels: C, the size of the input's second dimension.
        eps: Added to the variance before its root is taken.
        affine: Whether each channel has a scale, ``weight``, and a shift, ``bias``.

    Raises:
        OptionError: If there is no channel, or the groups are not of one size.

    Shape:
        (B, C) or (B, C, ...), floating -> the same. A group has at least two numbers.

    Source: Wu and He 2018, "Group normalization", sec. 3.1.
    Book: ch. 16.
    """

    _remedy = "Use fewer groups, or a layer before it that leaves larger maps."

    def __init__(
        self, n_groups: int, n_channels: int, *, eps: float = 1e-5, affine: bool = True
    ) -> None:
        super().__init__(n_channels, eps=eps, affine=affine)
        self.n_groups = whole("n_groups", n_groups, 1)
        if self.n_channels % self.n_groups:
            near = math.gcd(self.n_channels, self.n_groups)
            raise OptionError(
                "The channels must divide into groups of one size.",
                f"{n_groups} groups for {n_channels} channels",
                f"Use n_groups={near}, say.",
            )

    def _pool(self, sums: Tensor, n_positions: int) -> Tensor:
        groups = sums.unflatten(1, (self.n_groups, -1))
        means: Tensor = groups.mean(2, keepdim=True) / n_positions
        return means.expand_as(groups).flatten(1, 2)

    def _n_sharing(self, x: Tensor) -> int:
        return self.n_channels // self.n_groups * math.prod(x.shape[2:])

    def extra_repr(self) -> str:
        """Return the arguments, as ``print(model)`` shows them."""
        return f"{self.n_groups}, {super().extra_repr()}"


class InstanceNorm(_Norm):
    """Instance norm: each channel of each sample has mean 0 and variance 1.

    It removes from an image the strength of each feature, its contrast say. Training
    and evaluation are the same.

    Args:
        n_channels: C, the size of the input's second dimension.
        eps: Added to the variance before its root is taken.
        affine: Whether each channel has a scale, ``weight``, and a shift, ``bias``.

    Raises:
        OptionError: If there is no channel.

    Shape:
        (B, C, ...), floating, of at least two positions -> the same.

    Source: Ulyanov et al. 2016, "Instance normalization", eq. 2.
    Book: ch. 16.
    """

    _remedy = "Use a layer before it that leaves larger maps, or GroupNorm."

    def _pool(self, sums: Tensor, n_positions: int) -> Tensor:
        return sums / n_positions

    def _n_sharing(self, x: Tensor) -> int:
        return math.prod(x.shape[2:])
