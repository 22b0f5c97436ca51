"""Layers with hand-written gradients: Module, Sequential, Linear, ReLU and MSE.

A module remembers its last call, passes a gradient back and knows its parameters.

``backward`` takes the gradient of the loss with respect to a module's output, and
returns the one with respect to its input, which is the output of the module before.

Book: ch. 03, "Layers that know their own derivative".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from minifast.errors import (
    DeviceError,
    DTypeError,
    MinifastError,
    OptionError,
    ShapeError,
    describe,
    named,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def add_grad(parameter: Tensor, grad: Tensor) -> None:
    """Add a gradient to what ``parameter.grad`` holds already, if it holds any.

    Adding, where storing would do for one use, makes a parameter right that is used in
    two places, and lets several small batches act as a large one.

    Raises:
        ShapeError: if the gradient has not the parameter's shape.

    Shape:
        parameter: any shape, floating; grad: the same shape and dtype.
    """
    if grad.shape != parameter.shape:
        must = "A gradient must have the shape of its parameter."
        got = named(grad=grad, parameter=parameter)
        raise ShapeError(must, got, "Sum it over the batch; check the transposes.")
    # Not +=, which would change a tensor that somebody else may hold as well.
    parameter.grad = grad if parameter.grad is None else parameter.grad + grad


class Module:
    """Base class of layers, which compute their output and, by hand, their gradients.

    A subclass defines ``forward``, of one or more tensors, and ``backward``, of the
    gradient of its output, which begins with :meth:`recall`. A backward belongs to the
    last call: for other inputs, call again.

    Every tensor kept in an attribute is a parameter, unless the attribute's name starts
    with an underscore; parameters of modules kept in attributes, also inside lists,
    belong to the module too.

    Shape:
        forward and backward: each subclass says.

    Book: ch. 03, "Layers that know their own derivative".
    """

    forward: Callable[..., Tensor]
    backward: Callable[..., Tensor | None]
    _call: tuple[Tensor, ...] | None = None

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Run ``forward``, and remember inputs and output for ``backward``."""
        for x in inputs:
            if not isinstance(x, Tensor):
                must = f"A {type(self).__name__} must be called with tensors."
                raise DTypeError(must, describe(x), "torch.tensor(x) makes one.")
        output = self.forward(*inputs)
        self._call = (*inputs, output)
        return output

    def recall(self, *grad_output: Tensor | None) -> tuple[Tensor, ...]:
        """Return the inputs and the output of the last call, and forget them.

        Each call can be recalled once. So a module that is used twice in one forward
        pass fails here, where it would otherwise compute with the wrong inputs.

        Args:
            grad_output: The gradient of the output, to be checked; a loss has none.

        Raises:
            MinifastError: if there was no call since the last ``backward``.
            DTypeError: if the gradient is no tensor.
            ShapeError: if the gradient has not the shape of the output.

        Shape:
            grad_output: that of the output -> the inputs, then the output.

        Book: ch. 03, "Layers that know their own derivative".
        """
        name = type(self).__name__
        if self._call is None:
            raise MinifastError(
                f"A {name} must be called once before each of its backwards.",
                "no call since it was made, or since its last backward",
                "Call it first; where a pass uses it twice, make two, or use Var.",
            )
        for grad in grad_output:
            _check_grad(name, grad, self._call[-1])
        call, self._call = self._call, None
        return call

    def parameters(self) -> list[Tensor]:
        """Return every parameter once, in the order in which they were assigned.

        Shape:
            -> any number of tensors, of any shapes.

        Book: ch. 03, "Layers that know their own derivative".
        """
        found = (p for name, p in vars(self).items() if not name.startswith("_"))
        return list({id(p): p for p in _parameters_in(found)}.values())

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None


def _check_grad(name: str, grad: Tensor | None, output: Tensor) -> None:
    if not isinstance(grad, Tensor):
        must = f"The backward of a {name} must be given the gradient of its output."
        fix = "Only the first layer of a network can do with input_grad=False."
        raise DTypeError(must, describe(grad), fix)
    if grad.shape != output.shape:
        must = f"The gradient of a {name}'s output must have the output's shape."
        fix = "Pass on, unchanged, what the backward of the next module returned."
        raise ShapeError(must, named(grad=grad, output=output), fix)


def _parameters_in(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, Module):
            yield from value.parameters()
        elif isinstance(value, list | tuple):
            yield from _parameters_in(value)


class Sequential(Module):
    """Modules applied one after the other.

    Args:
        layers: The modules, first to last.

    Shape:
        x: what the first module takes -> what the last one returns.

    Book: ch. 03, "Layers that know their own derivative".
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

    def backward(self, grad_output: Tensor) -> Tensor | None:
        """Hand the gradient through the modules, last to first.

        Shape:
            grad_output: that of the output -> that of the input, or None if the first
            module computes no gradient of its input.
        """
        self.recall(grad_output)
        grad: Tensor | None = grad_output
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad


def _check_input(x: Tensor, weight: Tensor) -> None:
    if x.ndim != 2 or x.shape[1] != weight.shape[1]:
        must = f"The input of this Linear must be (B, {weight.shape[1]})."
        fix = "Make each item one row: x.reshape(len(x), -1)."
        raise ShapeError(must, named(x=x, weight=weight), fix)
    if x.dtype != weight.dtype:
        must = "The input of a Linear must have the dtype of its weights."
        fix = "Use x.to(layer.weight.dtype)."
        raise DTypeError(must, named(x=x, weight=weight), fix)
    if x.device != weight.device:
        must = "The input of a Linear must be on the device of its weights."
        fix = "Use x.to(layer.weight.device)."
        raise DeviceError(must, named(x=x, weight=weight), fix)


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
        raise ShapeError(must, named(pred=pred, target=target), fix)
    if pred.dtype != target.dtype or not pred.is_floating_point():
        must = "Predictions and targets must have the same floating-point dtype."
        fix = "Convert one: target.to(pred.dtype)."
        raise DTypeError(must, named(pred=pred, target=target), fix)


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
