"""Layers as classes, each with its derivative written by hand.

A module remembers what it was called with; ``backward`` takes the gradient of the loss
with respect to the module's output and returns the one with respect to its input, which
is the output of the module before. Gradients of parameters are added up in ``.grad``.

Book: ch. 03, "Layers as classes".
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from minifast.errors import (
    DTypeError,
    MinifastError,
    OptionError,
    ShapeError,
    describe,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


def add_grad(parameter: Tensor, grad: Tensor) -> None:
    """Add a gradient to what ``parameter.grad`` holds already, if it holds any.

    Adding, where storing would do for one use, makes a parameter right that is used in
    two places, and lets several small batches act as a large one.

    Shape:
        parameter: any shape, floating; grad: the same shape and dtype.

    Book: ch. 03, "Layers as classes".
    """
    if parameter.grad is None:
        parameter.grad = grad
    else:
        parameter.grad += grad


class Module:
    """A step of a network that can compute its output and its gradients.

    A subclass defines ``forward``, of one or more tensors, and ``backward``, of the
    gradient of its output, which begins with :meth:`recall`. Every tensor kept in an
    attribute is a parameter, unless the attribute's name starts with an underscore;
    parameters of modules in attributes, also inside lists, belong to the module too.

    Shape:
        forward and backward: each subclass says.

    Book: ch. 03, "Module".
    """

    forward: Callable[..., Tensor]
    backward: Callable[..., Tensor | None]
    _call: tuple[Tensor, ...] | None = None

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Run ``forward``, and remember inputs and output for ``backward``."""
        output = self.forward(*inputs)
        self._call = (*inputs, output)
        return output

    def recall(self, grad_output: Tensor | None = None) -> tuple[Tensor, ...]:
        """Return the inputs and the output of the last call, and forget them.

        Each call can be recalled once. So a module that is used twice in one forward
        pass fails here, where it would otherwise compute with the wrong inputs.

        Args:
            grad_output: The gradient of the output, checked against the output.

        Raises:
            MinifastError: if there was no call since the last ``backward``.
            DTypeError: if the gradient is no tensor.
            ShapeError: if the gradient has not the shape of the output.

        Shape:
            grad_output: that of the output -> the inputs, then the output.

        Book: ch. 03, "Module".
        """
        name = type(self).__name__
        if self._call is None:
            raise MinifastError(
                f"Before each backward of a {name}, it must be called once.",
                "no call since it was made, or since its last backward",
                "Call it first; use one module, or the tape, for each use in a pass.",
            )
        if grad_output is not None and grad_output.shape != self._call[-1].shape:
            raise ShapeError(
                f"The gradient of a {name}'s output must have the output's shape.",
                f"{describe(grad_output)}, output {describe(self._call[-1])}",
                "Pass on what the backward of the next module returned, unchanged.",
            )
        call, self._call = self._call, None
        return call

    def parameters(self) -> list[Tensor]:
        """Return every parameter once, in the order in which they were assigned.

        Shape:
            -> any number of tensors, of any shapes.

        Book: ch. 03, "Module".
        """
        found = (p for name, p in vars(self).items() if not name.startswith("_"))
        return list({id(p): p for p in _parameters_in(found)}.values())

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None


def _parameters_in(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Module):
            yield from value.parameters()
        elif isinstance(value, list | tuple):
            yield from _parameters_in(value)


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
    Book: ch. 03, "Layers as classes".
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

        Shape:
            x: (B, in_features) -> (B, out_features).
        """
        if x.ndim != 2 or x.shape[1] != self.weight.shape[1]:
            must = f"The input of this Linear must be (B, {self.weight.shape[1]})."
            fix = "Make each item one row: x.reshape(len(x), -1)."
            raise ShapeError(must, describe(x), fix)
        if x.dtype != self.weight.dtype:
            must = f"The input must have the weights' dtype, {self.weight.dtype}."
            raise DTypeError(must, describe(x), "Use x.to(layer.weight.dtype).")
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
    Book: ch. 03, "Layers as classes".
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


class MSE(Module):
    """The mean squared error, the mean over all numbers of (pred - target)^2.

    Shape:
        pred and target: any shape, the same for both -> ().

    Book: ch. 03, "Layers as classes".
    """

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Return the mean of (pred - target)^2.

        Raises:
            ShapeError: if the shapes differ. Broadcasting (B, 1) against (B,) would
                compare each prediction with every target, and say nothing.
            DTypeError: if the dtypes differ.

        Shape:
            pred and target: any shape, the same for both -> ().
        """
        got = f"pred: {describe(pred)}; target: {describe(target)}"
        if pred.shape != target.shape:
            must = "Predictions and targets must have the same shape."
            fix = "Squeeze a last dimension of size 1: mse(pred.squeeze(-1), target)."
            raise ShapeError(must, got, fix)
        if pred.dtype != target.dtype:
            must = "Predictions and targets must have the same dtype."
            raise DTypeError(must, got, "Use target.to(pred.dtype).")
        return (pred - target).pow(2).mean()

    def backward(self) -> Tensor:
        """Return the gradient of the loss with respect to the predictions.

        Shape:
            -> that of the predictions.
        """
        pred, target, _ = self.recall()
        return 2 * (pred - target) / pred.numel()


class Sequential(Module):
    """Modules applied one after the other.

    Args:
        layers: The modules, first to last.

    Shape:
        x: what the first module takes -> what the last one returns.

    Book: ch. 03, "Module".
    """

    def __init__(self, *layers: Module) -> None:
        self.layers = list(layers)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of the last module.

        Shape:
            x: what the first module takes -> what the last one returns.
        """
        for layer in self.layers:
            x = layer(x)
        return x

    def backward(self, grad_output: Tensor | None) -> Tensor | None:
        """Hand the gradient through the modules, last to first.

        Raises:
            DTypeError: if a module that is not the first returned no gradient.

        Shape:
            grad_output: that of the output -> that of the input, or None if the first
            module computes no gradient of its input.
        """
        for layer in reversed(self.layers):
            grad_output = layer.backward(grad_output)
        return grad_output
