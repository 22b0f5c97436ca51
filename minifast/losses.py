"""Classification losses: cross-entropy, negative log-likelihood, log-softmax.

A model gives one number for each class, its logits; softmax turns them into
probabilities, and the loss of an item is -log of the probability of its class. Taken
literally that overflows at logits of 89 in float32, so everything here subtracts the
largest logit first, which changes no probability.

Classes are dimension 1 of (B, K) or (B, K, ...). What comes in half precision (float16,
bfloat16) is computed in, and returned as, float32.

Book: ch. 06.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import torch
from torch import Tensor

from minifast.errors import (
    DeviceError,
    DTypeError,
    OptionError,
    ShapeError,
    UnknownNameError,
    describe,
    named,
)

if TYPE_CHECKING:
    from collections.abc import Callable

Reduction: TypeAlias = Literal["mean", "sum", "none"]


def _at_least_float32(x: Tensor) -> Tensor:
    if x.dtype is torch.float32 or x.dtype is torch.float64:
        return x
    if not x.is_floating_point():
        must, fix = "Logits must be floating-point numbers.", "Use x.float()."
        raise DTypeError(must, describe(x), fix)
    return x.float()


def logsumexp(x: Tensor, dim: int = -1, *, keepdim: bool = False) -> Tensor:
    """Logsumexp: log(sum(exp(x))) along a dimension, also where exp(x) would overflow.

    With m the largest number, it is m + log(sum(exp(x - m))): nothing is raised to more
    than exp(0).

    Args:
        x: The numbers.
        dim: The dimension that is summed over.
        keepdim: Whether it stays, with size 1.

    Raises:
        DTypeError: If the numbers are not floating-point.

    Shape:
        x: any shape, floating-point -> that shape without ``dim``; at least float32.

    Example:
        >>> logsumexp(torch.tensor([100.0, 100.0]))
        tensor(100.6931)

    Book: ch. 06.
    """
    x = _at_least_float32(x)
    largest = x.detach().amax(dim, keepdim=True)
    # Infinity minus infinity is no number; unshifted, exp gives the right 0 or inf.
    largest = largest.masked_fill(largest.isinf(), 0)
    total = (x - largest).exp().sum(dim, keepdim=True).log() + largest
    return total if keepdim else total.squeeze(dim)


def log_softmax(x: Tensor, dim: int = -1) -> Tensor:
    """Log-softmax: the logarithms of the softmax probabilities, x - logsumexp(x).

    Args:
        x: The logits.
        dim: The dimension of the classes.

    Raises:
        DTypeError: If the logits are not floating-point.

    Shape:
        x: any shape, floating-point -> the same shape, at least float32.

    Book: ch. 06.
    """
    x = _at_least_float32(x)
    # Subtracted in two steps: beside a large m the digits of the logarithm get lost.
    shifted = x - x.detach().amax(dim, keepdim=True)
    return shifted - shifted.exp().sum(dim, keepdim=True).log()


def nll_loss(
    log_probs: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """Negative log-likelihood: minus the log-probability of each target.

    It is ``-log_probs[range(B), target]``, but indexing counts a target of -1 from the
    end and says nothing, while gather refuses it.

    Args:
        log_probs: The logarithms of the probabilities, as from :func:`log_softmax`.
        target: The index of the right class.
        weight: How much the items of each class count; each counts 1 if there is none.
        ignore_index: Items with this target count nothing.
        reduction: ``"mean"`` of all items that count, by weight; ``"sum"``; or
            ``"none"``.

    Raises:
        ShapeError, DTypeError, DeviceError: If target or weight do not fit
            ``log_probs``.
        OptionError: If a target is no class; on a GPU, torch stops the program later.
        UnknownNameError: If there is no such reduction.

    Shape:
        log_probs: (B, K) or (B, K, ...), floating-point; target: (B,) or (B, ...),
        int64; weight: (K,), floating-point -> () for ``"mean"`` and ``"sum"``, the
        shape of target for ``"none"``.

    Book: ch. 06.
    """
    log_probs = _at_least_float32(log_probs)
    _check_classes(log_probs, target)
    return _of_classes(_picked, log_probs, target, weight, reduction, ignore_index)


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """Cross-entropy: ``nll_loss(log_softmax(logits, 1), target)`` in one go.

    Its derivative is written by hand, and can be differentiated again; in torch.func,
    use the two functions instead.

    Args:
        logits: One number for each class, not normalised.
        target: The index of the right class, or a probability for each class; the
            probabilities of an item should sum to 1, which is not checked.
        weight: How much each class counts; each counts 1 if there is none.
        ignore_index: Items with this class index count nothing.
        reduction: ``"mean"`` of all items that count, class indices by their weight;
            ``"sum"``; or ``"none"``.

    Raises:
        ShapeError, DTypeError, DeviceError: If target or weight do not fit the logits.
        OptionError: If a target is no class; on a GPU, torch stops the program later.
        UnknownNameError: If there is no such reduction.

    Shape:
        logits: (B, K) or (B, K, ...), floating-point; target: (B,) or (B, ...), int64,
        or the shape of the logits, floating-point; weight: (K,), floating-point -> ()
        for ``"mean"`` and ``"sum"``, (B,) or (B, ...) for ``"none"``; at least float32.

    Example:
        >>> logits = torch.tensor([[0.0, 1000.0], [0.0, 0.0]])
        >>> cross_entropy(logits, torch.tensor([1, 0]), reduction="none")
        tensor([0.0000, 0.6931])

    Book: ch. 06.
    """
    logits = _at_least_float32(logits)
    if target.is_floating_point():
        return _of_probabilities(logits, target, weight, reduction)
    _check_classes(logits, target)
    if target.is_cpu and ignore_index not in range(logits.shape[1]):
        # The masks cost a quarter of the time that ten classes take. A CPU refuses what
        # is no class, so most batches do without them.
        with suppress(OptionError):
            return _of_classes(_cross_entropy, logits, target, weight, reduction)
    return _of_classes(_cross_entropy, logits, target, weight, reduction, ignore_index)


class _CrossEntropy(torch.autograd.Function):
    """The loss of each item; its derivative is the probabilities minus the target.

    Autograd would arrive there in twice the steps, each over a tensor of all logits.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor) -> Tensor:
        exps = logits - logits.amax(1, keepdim=True)
        if soft := target.is_floating_point():
            # A class that is ruled out gives 0 times minus infinity, which counts as
            # nothing here; any other nan comes back in through the sums.
            right = (target * exps).nansum(1, keepdim=True)
        else:
            right = exps.gather(1, target)
        sums = exps.exp_().sum(1, keepdim=True)
        logs = sums.log()
        if soft:
            total = target.sum(1, keepdim=True)
            logs, sums = logs * total, sums / total
        ctx.save_for_backward(logits, target, exps, sums)
        return logs.sub_(right)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        logits, target, exps, sums = ctx.saved_tensors
        soft, into_target = target.is_floating_point(), None
        if torch.is_grad_enabled():  # this derivative will be differentiated itself
            exps = log_softmax(logits, 1).exp()
            sums = 1 / target.sum(1, keepdim=True) if soft else 1
        if ctx.needs_input_grad[1]:
            into_target = -grad * log_softmax(logits, 1)
        into_logits = exps * (grad / sums)
        if soft:
            return into_logits.addcmul_(target, grad, value=-1), into_target
        return into_logits.scatter_add_(1, target, -grad), None


_Losses: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
_cross_entropy: _Losses = _CrossEntropy.apply


def _picked(log_probs: Tensor, target: Tensor) -> Tensor:
    return -log_probs.gather(1, target)


def _of_classes(
    losses_of: _Losses,
    scores: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: Reduction,
    ignore_index: int | None = None,
) -> Tensor:
    target, counts = target.unsqueeze(1), None
    if ignore_index is not None:
        counts = target != ignore_index
        target = target.where(counts, 0)
    try:
        losses = losses_of(scores, target)
    except RuntimeError as error:
        _explain(scores, target, error)
        raise
    if counts is not None:
        losses = losses.where(counts, 0)  # not times 0: it may be infinite
    if weight is not None:
        by_class = _checked_weight(scores, weight)[target]
        losses = losses * by_class
        counts = by_class if counts is None else by_class * counts
    return _reduce(losses, reduction, counts)


def _of_probabilities(
    logits: Tensor, target: Tensor, weight: Tensor | None, reduction: Reduction
) -> Tensor:
    _check_probabilities(logits, target)
    target = target.to(logits.dtype)
    if weight is not None:
        by_class = (-1, *[1] * (logits.ndim - 2))
        target = target * _checked_weight(logits, weight).view(by_class)
    return _reduce(_cross_entropy(logits, target), reduction)


def _check_probabilities(logits: Tensor, target: Tensor) -> None:
    if target.shape != logits.shape or logits.ndim < 2:
        must = "Probability targets must have the shape of the logits, (B, K, ...)."
        fix = "Class indices must be int64: target.long()."
        raise ShapeError(must, named(logits=logits, target=target), fix)
    _check_device(logits, target)


def _check_device(logits: Tensor, target: Tensor) -> None:
    if target.device != logits.device:
        must = "Logits and targets must be on one device."
        fix = "Use target.to(logits.device)."
        raise DeviceError(must, named(logits=logits, target=target), fix)


def _check_classes(logits: Tensor, target: Tensor) -> None:
    if target.dtype is not torch.int64:
        must = "Targets must be int64 class indices."
        raise DTypeError(
            must, named(logits=logits, target=target), "Use target.long()."
        )
    shape = logits.shape
    if len(shape) < 2 or target.shape != shape[:1] + shape[2:]:
        must = "Logits must be (B, K) and targets (B,), or (B, K, ...) and (B, ...)."
        fix = "Squeeze a last dimension of size 1: target.squeeze(-1)."
        raise ShapeError(must, named(logits=logits, target=target), fix)
    _check_device(logits, target)


def _checked_weight(scores: Tensor, weight: Tensor) -> Tensor:
    if getattr(weight, "shape", None) != scores.shape[1:2]:
        must = f"The weight must have {scores.shape[1]} numbers, one for each class."
        fix = "Give other options by name, as in reduction='sum'."
        raise ShapeError(must, describe(weight), fix)
    if weight.device != scores.device:
        must = "Logits and weights must be on one device."
        got = named(logits=scores, weight=weight)
        raise DeviceError(must, got, "Use weight.to(logits.device).")
    return weight.to(scores.dtype)


def _explain(logits: Tensor, target: Tensor, error: RuntimeError) -> None:
    # Targets may be looked at only here, after indexing has failed: it is a sync.
    n_classes = logits.shape[1]
    wrong = target[(target < 0) | (target >= n_classes)]
    if wrong.numel():
        must = f"With {n_classes} logits, class indices must be 0 to {n_classes - 1}."
        fix = "Give the last layer one output for each class, numbered from 0."
        raise OptionError(must, f"{wrong[0]} among the targets", fix) from error


def _reduce(
    losses: Tensor, reduction: Reduction, counts: Tensor | None = None
) -> Tensor:
    if reduction == "mean":
        return losses.mean() if counts is None else losses.sum() / counts.sum()
    if reduction == "sum":
        return losses.sum()
    if reduction == "none":
        return losses.squeeze(1)
    raise UnknownNameError.of("reduction", reduction, ["mean", "sum", "none"])
