"""Metrics that are means over batches: each batch counts by its size.

Batches differ in size, at least the last one does, so the mean of their means is not
the mean over all items.

Book: ch. 08, "The right mean"; ch. 11, "Counting without waiting".
"""

from __future__ import annotations

import math
from functools import partial
from types import BuiltinFunctionType, FunctionType
from typing import TYPE_CHECKING, Any, Protocol, SupportsFloat

import torch
from torch import Tensor

from minifast.errors import (
    DTypeError,
    OptionError,
    ShapeError,
    describe,
    named,
    whole_number,
)
from minifast.stats import widest_float

if TYPE_CHECKING:
    from collections.abc import Callable

FUNCTIONS = (FunctionType, BuiltinFunctionType)
AT_ONCE = 64  # how many values with counts on the device are added in one go


def number_if_ready(value: Any) -> Any:
    """Return a number as Python's, if asking for it stops nobody.

    On the CPU a result is there at once, and Python adds numbers up in a fraction of
    the time that small tensors take. On any other device, asking for it would make the
    program wait until all that has been queued there is done: so there it stays.

    Args:
        value: A number, or a tensor with one.

    Shape:
        value: () -> a float or an int; or () in float64 on its device.
    """
    if not isinstance(value, Tensor):
        return value.item() if hasattr(value, "item") else value
    if value.is_cpu:
        return value.detach().item()
    return value.detach() if value.dtype.is_floating_point else value


def accuracy(logits: Tensor, target: Tensor, ignore_index: int = -100) -> Tensor:
    """Return the accuracy: the fraction of targets that get the largest logit.

    Args:
        logits: A number for each class.
        target: The index of the right class.
        ignore_index: The target that does not count, neither as right nor in the
            number that is divided by; the one that torch's losses ignore.

    Raises:
        ShapeError: If target is not the shape of the logits without the classes, or
            there is only one class.
        DTypeError: If targets are not integers.

    Shape:
        logits: (B, K) or (B, K, ...); target: (B,) or (B, ...), integer -> (), float32;
        nan if all targets are ignored.

    Example:
        >>> logits = torch.tensor([[2.0, 1.0], [0.0, 3.0], [0.0, 1.0], [5.0, 4.0]])
        >>> accuracy(logits, torch.tensor([0, 1, 0, 0]))
        tensor(0.7500)
        >>> accuracy(logits, torch.tensor([0, 1, 0, -100]))
        tensor(0.6667)

    Book: ch. 11, "Counting without waiting".
    """
    if logits.ndim < 2 or target.shape != logits.shape[:1] + logits.shape[2:]:
        must = "Logits must be (B, K) and targets (B,), or (B, K, ...) and (B, ...)."
        raise _misfit(must, logits, target)
    if logits.shape[1] < 2:
        must = "There must be a logit for each class, so two at least."
        raise _misfit(must, logits, target)
    if target.is_floating_point():
        must, fix = "Targets must be integer class indices.", "Use target.long()."
        raise DTypeError(must, named(logits=logits, target=target), fix)
    target = target.long()  # a comparison of bytes would take 156 for -100
    right = logits.argmax(1) == target
    if ignore_index >= 0:  # else no index of a class is equal to it anyway
        right &= target != ignore_index
    n_right, n = number_if_ready(right.count_nonzero()), n_kept(target, ignore_index)
    if isinstance(n_right, Tensor):
        return n_right / n
    fraction = n_right / n if n else math.nan  # Python divides in a tenth of the time
    return torch.scalar_tensor(fraction, device=target.device)


def n_kept(target: Tensor, ignore_index: int) -> int | Tensor:
    """Return how many targets are not ``ignore_index``, waiting for no device.

    Shape:
        target: (...), integer -> an int, or () where only the device knows.
    """
    may_be_ignored = ignore_index >= 0 or not target.is_cpu or not target.numel()
    if not may_be_ignored and target.min().item() >= 0:  # the quickest way to know
        return target.numel()
    n: int | Tensor = number_if_ready((target != ignore_index).count_nonzero())
    return n


def _misfit(must: str, logits: Tensor, target: Tensor) -> ShapeError:
    got = named(logits=logits, target=target)
    return ShapeError(must, got, _cure(logits, target))


def _cure(logits: Tensor, target: Tensor) -> str:
    """Return what to do about shapes that do not fit."""
    if logits.ndim < 2 or logits.shape[1] == 1:
        return "Measure ((logits > 0) == target).float().mean(), or use two logits."
    if target.shape == logits.shape:
        return "Turn a probability for each class into an index: target.argmax(1)."
    if target.shape == logits.shape[:-1]:
        return "Move the classes to dimension 1: logits.movedim(-1, 1)."
    if target.shape == (*logits.shape[:1], *logits.shape[2:], 1):
        return "Squeeze a last dimension of size 1: target.squeeze(-1)."
    return "Check that both come from the same batch."


class Metric(Protocol):
    """Protocol of a metric: updated batch by batch, and read once an epoch.

    ``update`` must not wait for the device: no ``item()``, no ``float()``, no ``if`` on
    a tensor.

    A metric that can be shared out over processes also has ``merge(other)``, as
    ``Average`` has. It is no part of the protocol: a Learner never calls it, and not
    every metric has one that is exact (a median has not).

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
    """Weighted mean of values that stand for different numbers of items, as losses do.

    Tensors are added up on their device, and numbers in Python; neither waits.

    Shape:
        Takes in (), gives out a Python float.

    Example:
        >>> mean = Mean()
        >>> mean.update(torch.tensor(0.5), 64)  # a batch of 64 with a mean loss of 0.5
        >>> mean.update(torch.tensor(1.0), 16)
        >>> mean.value()
        0.6
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._total: Tensor | float = 0.0
        self._count: Tensor | int | float = 0
        self._waiting: list[tuple[Tensor, Tensor]] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been taken in yet; does not wait for the device."""
        counted = isinstance(self._count, Tensor) or self._count > 0
        return not counted and not self._waiting

    @property
    def count(self) -> int | float:
        """How many items it stands for; waits for the device if a tensor said so."""
        self._add_waiting()
        return self._count.item() if isinstance(self._count, Tensor) else self._count

    def update(self, value: Tensor | SupportsFloat, count: int | Tensor) -> None:
        """Take in the mean of ``count`` items; a count of 0 changes nothing.

        Args:
            value: The mean, in a tensor or as a number.
            count: How many items; in a tensor where only the device knows, such as the
                number of targets that are not ignored, or the sum of their weights.

        Raises:
            ShapeError: If one of them is more than one number.
            DTypeError: If the value is no number.
            OptionError: If the count is no whole number, or negative.

        Shape:
            value: (), on any device; count: (), on the same.
        """
        if getattr(value, "ndim", 0) or getattr(count, "ndim", 0):
            raise _too_many(value if getattr(value, "ndim", 0) else count)
        if not hasattr(value, "__float__"):
            must = "A mean takes in tensors of shape () and numbers."
            raise DTypeError(must, describe(value), "Compute a mean with torch.")
        number = number_if_ready(value)
        if isinstance(count, Tensor):
            count = number_if_ready(count)
        else:
            count = whole_number("count", count, 0)
        if isinstance(count, Tensor):
            self._wait_with(number, count)
        elif count:
            self._add(number, count)

    def _add(self, value: Tensor | float, count: float) -> None:
        self._count += count
        if not isinstance(value, Tensor):
            self._total = self._total + value * count
            return
        if not isinstance(self._total, Tensor):
            dtype = widest_float(value.device)
            self._total = torch.full_like(value, self._total, dtype=dtype)
        self._total.add_(value, alpha=count)

    def _wait_with(self, value: Tensor | float, count: Tensor) -> None:
        """Keep what only the device knows, to be added with many others."""
        value = torch.as_tensor(value, device=count.device)
        self._waiting.append((value.detach().clone(), count.clone()))
        if len(self._waiting) == AT_ONCE:
            self._add_waiting()

    def _add_waiting(self) -> None:
        """Add what waits, in few calls: one by one, each would take half a dozen."""
        if not self._waiting:
            return
        values, counts = map(torch.stack, zip(*self._waiting, strict=True))
        self._waiting = []
        sums = values.to(widest_float(values.device)) * counts
        # Nothing has no mean, so what is nan for a count of 0 counts as 0.
        self._total = self._total + sums.masked_fill(counts == 0, 0.0).sum()
        self._count = self._count + counts.sum()

    def merge(self, other: Mean) -> None:
        """Add all that another one has seen, for instance in another process."""
        self._add_waiting()
        other._add_waiting()
        self._total = self._total + _like(other._total, self._total)
        self._count = self._count + _like(other._count, self._count)

    def value(self) -> float:
        """Return the mean so far, or nan if there is none; waits for the device."""
        self._add_waiting()
        return math.nan if self.is_empty else float(self._total / self._count)


def _too_many(value: Any) -> ShapeError:
    must = "A mean takes in one number at a time, of shape ()."
    return ShapeError(must, describe(value), "Use value.mean().")


def _like(other: Any, mine: Any) -> Any:
    """Return what another mean has added up, on the device of one's own sum."""
    both = isinstance(other, Tensor) and isinstance(mine, Tensor)
    return other.to(mine.device) if both else other


class Average:
    """Metric that averages a function over all targets, batch by batch.

    A batch counts by how many numbers its targets have: B for classes, B times T for
    texts. So ``func`` must be a mean over them, as :func:`accuracy` and the losses are.
    Where it ignores some of them, say how many it does not: ``count``.

    Args:
        func: From predictions and targets to their mean, in a tensor of shape () or as
            a number.
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
        self,
        func: Callable[[Any, Any], Tensor | SupportsFloat],
        name: str | None = None,
    ) -> None:
        self.func = func
        self.name = name or getattr(func, "__name__", type(func).__name__)
        self._mean = Mean()

    def __repr__(self) -> str:
        return f"Average({self.name})"

    def reset(self) -> None:
        """Forget everything."""
        self._mean.reset()

    def update(self, pred: Any, target: Any, count: int | Tensor | None = None) -> None:
        """Take in one batch.

        Args:
            pred: What ``func`` takes first.
            target: What it takes second; tensors may be nested in it.
            count: How many targets the mean of this batch is over, such as
                ``(target != -100).sum()``; if not given, how many numbers the first
                tensor in ``target`` has.

        Raises:
            DTypeError: If no count is given, and there is no tensor in ``target``.

        Shape:
            pred and target: as ``func`` takes them; count: ().
        """
        if count is None:
            count = _n_targets(target)
        if isinstance(pred, Tensor):  # takes less time than leaving autograd out
            value = self.func(pred.detach(), target)
        else:
            with torch.no_grad():
                value = self.func(pred, target)
        self._mean.update(value, count)

    def merge(self, other: Average) -> None:
        """Add all that another one has seen, for instance in another process.

        Raises:
            OptionError: If it averages another function.
        """
        if _origin(self.func) != _origin(other.func):
            must, fix = "Both must average the same function.", "Merge like with like."
            raise OptionError(must, f"{self.func!r} and {other.func!r}", fix)
        self._mean.merge(other._mean)

    def value(self) -> float:
        """Return the mean over all targets, or nan; waits for the device."""
        return self._mean.value()


def _n_targets(target: Any) -> int:
    """Return how many numbers the first tensor has that is found in the targets."""
    found = _first_tensor(target)
    if found is None:
        must = "There must be a tensor in the targets, or a count of them."
        raise DTypeError(must, describe(target), "Write update(pred, target, count).")
    return found.numel()


def _first_tensor(value: Any) -> Tensor | None:
    if isinstance(value, Tensor):
        return value
    parts = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list | tuple):
        return None
    tensors = (_first_tensor(part) for part in parts)
    return next((tensor for tensor in tensors if tensor is not None), None)


def _origin(func: Any) -> Any:
    """Return what the copies of a callable share, whichever process they come from."""
    if isinstance(func, partial):
        return _origin(func.func), repr(func.args), repr(func.keywords)
    return func if isinstance(func, FUNCTIONS) else type(func)
