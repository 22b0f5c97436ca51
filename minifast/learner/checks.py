"""What must hold before and in a fit, and what is said if it doesn't.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.optim import Optimizer

from minifast.errors import DTypeError, OptionError, ShapeError, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import nn

    from minifast.learner.callback import Cancel
    from minifast.learner.loop import TrainingLoop


def check_loaders(dls: object) -> None:
    """Refuse what has no ``train`` and ``valid``."""
    if not (hasattr(dls, "train") and hasattr(dls, "valid")):
        must = "The data must be loaders, one as .train and one, or None, as .valid."
        raise DTypeError(must, describe(dls), "Use DataLoaders(train, valid).")


def as_optimizer(
    opt: Optimizer | Callable[..., Optimizer], model: nn.Module, lr: float | None
) -> Optimizer:
    """Return the optimizer, made if need be, with the learning rate if one is given."""
    if not isinstance(opt, Optimizer):
        if lr is not None:
            return opt(model.parameters(), lr=lr)
        _check_lr(opt)
        return opt(model.parameters())
    held = {id(p) for group in opt.param_groups for p in group["params"]}
    if not any(id(p) in held for p in model.parameters()):
        raise OptionError(
            "The optimizer must hold parameters of the model.",
            f"{type(opt).__name__} with {len(held)} others",
            "Make it of this model's parameters(), after the model.",
        )
    for group in opt.param_groups if lr is not None else ():
        group["lr"] = lr
    return opt


def _check_lr(opt: Callable[..., Optimizer]) -> None:
    lr = inspect.signature(opt).parameters.get("lr")
    if lr is not None and lr.default is lr.empty:
        must = "There must be a learning rate."
        got = f"none, and {getattr(opt, '__name__', opt)} has none of its own"
        raise OptionError(must, got, "Write Learner(..., lr=0.1), say.")


def check_epochs(n_epochs: object) -> None:
    """Refuse what is no number of epochs."""
    if not isinstance(n_epochs, int) or n_epochs < 1:
        must = "The number of epochs must be a whole number of at least 1."
        raise OptionError(must, repr(n_epochs), "Without training: learn.validate().")


def check_idle(idle: bool) -> None:
    """Refuse a fit inside a fit: they would share one batch, one row, one optimizer."""
    if not idle:
        must = "Only one fit or validation of a Learner may run at a time."
        got = "fit, validate, get_preds or predict, called by a callback"
        raise OptionError(must, got, "Call the model itself, or do it after the fit.")


def check_not_empty(loop: TrainingLoop) -> None:
    """Refuse a pass that gave no batch, which would train nothing and not say so."""
    if loop.iter < 0:
        raise OptionError(
            "A pass over the data must give at least one batch.",
            f"none in {_place(loop)}, from {type(loop.dl).__name__}",
            "Pass a loader or a list: an iterator is used up after one pass.",
        )


def loader_or_valid(loop: TrainingLoop, dl: Iterable[Any] | None) -> Iterable[Any]:
    """Return the loader, or the one for validation if none is given."""
    if dl is not None:
        return dl
    if loop.dls.valid is None:
        must = "There must be data to validate with."
        raise OptionError(must, "dls.valid is None", "Pass a loader: validate(dl).")
    return loop.dls.valid


def scalar(loss: Tensor) -> Tensor:
    """Return the loss, if it is one number.

    Shape:
        loss: () -> the same.
    """
    if not isinstance(loss, Tensor):
        must = "The loss must be a tensor with one number."
        raise DTypeError(must, describe(loss), "Compute it with torch, without item().")
    if loss.ndim:
        must = "The loss must be one number, of shape ()."
        raise ShapeError(must, describe(loss), "Take its mean over the batch.")
    return loss


def misplaced(signal: Cancel) -> OptionError:
    """Return the error for a signal that was raised where it leaves nothing."""
    name = type(signal).__name__
    must = f"{name} must be raised in {signal.raised_in}."
    return OptionError(must, f"{name} in another event", "Raise CancelFit, or return.")


def where(loop: TrainingLoop) -> str:
    """Return in which batch an error arose, and what the batch was."""
    batch = _shapes(loop.batch) if loop.iter >= 0 else "none yet"
    pred = f"; prediction: {_shapes(loop.pred)}" if loop.pred is not None else ""
    return f"In {_place(loop)}; last batch: {batch}{pred}"


def _place(loop: TrainingLoop) -> str:
    kind = "training" if loop.training else "validation"
    batch = f"batch {loop.iter} of the " if loop.iter >= 0 else "the "
    return f"{batch}{kind} pass of epoch {loop.epoch}"


def _shapes(value: object) -> str:
    """Describe tensors, also inside tuples, lists and dictionaries."""
    if isinstance(value, dict):
        parts = [f"{k!r}: {_shapes(v)}" for k, v in value.items()]
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, tuple | list) and len(value) <= 8:
        return f"({', '.join(map(_shapes, value))})"
    return describe(value)
