"""Metrics that are means: each batch counts by its size.

Batches differ in size, at least the last one does, so the mean of their means is not
the mean over all items.

Book: ch. 08 and 11.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from minifast.errors import DTypeError, ShapeError, describe
from minifast.stats import widest_float

if TYPE_CHECKING:
    from collections.abc import Callable


def _both(logits: Tensor, target: Tensor) -> str:
    return f"logits: {describe(logits)}; target: {describe(target)}"


def accuracy(logits: Tensor, target: Tensor) -> Tensor:
    """Return the fraction of targets that get the largest of their logits.

    Raises:
        ShapeError: If target is not the shape of the logits without the classes.
        DTypeError: If targets are not integers.

    Shape:
        logits: (B, K) or (B, K, ...); target: (B,) or (B, ...), integer -> (), float32.

    Example:
        >>> logits = torch.tensor([[2.0, 1.0], [0.0, 3.0], [0.0, 1.0], [5.0, 4.0]])
        >>> accuracy(logits, torch.tensor([0, 1, 0, 0]))
        tensor(0.7500)

    Book: ch. 08.
    """
    if logits.ndim < 2 or target.shape != logits.shape[:1] + logits.shape[2:]:
        must = "Logits must be (B, K) and targets (B,), or (B, K, ...) and (B, ...)."
        fix = "Squeeze a last dimension of size 1: target.squeeze(-1)."
        raise ShapeError(must, _both(logits, target), fix)
    if target.is_floating_point():
        must, fix = "Targets must be integer class indices.", "Use target.long()."
        raise DTypeError(must, _both(logits, target), fix)
    return (logits.argmax(1) == target).float().mean()


class Metric(Protocol):
    """What is measured batch by batch and read once an epoch.

    ``update`` must not wait for the device: no ``item()``, no ``float()``, no ``if`` on
    a tensor.

    Attributes:
        name: What a table calls it.
    """

    name: str

    def reset(self) -> None:
        """Forget everything."""

    def update(self, pred: Tensor, target: Tensor) -> None:
        """Take in one batch.

        Shape:
            pred: (B, ...); target: (B, ...).
        """

    def value(self) -> float:
        """Return the result over all batches since ``reset``; waits for the device."""
        ...


class Mean:
    """The mean of values that stand for different numbers of items, such as losses.

    Attributes:
        count: How many items it stands for.

    Shape:
        Takes in (), gives out a Python float.

    Example:
        >>> mean = Mean()
        >>> mean.update(torch.tensor(0.5), 64)  # a batch of 64 with a mean loss of 0.5
        >>> mean.update(torch.tensor(1.0), 16)
        >>> mean.value()
        0.6
    """

    count: int
    _total: Tensor | None

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.count, self._total = 0, None

    def update(self, value: Tensor, count: int | Tensor) -> None:
        """Take in the mean of ``count`` items; an empty batch changes nothing.

        Raises:
            ShapeError: If it is more than one number.

        Shape:
            value: (), on any device.
        """
        if value.ndim:
            must = "A mean takes in one number at a time, of shape ()."
            raise ShapeError(must, describe(value), "Use value.mean().")
        if isinstance(count, int) and not count:
            return
        if self._total is None:
            self._total = torch.zeros_like(value, dtype=widest_float(value.device))
        if isinstance(count, int):
            self._total.add_(value.detach(), alpha=count)
        else:
            self._total.add_(torch.where(count > 0, value.detach() * count, 0))
        self.count = self.count + count

    def value(self) -> float:
        """Return the mean so far, or nan if there is none; waits for the device."""
        return float(self._total) / self.count if self._total is not None else math.nan


class Average:
    """The metric that averages a function over all targets, batch by batch.

    A batch counts by how many numbers its targets have: B for classes, B times T for
    texts. So ``func`` must be a mean over them, as :func:`accuracy` and the losses are.

    Args:
        func: From predictions and targets to their mean, of shape ().
        name: What a table calls it; the function's name if not given.

    Shape:
        func: such as (B, K), (B,) -> ().

    Example:
        >>> metric = Average(accuracy)
        >>> metric.update(torch.tensor([[0.0, 1.0]] * 4), torch.tensor([1, 1, 0, 0]))
        >>> metric.update(torch.tensor([[0.0, 1.0]]), torch.tensor([1]))
        >>> metric.value()
        0.6

    Book: ch. 08, "The right mean".
    """

    def __init__(
        self, func: Callable[[Tensor, Tensor], Tensor], name: str | None = None
    ) -> None:
        self.func = func
        self.name = name or getattr(func, "__name__", type(func).__name__)
        self._mean = Mean()

    def __repr__(self) -> str:
        return f"Average({self.name})"

    def reset(self) -> None:
        """Forget everything."""
        self._mean.reset()

    @torch.no_grad()
    def update(
        self, pred: Tensor, target: Tensor, count: int | Tensor | None = None
    ) -> None:
        """Take in one batch.

        Shape:
            pred and target: as ``func`` takes them.
        """
        self._mean.update(
            self.func(pred, target), target.numel() if count is None else count
        )

    def value(self) -> float:
        """Return the mean over all targets, or nan; waits for the device."""
        return self._mean.value()
