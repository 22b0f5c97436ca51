"""Optimizers: stochastic gradient descent (SGD) with momentum and weight decay.

Book: ch. 07.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsFloat, overload

import torch
from torch import Tensor, nn

from minifast.errors import DTypeError, OptionError, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


_PARAMETERS = "Use model.parameters()."


class SGD(torch.optim.Optimizer):
    """Stochastic gradient descent (SGD), with momentum and weight decay.

    It steps each parameter against its gradient, or against a running sum of them.
    With weights w and gradients g, weight decay adds ``weight_decay * w`` to g;
    momentum keeps a sum, ``buffer = momentum * buffer + g``, and steps along it;
    a step is ``w -= lr * buffer``.

    Being a torch optimizer, it has parameter groups and ``state_dict``, and works with
    torch's schedulers and ``GradScaler``. A step takes all parameters of a group at
    once, so it costs a few calls, not a few for each parameter. It goes on from a state
    that ``torch.optim.SGD`` has saved, if that used no dampening and no Nesterov.

    Args:
        params: The parameters, or groups of them: dictionaries with ``"params"`` and
            settings of their own.
        lr: The learning rate; this and the other numbers may be NumPy's, and are kept
            as Python's, so that a saved state holds nothing but plain numbers.
        momentum: Which part of the sum is kept; 0 keeps none.
        weight_decay: The strength of the L2 penalty.

    Raises:
        OptionError: If there is no parameter, ``lr`` or ``weight_decay`` is negative,
            or momentum is not in [0, 1).
        DTypeError: If ``params`` is a model or holds something else than parameters, or
            a setting is not a number.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
        >>> opt = SGD([w], lr=0.1)
        >>> w.square().sum().backward()
        >>> opt.step()
        >>> w.data
        tensor([0.8000, 1.6000])

    Source: Sutskever et al. 2013, "On the importance of initialization and momentum in
    deep learning", sec. 2, eq. 1-2; as torch does, with lr outside the sum.
    Book: ch. 07.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.0,
        *,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        numbers = {name: _number(name, value) for name, value in defaults.items()}
        super().__init__(_listed(params), numbers)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own, for example after unfreezing some.

        Args:
            param_group: ``"params"``, and the settings that differ from the others.

        Raises:
            OptionError, DTypeError: As the constructor does.
        """
        params = param_group["params"]
        # A list may be empty: a group for biases, say, in a model that has none.
        params = _listed(params, may_be_empty=isinstance(params, list))
        given = self.defaults.keys() & param_group.keys()
        numbers = {name: _number(name, param_group[name]) for name in given}
        group = {**param_group, **numbers, "params": params}
        _check({**self.defaults, **group})
        super().add_param_group(group)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Change every parameter that has a gradient.

        Args:
            closure: Computes the loss and its gradients again; few need it.

        Returns:
            What the closure returns.

        Raises:
            DTypeError: If a gradient is sparse.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        params = [p for p in group["params"] if p.grad is not None]
        if not params:
            return
        grads: list[Tensor] | tuple[Tensor, ...] = [_dense(p.grad) for p in params]
        if group["weight_decay"]:
            grads = torch._foreach_add(grads, params, alpha=group["weight_decay"])
        if group["momentum"]:
            buffers = [self._buffer(p) for p in params]
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_add_(buffers, grads)
            grads = buffers
        torch._foreach_add_(params, grads, alpha=-group["lr"])

    def _buffer(self, p: Tensor) -> Tensor:
        state: dict[str, Tensor] = self.state[p]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(p)
        return state["momentum_buffer"]


def _dense(grad: Tensor) -> Tensor:
    if grad.is_sparse:
        must = "Gradients must be dense."
        raise DTypeError(must, describe(grad), "Use nn.Embedding(..., sparse=False).")
    return grad


def _listed(params: Any, *, may_be_empty: bool = False) -> list[Any]:
    must = "The optimizer must be given parameters: tensors, or groups of them."
    if isinstance(params, nn.Module):
        raise DTypeError(must, f"a model, {type(params).__name__}", _PARAMETERS)
    if isinstance(params, set):
        raise DTypeError(must, "a set, which has no order", "Use a list.")
    listed = [params] if isinstance(params, Tensor) else list(params)
    for each in listed:
        if not isinstance(each, Tensor | dict | tuple):  # a tuple: name and parameter
            got = f"{type(params).__name__} of {type(each).__name__}"
            raise DTypeError(must, got, _PARAMETERS)
    if not listed and not may_be_empty:
        must = "There must be at least one parameter to optimize."
        got = f"{type(params).__name__} with nothing in it"
        fix = "Call model.parameters() anew: what it returns can be used once."
        raise OptionError(must, got, fix)
    return listed


def _number(name: str, value: object) -> float:
    if not isinstance(value, SupportsFloat):
        must, fix = f"{name} must be a number.", f"Use float({name})."
        raise DTypeError(must, f"{name}={value!r}", fix)
    return float(value)


def _check(group: dict[str, Any]) -> None:
    for name in ("lr", "weight_decay"):
        if not group[name] >= 0:
            must, fix = f"{name} must not be negative.", "Gradients are subtracted."
            raise OptionError(must, f"{name}={group[name]}", fix)
    if not 0 <= group["momentum"] < 1:
        must, fix = "momentum must be from 0 to below 1.", "0.9 is a usual value."
        raise OptionError(must, f"momentum={group['momentum']}", fix)
