"""Checks of what a Learner is given, and the errors that they raise.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

import inspect
import math
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
    whole_number,
)
from minifast.learner import habits
from minifast.optim import set_lrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minifast.learner.callback import Cancel
    from minifast.learner.loop import TrainingLoop


NO_LR = math.nan  # of an optimizer that got none yet: set_rates looks for it
NO_EPOCHS = "Pass 1 or more; to look without training, learn.validate()."


def check_parts(
    kind: type, model: object, dls: object, loss_func: object, unknown: Iterable[str]
) -> None:
    """Refuse what is no model, no loaders or no loss, and arguments not known."""
    habits.check_arguments(kind, unknown)
    if isinstance(dls, nn.Module) and not isinstance(model, nn.Module):
        must = "The model must come first, and then the data."
        got = f"{type(model).__name__}, then {type(dls).__name__}"
        raise DTypeError(must, got, f"Write {kind.__name__}(model, dls, loss_func).")
    if not isinstance(model, nn.Module):
        must = "The model must be a torch.nn.Module."
        raise DTypeError(must, *_made(model, "Derive its class from nn.Module."))
    if not (hasattr(dls, "train") and hasattr(dls, "valid")):
        must = "The data must be loaders, one as .train and one, or None, as .valid."
        raise DTypeError(must, describe(dls), "Use DataLoaders(train, valid).")
    if isinstance(loss_func, type) or not callable(loss_func):
        must = "The loss must be a function of predictions and targets, or a module."
        fix = "Pass minifast.losses.cross_entropy, say."
        raise DTypeError(must, *_made(loss_func, fix))


def _made(value: object, fix: str) -> tuple[str, str]:
    """Return what came, and what to do about it: of a class, make one."""
    if isinstance(value, type):
        return f"the class {value.__name__}", f"Did you mean {value.__name__}()?"
    return describe(value), fix


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
        _check_step(loop, opt)
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
    made = _made_with(opt, params, lr)
    _check_step(loop, made)
    return made


def _made_with(
    opt: Callable[..., Optimizer],
    params: list[Any],
    lr: float | Sequence[float] | slice | None,
) -> Optimizer:
    if lr is None and not _demands_lr(opt):
        return opt(params)
    if lr is not None and not isinstance(lr, Sequence | slice):
        return opt(params, lr=lr)
    made = opt(params, lr=1.0)
    if lr is not None:
        set_lrs(made, lr)
        return made
    for hypers in (made.defaults, *made.param_groups):
        hypers["lr"] = NO_LR
    return made


def _demands_lr(opt: Callable[..., Optimizer]) -> bool:
    lr = inspect.signature(opt).parameters.get("lr")
    return lr is not None and lr.default is lr.empty


def _check_step(loop: TrainingLoop, opt: Optimizer) -> None:
    """Refuse an optimizer that computes the loss again and again, such as LBFGS.

    What callbacks do to a batch would be done each time, or not at all. A subclass may
    know better, and override ``step``.
    """
    closure = inspect.signature(opt.step).parameters.get("closure")
    is_ours = type(loop).step.__qualname__ == "TrainingLoop.step"
    if is_ours and closure is not None and closure.default is closure.empty:
        must = "The optimizer must make a step of the gradients that are there."
        got = f"{type(opt).__name__}, which needs a closure that computes them anew"
        fix = "Take torch.optim.AdamW, say, or override step() in a subclass."
        raise OptionError(must, got, fix)


def set_rates(loop: TrainingLoop, lr: float | Sequence[float] | slice | None) -> None:
    """Set the learning rates that a fit is given; see that there are some, from one."""
    setters = [type(cb).__name__ for cb in loop.active_cbs if "lr" in cb.sets]
    if lr is not None:
        if setters:
            must = "The learning rate must be set by the fit or by a schedule."
            got = f"fit(lr={lr}) beside {setters[0]}, which sets it for each batch"
            raise OptionError(must, got, f"Leave lr out, or {setters[0]}.")
        set_lrs(loop.opt, lr)
    if not setters and any(math.isnan(group["lr"]) for group in loop.opt.param_groups):
        must = "There must be a learning rate."
        got = f"none, and {type(loop.opt).__name__} has none of its own"
        raise OptionError(must, got, "Write Learner(..., lr=0.1), or OneCycle(0.1).")


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


def loader_or_valid(loop: TrainingLoop, dl: Iterable[Any] | None) -> Iterable[Any]:
    """Return the loader, or the one for validation if none is given."""
    if dl is not None:
        return dl
    if loop.dls.valid is None:
        must = "There must be data to validate with."
        raise OptionError(must, "dls.valid is None", "Pass a loader: validate(dl).")
    return loop.dls.valid


def inputs(value: int | Sequence[str]) -> int | Sequence[str]:
    """Return which parts of a batch are inputs, if that is what it says."""
    if isinstance(value, str):
        must = "Inputs must be a number of parts, or a list of names."
        raise OptionError(must, repr(value), f"Pass inputs=[{value!r}].")
    if isinstance(value, Sequence):
        return value
    return whole_number("inputs", value, 1)


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
