"""The layers of a small network, and its loss, each with its derivative by hand.

Book: ch. 03, "Layers that know their own derivative".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from minifast.errors import DeviceError, DTypeError, OptionError, ShapeError, describe
from minifast.foundations.grad.module import Module, add_grad

if TYPE_CHECKING:
    from torch import Tensor


def _named(**tensors: Tensor) -> str:
    return "; ".join(f"{name}: {describe(x)}" for name, x in tensors.items())


def _check_input(x: Tensor, weight: Tensor) -> None:
    if x.ndim != 2 or x.shape[1] != weight.shape[1]:
        must = f"The input of this Linear must be (B, {weight.shape[1]})."
        fix = "Make each item one row: x.reshape(len(x), -1)."
        raise ShapeError(must, _named(x=x, weight=weight), fix)
    if x.dtype != weight.dtype:
        must = "The input of a Linear must have the dtype of its weights."
        fix = "Use x.to(layer.weight.dtype)."
        raise DTypeError(must, _named(x=x, weight=weight), fix)
    if x.device != weight.device:
        must = "The input of a Linear must be on the device of its weights."
        fix = "Use x.to(layer.weight.device)."
        raise DeviceError(must, _named(x=x, weight=weight), fix)


class Linear(Module):
    """A linear layer, y = x W^T + b, with weights (out, in) as torch keeps them.

    Args:
        in_features: Numbers in a row of the input.
        out_features: Numbers in a row of the output.
        input_grad: Whether ``backward`` computes the gradient of the input. The first
            layer of a network needs none: its input is the data, which stays as it is.
        generator: Where the random weights come from; torch's own if there is none.

    Attributes:
        weight: Normal with mean 0 and variance 2 / in_features; see Source.
        bias: Zeros.

    Raises:
        OptionError: if a size is below 1.

    Shape:
        x: (B, in_features) -> (B, out_features), float32 until you convert the weights;
        weight: (out_features, in_features); bias: (out_features,).

    Source: He et al. 2015, "Delving deep into rectifiers", sec. 2.2.
    Book: ch. 03, "Layers that know their own derivative".
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        input_grad: bool = True,
        generator: torch.Generator | None = None,
    ) -> None:
        if min(in_features, out_features) < 1:
            must, fix = "A Linear needs at least one input and output.", "Check both."
            raise OptionError(must, f"Linear({in_features}, {out_features})", fix)
        scale = math.sqrt(2 / in_features)
        device = generator.device if generator else None
        size = (out_features, in_features)
        self.weight = torch.randn(size, generator=generator, device=device) * scale
        self.bias = torch.zeros(out_features, device=device)
        self.input_grad = input_grad

    def forward(self, x: Tensor) -> Tensor:
        """Return x W^T + b.

        Raises:
            ShapeError: if ``x`` is not (B, in_features).
            DTypeError: if its dtype is not that of the weights.
            DeviceError: if it is on another device than the weights.

        Shape:
            x: (B, in_features) -> (B, out_features).
        """
        _check_input(x, self.weight)
        return x @ self.weight.T + self.bias

    def backward(self, grad_output: Tensor) -> Tensor | None:
        """Add to the gradients of both parameters, and return the input's.

        Shape:
            grad_output: (B, out_features) -> (B, in_features), or None if
            ``input_grad`` is False.
        """
        x, _ = self.recall(grad_output)
        add_grad(self.weight, grad_output.T @ x)
        add_grad(self.bias, grad_output.sum(0))
        return grad_output @ self.weight if self.input_grad else None


class ReLU(Module):
    """The rectified linear unit, max(x, 0), number by number.

    Shape:
        x: any shape -> the same shape.

    Source: Nair and Hinton 2010, "Rectified linear units".
    Book: ch. 03, "Layers that know their own derivative".
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return x where it is positive, and 0 elsewhere.

        Shape:
            x: any shape -> the same shape.
        """
        return x.clamp_min(0)

    def backward(self, grad_output: Tensor) -> Tensor:
        """Let the gradient through where the input was positive.

        Shape:
            grad_output: that of the input -> the same shape.
        """
        x, _ = self.recall(grad_output)
        return grad_output * (x > 0)


def _check_pair(pred: Tensor, target: Tensor) -> None:
    if pred.shape != target.shape:
        must = "Predictions and targets must have the same shape."
        fix = "Squeeze a last dimension of size 1: mse(pred.squeeze(-1), target)."
        raise ShapeError(must, _named(pred=pred, target=target), fix)
    if pred.dtype != target.dtype or not pred.is_floating_point():
        must = "Predictions and targets must have the same floating-point dtype."
        fix = "Convert one: target.to(pred.dtype)."
        raise DTypeError(must, _named(pred=pred, target=target), fix)


class MSE(Module):
    """The mean squared error, the mean over all numbers of (pred - target)^2.

    Shape:
        pred and target: any shape, the same for both -> ().

    Book: ch. 03, "Layers that know their own derivative".
    """

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Return the mean of (pred - target)^2.

        Raises:
            ShapeError: if the shapes differ. Broadcasting (B, 1) against (B,) would
                compare each prediction with every target, and say nothing.
            DTypeError: if the dtypes differ, or are not floating-point.

        Shape:
            pred and target: any shape, the same for both -> ().
        """
        _check_pair(pred, target)
        return (pred - target).pow(2).mean()

    def backward(self) -> Tensor:
        """Return the gradient of the loss with respect to the predictions.

        Shape:
            -> that of the predictions.
        """
        pred, target, _ = self.recall()
        return 2 * (pred - target) / pred.numel()
