"""Checks of what a Learner is given, and the errors that they raise.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.optim import Optimizer

from minifast.errors import (
    DTypeError,
    OptionError,
    ShapeError,
    UnknownNameError,
    describe,
)
from minifast.optim import set_lrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minifast.learner.callback import Cancel
    from minifast.learner.loop import TrainingLoop


NO_EPOCHS = "Pass 1 or more; to look without training, learn.validate()."


def check_loaders(dls: object) -> None:
    """Refuse what has no ``train`` and ``valid``."""
    if not (hasattr(dls, "train") and hasattr(dls, "valid")):
        must = "The data must be loaders, one as .train and one, or None, as .valid."
        raise DTypeError(must, describe(dls), "Use DataLoaders(train, valid).")


def check_loss(loss_func: object) -> None:
    """Refuse what is no function of predictions and targets."""
    must = "The loss must be a function of predictions and targets, or such a module."
    if isinstance(loss_func, type):
        name = loss_func.__name__
        raise DTypeError(must, f"the class {name}", f"Did you mean {name}()?")
    if not callable(loss_func):
        fix = "Pass minifast.losses.cross_entropy, say."
        raise DTypeError(must, describe(loss_func), fix)


def as_optimizer(
    opt: Optimizer | Callable[..., Optimizer],
    loop: TrainingLoop,
    lr: float | Sequence[float] | slice | None,
    splitter: Callable[[nn.Module], Sequence[Iterable[nn.Parameter]]] | None,
) -> Optimizer:
    """Return the optimizer, made if need be, with the learning rates if some are given.

    The parameters that a loss has come last, in the last group.
    """
    if isinstance(opt, Optimizer):
        check_parameters(loop, opt)
        if splitter is not None:
            must = "A splitter must have an optimizer to be made with its groups."
            fix = "Pass opt=torch.optim.AdamW, or give your optimizer groups yourself."
            raise OptionError(must, f"a finished {type(opt).__name__}", fix)
        if lr is not None:
            set_lrs(opt, lr)
        return opt
    if not callable(opt):
        must = "The optimizer must be one, or what makes one of parameters."
        raise DTypeError(must, describe(opt), "Pass torch.optim.AdamW, say.")
    params: list[Any] = list(loop.model.parameters())
    if splitter is not None:
        params = [{"params": list(group)} for group in splitter(loop.model)]
        params[-1]["params"] += _parameters_of_loss(loop)
    else:
        params += _parameters_of_loss(loop)
    if lr is None:
        _check_lr(opt)
        return opt(params)
    if not isinstance(lr, Sequence | slice):
        return opt(params, lr=lr)
    made = opt(params, lr=1.0)
    set_lrs(made, lr)
    return made


def _check_lr(opt: Callable[..., Optimizer]) -> None:
    lr = inspect.signature(opt).parameters.get("lr")
    if lr is not None and lr.default is lr.empty:
        must = "There must be a learning rate."
        got = f"none, and {getattr(opt, '__name__', opt)} has none of its own"
        raise OptionError(must, got, "Write Learner(..., lr=0.1), say.")


def _parameters_of_loss(loop: TrainingLoop) -> list[nn.Parameter]:
    loss = loop.loss_func
    return list(loss.parameters()) if isinstance(loss, nn.Module) else []


def check_parameters(loop: TrainingLoop, opt: Optimizer | None = None) -> None:
    """Refuse to train what the optimizer doesn't hold, before the first step.

    That happens when a part of the model is replaced after the optimizer was made. An
    optimizer of your own may leave out what it is not to train.
    """
    opt = opt or loop.opt
    held = {id(p) for group in opt.param_groups for p in group["params"]}
    mine = list(loop.model.named_parameters())
    mine += [("a parameter of the loss", p) for p in _parameters_of_loss(loop)]
    lacking = [name for name, p in mine if p.requires_grad and id(p) not in held]
    stale = len(held - {id(p) for _, p in mine})
    if stale == len(held):
        raise OptionError(
            "The optimizer must hold parameters of the model.",
            f"{type(opt).__name__} with {stale} others",
            "Make it of this model's parameters(), after the model.",
        )
    if lacking and (stale or loop._holds_all):
        raise OptionError(
            "The optimizer must hold the parameters that are to be trained.",
            f"{', '.join(lacking[:3])} not in {type(opt).__name__}, "
            f"{stale} others in it",
            "Replace parts of the model before the Learner is made, or use "
            "learn.opt.add_param_group.",
        )


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


def number_of_inputs(batch: Sequence[Any], inputs: object) -> int:
    """Return how many parts of a tuple are inputs."""
    if not isinstance(inputs, int):
        must = "Inputs that are chosen by name must come in dictionaries."
        fix = "Pass inputs=1, the number of parts that the model is called with."
        raise DTypeError(must, describe(batch), fix)
    return inputs


def part(batch: dict[str, Any], name: str) -> Any:
    """Return a part of a batch by its name."""
    if name not in batch:
        raise UnknownNameError.of("input", name, batch)
    return batch[name]


def scalar(loss: Any) -> Tensor:
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
    names = {"train": "training", "validate": "validation", "predict": "prediction"}
    batch = f"batch {loop.iter} of the " if loop.iter >= 0 else "the "
    epoch = f" of epoch {loop.epoch}" if loop.n_epochs else ""
    return f"{batch}{names[loop.stage]} pass{epoch}"


def _shapes(value: object) -> str:
    """Describe tensors, also inside tuples, lists and dictionaries."""
    if isinstance(value, dict):
        parts = [f"{k!r}: {_shapes(v)}" for k, v in value.items()]
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, tuple | list) and len(value) <= 8:
        return f"({', '.join(map(_shapes, value))})"
    return describe(value)
