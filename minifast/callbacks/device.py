"""Moving a model and its batches to a device; apart, as other rooms move data too.

Book: ch. 13, "Where it runs".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from minifast.errors import OptionError
from minifast.learner import Callback, Order

if TYPE_CHECKING:
    from minifast.learner import Learner


def default_device() -> torch.device:
    """Return this machine's accelerator (a CUDA or Apple GPU, say), or the CPU.

    Book: ch. 13, "Where it runs".
    """
    if torch.accelerator.is_available():
        return torch.accelerator.current_accelerator() or torch.device("cpu")
    return torch.device("cpu")


def to_device(value: Any, device: torch.device | str) -> Any:
    """Return a batch on a device: a tensor, or tuples, lists and dictionaries of them.

    What is there already is not copied, and what is no tensor stays as it is.

    Args:
        value: What to move.
        device: Where to.

    Shape:
        value: tensors of any shapes, nested in any way -> the same, on the device.

    Example:
        >>> to_device((torch.zeros(2), {"y": [torch.ones(1)]}), "cpu")
        (tensor([0., 0.]), {'y': [tensor([1.])]})

    Book: ch. 13, "Where it runs".
    """
    if isinstance(value, torch.Tensor) and value.device == device:
        return value  # the common case, without a call into torch
    if hasattr(value, "to"):
        # From pinned memory the copy runs beside the computation; towards the CPU that
        # would be a race.
        return value.to(device, non_blocking=torch.device(device).type != "cpu")
    if isinstance(value, dict):
        return {key: to_device(part, device) for key, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(to_device(part, device) for part in value))
    if isinstance(value, tuple | list):
        return type(value)([to_device(part, device) for part in value])
    return value


class DeviceCallback(Callback):
    """Moves model and loss before each pass, and each batch before it is used.

    They stay there afterwards.

    Args:
        device: Where to; ``default_device()`` if left out.

    Raises:
        OptionError: If torch knows no such device, or this machine has none.

    Book: ch. 13, "Where it runs".
    """

    order = Order.DEVICE

    def __init__(self, device: torch.device | str | None = None) -> None:
        self.device = _existing(device) if device else default_device()

    def before_fit(self, learn: Learner) -> None:
        """Move what the optimizer remembers of the weights, too."""
        self.before_train(learn)
        devices = {p.device for p in learn.model.parameters()}
        if any(tensor.device not in devices for tensor in _remembered(learn)):
            learn.opt.load_state_dict(learn.opt.state_dict())  # goes where weights are

    def before_train(self, learn: Learner) -> None:
        """Move the model, and a loss with weights of its own."""
        learn.model.to(self.device)
        if isinstance(learn.loss_func, torch.nn.Module):
            learn.loss_func.to(self.device)

    before_validate = before_predict = before_train

    def before_batch(self, learn: Learner) -> None:
        """Move the batch, once."""
        moved = to_device(learn.batch, self.device)
        if learn.true_batch is learn.batch:
            learn.true_batch = moved
        learn.batch = moved


def _existing(device: torch.device | str) -> torch.device:
    """Return the device, if it is not an accelerator that this machine lacks."""
    must, own = "The device must be one that this machine has.", default_device()
    fix = f"Leave it out: here that means {own.type}."
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise OptionError(must, repr(device), fix) from error
    lacks = found.type != own.type or (found.index or 0) >= _n_accelerators()
    if found.type in ("cuda", "mps", "xpu") and lacks:
        raise OptionError(must, f"{found}, of {_n_accelerators()} accelerators", fix)
    return found


def _n_accelerators() -> int:
    return torch.accelerator.device_count()


def _remembered(learn: Learner) -> list[torch.Tensor]:
    """Return the tensors of the optimizer's state; its counters stay on the CPU."""
    values = [value for state in learn.opt.state.values() for value in state.values()]
    return [v for v in values if isinstance(v, torch.Tensor) and v.ndim]
