"""Stochastic gradient descent, the plain form that chapter 07 ends with.

Book: ch. 07.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import torch
from torch import Tensor

from minifast.errors import DTypeError, OptionError, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class SGD(torch.optim.Optimizer):
    """Step each parameter against its gradient, or against a running sum of them.

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
        lr: The learning rate.
        momentum: Which part of the sum is kept; 0 keeps none.
        weight_decay: The strength of the L2 penalty.

    Raises:
        OptionError: If ``lr`` or ``weight_decay`` is negative, or momentum is not in
            [0, 1).

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
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own, for example after unfreezing some.

        Args:
            param_group: ``"params"``, and the settings that differ from the others.

        Raises:
            OptionError: If a setting is out of its range.
        """
        _check({**self.defaults, **param_group})
        super().add_param_group(param_group)

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


def _check(group: dict[str, Any]) -> None:
    for name in ("lr", "weight_decay"):
        if not group[name] >= 0:
            must, fix = f"{name} must not be negative.", "Gradients are subtracted."
            raise OptionError(must, f"{name}={group[name]}", fix)
    if not 0 <= group["momentum"] < 1:
        must, fix = "momentum must be from 0 to below 1.", "0.9 is a usual value."
        raise OptionError(must, f"momentum={group['momentum']}", fix)
