"""Running statistics: mean and variance in one pass, without losing digits.

Book: ch. 10, "The package".
"""

from __future__ import annotations

import torch
from torch import Tensor

from minifast.errors import OptionError, ShapeError, describe


class RunningStats:
    """Running count, mean and variance of numbers that come in batches.

    The textbook's shortcut, the mean of squares minus the square of the mean, subtracts
    two large numbers and may lose every digit. Here each batch is described by its mean
    and its sum of squared deviations, and two such descriptions merge into one.

    Args:
        dim: The dimensions to summarise; all if not given. ``dim=0`` of (B, D) leaves
            one result for each feature, ``dim=(0, 2, 3)`` of (B, C, H, W) for each
            channel.

    Attributes:
        count: How many numbers stand behind each result.

    Shape:
        Batches of any shape -> results of that shape without ``dim``, float64.

    Example:
        >>> stats = RunningStats()
        >>> for batch in torch.tensor([1.0, 2.0, 3.0, 4.0]).split(3):
        ...     stats.update(batch)
        >>> stats.count, stats.mean.item(), stats.var(correction=0).item()
        (4, 2.5, 1.25)

    Source: Welford 1962, "Note on a method for calculating corrected sums of squares
    and products"; Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise
    algorithm for computing sample variances", eq. 2.1.
    Book: ch. 10, "The package".
    """

    count: int
    _mean: Tensor | None
    _deviation: Tensor | None

    def __init__(self, dim: int | tuple[int, ...] | None = None) -> None:
        self.dim = dim
        self.reset()

    def __repr__(self) -> str:
        return f"RunningStats(dim={self.dim}, count={self.count:,})"

    def reset(self) -> None:
        """Forget everything."""
        self.count, self._mean, self._deviation = 0, None, None

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        """Take in one batch; does not wait for the device.

        Raises:
            ShapeError: If the results of this batch differ in shape from those before.

        Shape:
            x: any shape that has the dimensions ``dim``, of any real dtype.
        """
        if not x.numel():
            return
        x = x.to(widest_float(x.device))
        var, mean = torch.var_mean(x, self.dim, correction=0)
        count = x.numel() // mean.numel()
        self._merge(count, mean, var * count)

    @torch.no_grad()
    def merge(self, other: RunningStats) -> None:
        """Add all that another one has seen, for instance in another process.

        Raises:
            OptionError: If the two summarise different dimensions.
            ShapeError: If their results differ in shape.
        """
        if self.dim != other.dim:
            must, fix = "Both must summarise the same dimensions.", "Use one dim."
            raise OptionError(must, f"dim={self.dim} and dim={other.dim}", fix)
        if other._mean is not None and other._deviation is not None:
            self._merge(other.count, other._mean, other._deviation)

    def _merge(self, count: int, mean: Tensor, deviation: Tensor) -> None:
        if self._mean is None or self._deviation is None:
            self.count, self._mean, self._deviation = count, mean, deviation
            return
        if mean.shape != self._mean.shape:
            must = f"Every batch must leave results of shape {tuple(self._mean.shape)}."
            fix = "Use one object for each kind of data, or reset()."
            raise ShapeError(must, describe(mean), fix)
        total, device = self.count + count, self._mean.device
        mean, deviation = mean.to(device), deviation.to(device)
        delta = mean - self._mean
        self._mean = self._mean + delta * (count / total)
        shift = delta.square() * (self.count * count / total)
        self._deviation = self._deviation + deviation + shift
        self.count = total

    @property
    def mean(self) -> Tensor:
        """The mean, float64 (float32 on devices that have no float64).

        Shape:
            -> that of the batches without ``dim``.
        """
        return self._results()[0]

    def var(self, correction: int = 1) -> Tensor:
        """Return the variance: squared deviations by ``count - correction``.

        Args:
            correction: 1 to estimate that of what the numbers are a sample of, 0 if
                they are all there is.

        Shape:
            -> that of the batches without ``dim``; nan if ``count - correction`` is 0.
        """
        return self._results()[1] / max(self.count - correction, 0)

    def std(self, correction: int = 1) -> Tensor:
        """Return the standard deviation, the root of :meth:`var`.

        Shape:
            -> that of the batches without ``dim``.
        """
        return self.var(correction).sqrt()

    def _results(self) -> tuple[Tensor, Tensor]:
        if self._mean is None or self._deviation is None:
            must = "Statistics need at least one number."
            raise OptionError(must, repr(self), "Call update(x) first.")
        return self._mean, self._deviation


def widest_float(device: torch.device) -> torch.dtype:
    """Return float64, or float32 on Apple's GPUs, which have nothing wider.

    Ten thousand small numbers added to a large float32 are mostly rounded away.
    """
    return torch.float32 if device.type == "mps" else torch.float64
