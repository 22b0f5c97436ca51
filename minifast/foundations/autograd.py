"""Reverse-mode automatic differentiation on a tape: ``Var`` and its operations.

Each operation below computes a value, and beside it says what it does to a gradient on
the way back. :meth:`Var.backward` does the rest, for any graph of operations: it walks
the graph backwards and adds up what arrives, so a value used twice comes out right.

Source: Baydin et al. 2018, "Automatic differentiation in machine learning", sec. 3.2.
Book: ch. 03, "A tape".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from minifast.errors import DTypeError, ShapeError, describe, named
from minifast.foundations.products import matrix_sizes

Derivative: TypeAlias = Callable[[Tensor], Tensor]
"""From the gradient of an operation's result to the gradient of one operand."""


class Var:
    """A tensor, the operation and the Vars it was computed from, and its gradient.

    Operands may be Vars, tensors or numbers; only Vars get gradients, so data goes in
    as plain tensors. Shapes broadcast. Assigning to ``value`` or ``grad`` is allowed:
    a training step is ``w.value -= lr * w.grad; w.grad = None``.

    Args:
        value: The tensor, floating-point, or a number.
        name: What a drawing of the graph calls it.

    Attributes:
        grad: Gradients added up over all calls of ``backward``; None before the first.
        op: The operation that made it, such as ``"+"``; empty for one made by you.
        parents: The Vars among the operands of that operation.

    Raises:
        DTypeError: if the value is not floating-point.

    Shape:
        value: any; grad: that of value, or None.

    Example:
        >>> x = Var(3.0)
        >>> y = x * x + x
        >>> y.backward()
        >>> y.value, x.grad
        (tensor(12.), tensor(7.))

    Book: ch. 03, "A tape".
    """

    def __init__(self, value: Tensor | float, *, name: str = "") -> None:
        self.value = torch.as_tensor(value).detach()
        if not self.value.is_floating_point():
            must = "A Var must hold floating-point numbers."
            raise DTypeError(must, describe(value), "Use x.float(); write 3 as 3.0.")
        self.grad: Tensor | None = None
        self.name, self.op = name, ""
        self.parents: tuple[Var, ...] = ()
        self._derivatives: tuple[Derivative, ...] = ()

    def __repr__(self) -> str:
        made_by = f", op={self.op!r}" if self.op else ""
        named = f", name={self.name!r}" if self.name else ""
        return f"Var({self.value}{made_by}{named})"

    @property
    def shape(self) -> torch.Size:
        """The shape of the value.

        Shape:
            any -> its sizes.
        """
        return self.value.shape

    # Arithmetic. Operands of different shapes broadcast; see _fit for the way back.

    def __add__(self, other: Operand) -> Var:
        a, b = _values(self, other)
        return _record("+", a + b, (self, lambda g: g), (other, lambda g: g))

    def __sub__(self, other: Operand) -> Var:
        a, b = _values(self, other)
        return _record("-", a - b, (self, lambda g: g), (other, lambda g: -g))

    def __mul__(self, other: Operand) -> Var:
        a, b = _values(self, other)
        return _record("*", a * b, (self, lambda g: g * b), (other, lambda g: g * a))

    def __truediv__(self, other: Operand) -> Var:
        a, b = _values(self, other)
        c = a / b
        return _record("/", c, (self, lambda g: g / b), (other, lambda g: -g * c / b))

    def __matmul__(self, other: Var | Tensor) -> Var:
        return _matmul(self, other)

    def __pow__(self, exponent: float) -> Var:
        if not isinstance(exponent, int | float):
            must = "The exponent of a Var must be a number."
            raise DTypeError(
                must, describe(_value(exponent)), "Use (b * a.log()).exp()."
            )
        a, n = self.value, exponent
        if n == 0:  # its derivative is 0, also at a = 0, where n * a ** (n - 1) is not
            return _record("**", a**0, (self, torch.zeros_like))
        return _record("**", a**n, (self, lambda g: g * n * a ** (n - 1)))

    def __neg__(self) -> Var:
        return _record("neg", -self.value, (self, lambda g: -g))

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Tensor | float) -> Var:
        return -self + other

    def __rtruediv__(self, other: Tensor | float) -> Var:
        return self**-1 * other

    def __rmatmul__(self, other: Tensor) -> Var:
        return _matmul(other, self)

    # Functions, number by number.

    def relu(self) -> Var:
        """Return max(x, 0), whose derivative is 1 where x > 0, and 0 elsewhere.

        Shape:
            any -> the same.
        """
        a = self.value
        return _record("relu", a.clamp_min(0), (self, lambda g: g * (a > 0)))

    def exp(self) -> Var:
        """Return e to the power of x, which is its own derivative.

        Shape:
            any -> the same.
        """
        c = self.value.exp()
        return _record("exp", c, (self, lambda g: g * c))

    def log(self) -> Var:
        """Return the natural logarithm of x, whose derivative is 1 / x.

        Shape:
            any -> the same.
        """
        a = self.value
        return _record("log", a.log(), (self, lambda g: g / a))

    # Sums, and ways to rearrange.

    def sum(self, dim: int | None = None, *, keepdim: bool = False) -> Var:
        """Return the sum over one dimension, or over all.

        Every number of a sum gets the sum's gradient.

        Shape:
            any -> without ``dim`` (with ``keepdim``, size 1 there); () if it is None.
        """
        a = self.value
        dims = tuple(range(a.ndim)) if dim is None else (dim,)
        c = a.sum(dims, keepdim=True)
        out = c if keepdim else c.squeeze(dims)
        return _record("sum", out, (self, lambda g: g.reshape(c.shape).expand(a.shape)))

    def mean(self, dim: int | None = None, *, keepdim: bool = False) -> Var:
        """Return the mean over one dimension, or over all: a sum, then a division.

        Shape:
            any -> without ``dim`` (with ``keepdim``, size 1 there); () if it is None.
        """
        total = self.sum(dim, keepdim=keepdim)
        count = self.value.numel() if dim is None else self.value.shape[dim]
        return total / count

    def reshape(self, *shape: int) -> Var:
        """Return the same numbers in another shape; the gradient goes back into ours.

        Raises:
            ShapeError: if the numbers don't fill the shape.

        Shape:
            any -> ``shape``, in which one size may be -1, for what is left.
        """
        a = self.value
        try:
            c = a.reshape(shape)
        except RuntimeError as error:
            must = f"A reshape must keep all {a.numel()} numbers."
            fix = "Write one size as -1, and it is computed."
            raise ShapeError(must, f"{tuple(a.shape)} to {shape}", fix) from error
        return _record("reshape", c, (self, lambda g: g.reshape(a.shape)))

    @property
    def T(self) -> Var:
        """The transpose of a matrix; so is the gradient's way back.

        Raises:
            ShapeError: if this is no matrix.

        Shape:
            (n, m) -> (m, n).
        """
        if self.value.ndim != 2:
            must = "Only a matrix has a transpose: two dimensions."
            raise ShapeError(must, describe(self.value), "Reshape it first.")
        return _record("T", self.value.T, (self, lambda g: g.T))

    def __getitem__(self, index: Tensor | tuple[Tensor, ...]) -> Var:
        a, index = self.value, index if isinstance(index, tuple) else (index,)
        if not all(isinstance(i, Tensor) and i.dtype == torch.int64 for i in index):
            must, fix = "A Var is indexed by int64 tensors only.", "torch.tensor([0])"
            raise DTypeError(must, ", ".join(map(describe, index)), f"Use {fix}.")

        def scatter(g: Tensor) -> Tensor:  # what is picked twice gets both gradients
            return torch.zeros_like(a).index_put_(index, g, accumulate=True)

        return _record("index", a[index], (self, scatter))

    def backward(self) -> None:
        """Add to the ``grad`` of every Var that this one was computed from.

        By the time a Var's turn comes, everything computed from it has had its own, so
        the gradient that has arrived is complete and is passed on once.

        Raises:
            ShapeError: if this is more than one number.

        Shape:
            the value must be one number, () or all sizes 1.
        """
        if self.value.numel() != 1:
            must = "Only a single number, such as a loss, has a gradient to start from."
            fix = "Add up its numbers first: .sum() or .mean()."
            raise ShapeError(must, describe(self.value), fix)
        arrived = {self: torch.ones_like(self.value)}
        for var in reversed(topological_order(self)):
            grad = arrived.pop(var)
            # A copy, as some derivatives return their argument or a view of it.
            var.grad = grad.clone() if var.grad is None else var.grad + grad
            for parent, derivative in zip(var.parents, var._derivatives, strict=True):
                # Where broadcasting repeated a number, its gradients are summed.
                share = derivative(grad).sum_to_size(parent.shape)
                sofar = arrived.get(parent)
                arrived[parent] = share if sofar is None else sofar + share


Operand: TypeAlias = Var | Tensor | float


def _record(op: str, value: Tensor, *operands: tuple[Operand, Derivative]) -> Var:
    """Make the Var of an operation's result; only operands that are Vars are kept."""
    result, kept = Var(value), [(x, d) for x, d in operands if isinstance(x, Var)]
    result.op = op
    result.parents = tuple(x for x, _ in kept)
    result._derivatives = tuple(d for _, d in kept)
    return result


def _value(x: Operand) -> Any:
    return x.value if isinstance(x, Var) else x.detach() if isinstance(x, Tensor) else x


def _values(left: Var, right: Operand) -> tuple[Tensor, Any]:
    """Return what two operands hold, checked; a number stays a number."""
    a, b = left.value, _value(right)
    if isinstance(b, int | float):
        return a, b
    if not isinstance(b, Tensor) or (b.is_floating_point() and b.dtype != a.dtype):
        must = "The operands of a Var must be Vars or tensors of its dtype, or numbers."
        fix = "Convert one: x.to(dtype), or float(x)."
        raise DTypeError(must, named(a=a, b=b), fix)
    try:
        torch.broadcast_shapes(a.shape, b.shape)
    except RuntimeError as error:
        must = "Shapes must broadcast: aligned right, sizes are equal or one of them 1."
        got, fix = named(a=a, b=b), "Insert a size of 1: reshape."
        raise ShapeError(must, got, fix) from error
    return a, b


def _matmul(left: Var | Tensor, right: Var | Tensor) -> Var:
    a, b = _value(left), _value(right)
    matrix_sizes(a, b)
    return _record("@", a @ b, (left, lambda g: g @ b.T), (right, lambda g: a.T @ g))


def topological_order(var: Var) -> list[Var]:
    """Return ``var`` and all it was computed from, each after its own parents.

    Walks with a list of its own in place of recursion, so graphs may be deep.

    Shape:
        Vars of any shapes -> Vars, ``var`` last.

    Example:
        >>> x = Var(2.0, name="x")
        >>> [v.op or v.name for v in topological_order((x * x).exp())]
        ['x', '*', 'exp']

    Book: ch. 03, "A tape".
    """
    order: list[Var] = []
    seen: set[Var] = set()
    stack = [(var, False)]
    while stack:
        node, parents_done = stack.pop()
        if parents_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(node.parents))
    return order
