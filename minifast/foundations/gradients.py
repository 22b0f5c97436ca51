"""Numerical gradients by finite differences, and a check of other gradients by them.

Move one input number up and down by a small eps and see how much the result moves. It
takes two runs for each number, so it is for checking, on small inputs.

Book: ch. 03, "Two judges".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from minifast.errors import DTypeError, GradientError, ShapeError, describe, named
from minifast.foundations.autograd import Var

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor


def finite_difference(
    fn: Callable[[Tensor], Any], x: Tensor, eps: float = 1e-6
) -> Tensor:
    """Return the gradient of ``fn`` at ``x`` by central differences.

    (fn(x + eps) - fn(x - eps)) / (2 eps) misses the derivative by a multiple of eps^2,
    and by rounding, about 1e-16 / eps times the size of the result. At the default eps
    both are far below 1e-8 for numbers around 1.

    Args:
        fn: From a tensor like ``x`` to one number: a tensor, a Var or a float.
        x: Where; it stays as it is.
        eps: The step.

    Raises:
        DTypeError: if ``x`` is not float64. In float32 a result around 1 moves in steps
            of 1e-7; divided by 2 eps, that is an error of several percent.
        ShapeError: if ``fn`` returns more than one number.

    Shape:
        x: any shape, float64 -> the same shape, float64.

    Example:
        >>> x = torch.tensor([1.0, 3.0], dtype=torch.float64)
        >>> finite_difference(lambda x: (x**2).sum(), x).round(decimals=6)
        tensor([2., 6.], dtype=torch.float64)
    """
    _check_float64("x", x)
    moved = x.detach().clone(memory_format=torch.contiguous_format)
    numbers = moved.view(-1)
    grad = torch.zeros_like(numbers)
    for i, number in enumerate(numbers.tolist()):
        numbers[i] = number + eps
        up = _number(fn(moved))
        numbers[i] = number - eps
        down = _number(fn(moved))
        numbers[i] = number
        grad[i] = (up - down) / (2 * eps)
    return grad.view_as(moved)


def gradcheck(
    fn: Callable[..., Any],
    *inputs: Tensor,
    grads: Sequence[Tensor] | None = None,
    eps: float = 1e-6,
    rtol: float = 1e-5,
    atol: float = 1e-7,
) -> float:
    """Check gradients against finite differences, and return the largest difference.

    Without ``grads``, ``fn`` gets each input as a Var, and the tape's gradients are
    checked. With ``grads``, such as what a hand-written ``backward`` computed, ``fn``
    gets plain tensors and those are checked.

    Keep inputs away from kinks, such as 0 for ReLU: a difference across one is no
    derivative of either side.

    Args:
        fn: From the inputs to one number.
        inputs: Where to check.
        grads: One gradient for each input, if the tape is not what is checked.
        eps: The step of the finite differences.
        rtol: How far a gradient may be off, as a part of its size.
        atol: How far it may be off besides.

    Raises:
        GradientError: for the first input whose gradient differs; with the worst place.
        DTypeError: if an input is not float64; see :func:`finite_difference`.
        ShapeError: if a gradient has not the shape of its input.

    Shape:
        inputs: any shapes, float64; grads: the same shapes -> one float.

    Example:
        >>> a = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
        >>> gradcheck(lambda a: (a.exp() * a).sum(), a) < 1e-7
        True

    Book: ch. 03, "A tape".
    """
    for i, x in enumerate(inputs):
        _check_float64(f"Input {i}", x)
    if grads is None:
        grads = _tape_gradients(fn, inputs)
        fn = _on_vars(fn)
    if len(grads) != len(inputs):
        must, fix = "There must be one gradient for each input.", "Pass all of them."
        raise ShapeError(must, f"{len(grads)} for {len(inputs)} inputs", fix)
    worst = 0.0
    for i, (x, grad) in enumerate(zip(inputs, grads, strict=True)):
        numeric = finite_difference(_along(fn, inputs, i), x, eps)
        worst = max(worst, _compare(i, grad, numeric, rtol, atol))
    return worst


def _on_vars(fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *inputs: fn(*map(Var, inputs))


def _along(
    fn: Callable[..., Any], inputs: Sequence[Tensor], i: int
) -> Callable[[Tensor], Any]:
    """Return ``fn`` as a function of input ``i`` alone."""
    return lambda x: fn(*inputs[:i], x, *inputs[i + 1 :])


def _tape_gradients(fn: Callable[..., Any], inputs: Sequence[Tensor]) -> list[Tensor]:
    leaves = [Var(x) for x in inputs]
    result = fn(*leaves)
    if not isinstance(result, Var):
        must = "Without grads, fn must return a Var, so that the tape can be checked."
        raise DTypeError(must, describe(result), "Pass grads=... to check others.")
    result.backward()
    # An input that fn does not use has the gradient zero.
    return [torch.zeros_like(v.value) if v.grad is None else v.grad for v in leaves]


def _compare(i: int, grad: Tensor, numeric: Tensor, rtol: float, atol: float) -> float:
    if grad.shape != numeric.shape:
        must = f"The gradient of input {i} must have the input's shape."
        got = named(grad=grad, input=numeric)
        raise ShapeError(must, got, "Return each gradient in the order of the inputs.")
    if grad.numel() == 0:
        return 0.0
    difference = (grad - numeric).abs()
    excess = difference - (atol + rtol * numeric.abs())
    # A NaN on either side is the worst there is: nothing else may hide it.
    worst = excess.nan_to_num(nan=torch.inf, posinf=torch.inf).argmax()
    if not excess.flatten()[worst] <= 0:
        index = [int(k) for k in torch.unravel_index(worst, grad.shape)]
        by_hand, by_steps = grad.flatten()[worst], numeric.flatten()[worst]
        raise GradientError(
            f"The gradient of input {i} must match the finite differences.",
            f"at {index}: {by_hand:.6g}, but finite differences say {by_steps:.6g}",
            "Check the derivative there; also that no input sits on a kink of fn.",
        )
    return float(difference.max())


def _check_float64(name: str, x: Tensor) -> None:
    if not isinstance(x, torch.Tensor) or x.dtype != torch.float64:
        must = f"{name} must be float64: in float32 the steps drown in rounding."
        raise DTypeError(must, describe(x), "Use x.double(), and float64 in fn too.")


def _number(result: Any) -> float:
    value = result.value if isinstance(result, Var) else result
    if isinstance(value, torch.Tensor) and value.numel() != 1:
        must, fix = "fn must return one number.", "Add its numbers up with .sum()."
        raise ShapeError(must, describe(value), fix)
    return float(value)
