"""What all layers share: remember a call, pass a gradient back, know the parameters.

``backward`` takes the gradient of the loss with respect to a module's output, and
returns the one with respect to its input, which is the output of the module before.

Book: ch. 03, "Layers that know their own derivative".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from minifast.errors import (
    DTypeError,
    MinifastError,
    ShapeError,
    describe,
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

    Book: ch. 03, "A value used twice".
    """
    if grad.shape != parameter.shape:
        must = "A gradient must have the shape of its parameter."
        got = f"{describe(grad)}; parameter: {describe(parameter)}"
        raise ShapeError(must, got, "Sum it over the batch; check the transposes.")
    # Not +=, which would change a tensor that somebody else may hold as well.
    parameter.grad = grad if parameter.grad is None else parameter.grad + grad


class Module:
    """A step of a network that can compute its output and its gradients.

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
        raise ShapeError(must, f"{describe(grad)}; output: {describe(output)}", fix)


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
