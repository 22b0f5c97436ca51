"""Normalization layers: batch, layer, instance, group and running batch norm.

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
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from minifast.errors import OptionError, ShapeError, describe
from minifast.errors import whole_number as whole
from minifast.nn.normalizing import (
    Centred,
    NormalizeRows,
    mean_and_var,
    normalize,
    widened,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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
        # No operation here is one that autocast would do in less than float32.
        return self._normalized(flat).view(x.shape).to(x.dtype)

    def _normalized(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            centred = self._centre(x, partial(self._pool, n_positions=x.shape[2]))
        return normalize(x, *self._affine(x), centred)

    def _affine(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return scale and shift as they broadcast to a batch."""
        if self.weight is None:
            return x.new_ones(self.n_channels, 1), x.new_zeros(self.n_channels, 1)
        return self.weight[:, None], self.bias[:, None]

    def _centre(self, x: Tensor, pool: Callable[[Tensor], Tensor]) -> Centred:
        _, centred, var = mean_and_var(x, pool)
        return Centred(centred, (var + self.eps).rsqrt(), pool)

    def _pool(self, sums: Tensor, n_positions: int) -> Tensor:
        raise NotImplementedError

    def _n_sharing(self, x: Tensor) -> int:
        """Count the numbers that share a mean."""
        raise NotImplementedError

    def _check(self, x: Tensor) -> None:
        if x.ndim < 2 or x.shape[1] != self.n_channels:
            must = f"The input of the norm must be (B, {self.n_channels}, ...)."
            fix = "Make the layer for as many channels as come."
            raise ShapeError(must, describe(x), fix)
        if self._n_sharing(x) == 1:
            must = "A norm must have two numbers for a variance: that of one is zero."
            raise ShapeError(must, f"{describe(x)}, 1 for each mean", self._remedy)

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

    def _centre(self, x: Tensor, pool: Callable[[Tensor], Tensor]) -> Centred:
        mean, centred, var = mean_and_var(x, pool)
        n = len(x) * x.shape[2]
        self.num_batches_tracked += 1
        share: float | Tensor | None = self.momentum
        if share is None:
            share = 1 / self.num_batches_tracked.to(self.running_mean.dtype)
        unbiased = var * (n / (n - 1))
        for kept, new in ((self.running_mean, mean), (self.running_var, unbiased)):
            kept.lerp_(new.view_as(kept).to(kept.dtype), share)
        return Centred(centred, (var + self.eps).rsqrt(), pool)


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
        window: How many samples the statistics are about. Of 16 to 1,024, tried on
            held-out MNIST digits with batches of 2, 8 and 32, up to 64 did equally
            well; longer ones did worse, and failed at lower rates, as they remember
            what older weights gave. The shorter it is, the noisier are small maps.
        min_var: What the variance is taken for if it is smaller, so that a few samples
            that are alike don't make the next one enormous. From 0 to 0.1 it changed
            no accuracy there beyond the spread of three networks.
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
        window: int = 64,
        min_var: float = 0.01,
        affine: bool = True,
    ) -> None:
        super().__init__(n_channels, eps=eps, affine=affine)
        self.window, self.min_var = whole("window", window, 1), min_var
        self.register_buffer("running_count", torch.tensor(0.0))

    def _n_sharing(self, x: Tensor) -> int:
        return 2  # together with samples that came before

    def _centre(self, x: Tensor, pool: Callable[[Tensor], Tensor]) -> Centred:
        batch_mean, centred, batch_var = mean_and_var(x, pool)
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
        return Centred(
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
        ``(..., *shape)``, floating -> the same.

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
            ``(..., *shape)``, floating -> the same.
        """
        if x.shape[-len(self.shape) :] != self.shape:
            must = f"The input must be (..., {', '.join(map(str, self.shape))})."
            fix = "For images of any size there is GroupNorm(1, n_channels)."
            raise ShapeError(must, describe(x), fix)
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
        y: Tensor = NormalizeRows.apply(rows, weight, bias, z, rstd)  # type: ignore[no-untyped-call]
        return y

    def extra_repr(self) -> str:
        """Return the arguments, as ``print(model)`` shows them."""
        return f"{self.shape}, eps={self.eps}, affine={self.weight is not None}"
