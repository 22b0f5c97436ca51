"""Cross-entropy: how surprised a classifier is by the right answer.

A model gives one number for each class, its logits; softmax turns them into
probabilities, and the loss of an item is -log of the probability of its class. Taken
literally that overflows at logits of 89 in float32, so everything here subtracts the
largest logit first, which changes no probability.

Classes are dimension 1 of (B, K) or (B, K, ...). What comes in half precision (float16,
bfloat16) is computed in, and returned as, float32.

Book: ch. 06.
"""

from __future__ import annotations

import math
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
    """Return log(sum(exp(x))) along a dimension, also where exp(x) would overflow.

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
    """Return the logarithms of the softmax probabilities, x - logsumexp(x).

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


def nll(log_probs: Tensor, target: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Return the negative log-likelihood: minus the log-probability of each target.

    It is ``-log_probs[range(B), target]``, but indexing counts a target of -1 from the
    end and says nothing, while gather refuses it.

    Args:
        log_probs: The logarithms of the probabilities, as from :func:`log_softmax`.
        target: The index of the right class.
        reduction: ``"mean"`` or ``"sum"`` over all targets, or ``"none"``.

    Raises:
        ShapeError, DTypeError, DeviceError: If target does not fit ``log_probs``.
        OptionError: If a target is no class; on a GPU, torch stops the program later.
        UnknownNameError: If there is no such reduction.

    Shape:
        log_probs: (B, K) or (B, K, ...), floating-point; target: (B,) or (B, ...),
        int64 -> () for ``"mean"`` and ``"sum"``, the shape of target for ``"none"``.

    Book: ch. 06.
    """
    log_probs = _at_least_float32(log_probs)
    _check_classes(log_probs, target)
    try:
        losses = -log_probs.gather(1, target.unsqueeze(1))
    except RuntimeError as error:
        _explain(log_probs, target, error)
        raise
    return _reduce(losses, reduction)


def cross_entropy(
    logits: Tensor, target: Tensor, reduction: Reduction = "mean"
) -> Tensor:
    """Return ``nll(log_softmax(logits, 1), target)``, with a derivative made by hand.

    It can be differentiated twice; in torch.func, use the two functions instead.

    Args:
        logits: One number for each class, not normalised.
        target: The index of the right class, or a probability for each class; the
            probabilities of an item should sum to 1, which is not checked.
        reduction: ``"mean"`` or ``"sum"`` over all items, or ``"none"``.

    Raises:
        ShapeError, DTypeError, DeviceError: If target does not fit the logits.
        OptionError: If a target is no class; on a GPU, torch stops the program later.
        UnknownNameError: If there is no such reduction.

    Shape:
        logits: (B, K) or (B, K, ...), floating-point; target: (B,) or (B, ...), int64,
        or the shape of the logits, floating-point -> () for ``"mean"`` and ``"sum"``,
        (B,) or (B, ...) for ``"none"``; at least float32.

    Example:
        >>> logits = torch.tensor([[0.0, 1000.0], [0.0, 0.0]])
        >>> cross_entropy(logits, torch.tensor([1, 0]), reduction="none")
        tensor([0.0000, 0.6931])

    Book: ch. 06.
    """
    logits = _at_least_float32(logits)
    if target.is_floating_point():
        _check_probabilities(logits, target)
        target = target.to(logits.dtype)
        if target.requires_grad:
            return _reduce(_by_definition(logits, target), reduction)
        return _cross_entropy(logits, target, reduction)
    _check_classes(logits, target)
    try:
        return _cross_entropy(logits, target.unsqueeze(1), reduction)
    except RuntimeError as error:
        _explain(logits, target, error)
        raise


def _by_definition(logits: Tensor, target: Tensor) -> Tensor:
    log_probs = log_softmax(logits, 1)
    if not target.is_floating_point():
        return -log_probs.gather(1, target)
    # Zero times minus infinity: a class that is ruled out, and is not the target.
    ruled_out = log_probs.isneginf() & (target == 0)
    return -(target * log_probs.masked_fill(ruled_out, 0)).sum(1, keepdim=True)


class _CrossEntropy(torch.autograd.Function):
    """The losses of ``_by_definition``, reduced, with a derivative made by hand.

    With exps = exp(logits - max), the derivative of a loss is softmax - target, or
    (exps - sums * target) / sums; ``forward`` makes that bracket, in place.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor, how: Reduction) -> Tensor:
        shifted = logits - logits.amax(1, keepdim=True)
        parts = _soft_parts if target.is_floating_point() else _class_parts
        losses, bracket, sums = parts(shifted, target)
        if how == "mean":
            _scale_(sums, losses.numel())
        ctx.how = how
        ctx.save_for_backward(logits, target, bracket, sums)
        return _reduce(losses, how)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        logits, target, bracket, sums = ctx.saved_tensors
        if torch.is_grad_enabled():  # somebody will differentiate this derivative
            loss = _reduce(_by_definition(logits, target), ctx.how)
            (into,) = torch.autograd.grad(loss, logits, grad, create_graph=True)
            return into, None, None
        if ctx.how == "none":
            grad = grad.unsqueeze(1)
        return bracket * (grad / sums), None, None


_cross_entropy: Callable[[Tensor, Tensor, Reduction], Tensor] = _CrossEntropy.apply


def _class_parts(shifted: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    right = shifted.gather(1, target)
    exps = _exp_(shifted)
    sums = exps.sum(1, keepdim=True)
    losses = sums.log().sub_(right)
    return losses, exps.scatter_add_(1, target, -sums), sums


def _soft_parts(shifted: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # A class that is ruled out gives 0 times minus infinity, which counts as nothing
    # here; any other nan comes back in through the sums.
    right = (target * shifted).nansum(1, keepdim=True)
    exps = _exp_(shifted)
    sums, total = exps.sum(1, keepdim=True), target.sum(1, keepdim=True)
    losses = sums.log().mul_(total).sub_(right)
    return losses, exps.mul_(total).addcmul_(sums, target, value=-1), sums


def _exp_(x: Tensor) -> Tensor:
    # As 2^(x log2(e)): on some CPUs torch's exp2 is four times faster than its exp.
    return _scale_(x, math.log2(math.e)).exp2_()


def _scale_(x: Tensor, factor: float) -> Tensor:
    # x *= factor would first make a tensor of the factor, half of the cost if x is
    # small; add_ takes a number as it is, and x + x (factor - 1) is the same.
    return x.add_(x, alpha=factor - 1)


def _check_probabilities(logits: Tensor, target: Tensor) -> None:
    if target.shape != logits.shape or logits.ndim < 2:
        must = "Probability targets must have the shape of the logits, (B, K, ...)."
        fix = "Class indices must be int64: target.long()."
        raise ShapeError(must, _both(logits, target), fix)
    _check_device(logits, target)


def _check_device(logits: Tensor, target: Tensor) -> None:
    if target.device != logits.device:
        must = "Logits and targets must be on one device."
        fix = "Use target.to(logits.device)."
        raise DeviceError(must, _both(logits, target), fix)


def _check_classes(logits: Tensor, target: Tensor) -> None:
    if target.dtype is not torch.int64:
        must = "Targets must be int64 class indices."
        raise DTypeError(must, _both(logits, target), "Use target.long().")
    shape = logits.shape
    if len(shape) < 2 or target.shape != shape[:1] + shape[2:]:
        must = "Logits must be (B, K) and targets (B,), or (B, K, ...) and (B, ...)."
        fix = "Squeeze a last dimension of size 1: target.squeeze(-1)."
        raise ShapeError(must, _both(logits, target), fix)
    _check_device(logits, target)


def _explain(logits: Tensor, target: Tensor, error: RuntimeError) -> None:
    # Targets may be looked at only here, after indexing has failed: it is a sync.
    n_classes = logits.shape[1]
    wrong = target[(target < 0) | (target >= n_classes)]
    if wrong.numel():
        must = f"With {n_classes} logits, class indices must be 0 to {n_classes - 1}."
        fix = "Give the last layer one output for each class, numbered from 0."
        raise OptionError(must, f"{wrong[0]} among the targets", fix) from error


def _both(logits: Tensor, target: Tensor) -> str:
    return f"logits: {describe(logits)}; target: {describe(target)}"


def _reduce(losses: Tensor, reduction: Reduction) -> Tensor:
    if reduction == "mean":
        return losses.mean()
    if reduction == "sum":
        return losses.sum()
    if reduction == "none":
        return losses.squeeze(1)
    raise UnknownNameError.of("reduction", reduction, ["mean", "sum", "none"])
