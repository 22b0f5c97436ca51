"""Failures in a pass: where they arose, in which batch, and what was called with what.

Nothing of it runs before something fails.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

import inspect
import re
import traceback
from typing import TYPE_CHECKING, Any

from torch import Tensor

from minifast.errors import DTypeError, MinifastError, OptionError, describe
from minifast.learner.batches import split_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from minifast.learner.loop import TrainingLoop

# What a pass calls itself, beside the loader.
_PARTS_OF_PASS = {"emit", "_one_batch", "__exit__", "check_not_empty"}


def check_not_empty(loop: TrainingLoop) -> None:
    """Refuse a pass that gave no batch, which would train nothing and not say so."""
    if loop.iter < 0:
        raise OptionError(
            "A pass over the data must give at least one batch.",
            f"none in {_place(loop)}, from {type(loop.dl).__name__}",
            "Pass a loader or a list: an iterator is used up after one pass.",
        )


def explain(loop: TrainingLoop, error: Exception) -> None:
    """Add to an error where it arose; raise another if a call explains it.

    Args:
        loop: The loop whose pass has failed.
        error: Why.

    Raises:
        DTypeError: If model or loss were called with what they do not take.
    """
    error.add_note(where(loop, error))
    called = _called(error)
    in_batch = (
        called[called.index("_one_batch") + 1 :] if "_one_batch" in called else []
    )
    if not _is_of_call(error) or not in_batch or in_batch[0] == "emit":
        return
    inputs, targets = split_batch(loop.batch, loop.inputs)
    if "get_loss" in called and _is_own(loop.get_loss):
        check_call("loss", loop.loss_func, (loop.pred, *targets), error)
    elif "forward" in called and _is_own(loop.forward) and loop.pred is None:
        check_call("model", loop.model.forward, inputs, error)


def check_call(
    what: str,
    func: Callable[..., Any],
    args: tuple[Any, ...] | dict[str, Any],
    error: Exception,
) -> None:
    """Raise an error that says what a function got, if that is why it failed.

    Args:
        what: What it is: the model, the loss or a metric.
        func: The function.
        args: What it was called with.
        error: How it failed.

    Raises:
        DTypeError: If it does not take so many arguments, or not such as one of them.
    """
    if not _is_of_call(error):
        return
    named = args if isinstance(args, dict) else {}
    given = tuple(named.values()) if isinstance(args, dict) else args
    name = getattr(func, "__name__", type(func).__name__)
    must = f"The {what} must take what it is called with."
    got = f"{name} of {_shapes(args)}"
    if not _takes(func, () if named else given, named):
        signature = f"{name}{inspect.signature(func)}"
        got = f"{_shapes(args)} for {signature}" if len(signature) < 80 else got
        raise _told(error, DTypeError(must, got, _right_number(what, len(given))))
    kinds = {type(arg).__name__ for arg in given if not isinstance(arg, Tensor)}
    refused = "|".join(map(re.escape, kinds)) or "$^"
    if re.search(rf"'({refused})' object|not (\w+\.)*({refused})\b", str(error)):
        fix = "Give it tensors: torch.as_tensor, or see Learner(..., inputs=...)."
        if what != "model":
            parts = "pred, y[0]" if isinstance(given[0], Tensor) else "pred[0], y"
            fix = f"Pass a function that picks: lambda pred, y: {name}({parts}), say."
        raise _told(error, DTypeError(must, got, fix))


def _is_of_call(error: Exception) -> bool:
    """Say whether an error may come from a call, and does not explain itself."""
    is_ours = isinstance(error, MinifastError)
    return isinstance(error, TypeError | AttributeError) and not is_ours


def _right_number(what: str, n_given: int) -> str:
    """Return what to do if something gets too many things or too few."""
    if what == "metric":
        return "Write a function of predictions and targets."
    if what == "loss" and n_given == 1:
        return "Give the loader targets, too; without any: learn.get_preds(dl)."
    return "Say which parts of a batch the model gets: Learner(..., inputs=2)."


def _told(error: Exception, instead: MinifastError) -> MinifastError:
    """Return an error that has another as its cause, with the notes of that one."""
    for note in getattr(error, "__notes__", ()):
        instead.add_note(note)
    instead.__cause__ = error
    return instead


def _takes(
    func: Callable[..., Any], args: Sequence[Any], named: dict[str, Any]
) -> bool:
    try:
        signature = inspect.signature(func)
    except ValueError:  # of a function in C
        return True
    try:
        signature.bind(*args, **named)
    except TypeError:
        return False
    return True


def _is_own(verb: Callable[..., Any]) -> bool:
    """Say whether a verb is the loop's, and not one of a subclass or set on it."""
    return getattr(verb, "__qualname__", "").startswith("TrainingLoop.")


def _called(error: Exception) -> list[str]:
    """Return the names of the functions that an error went through, from outside."""
    return [frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]


def _next(called: list[str], name: str) -> str:
    """Return what a function has called, or an empty string."""
    after = called[called.index(name) + 1 :] if name in called else []
    return after[0] if after else ""


def where(loop: TrainingLoop, error: Exception) -> str:
    """Return in which batch an error arose, and what the batch was."""
    batch = _shapes(loop.batch) if loop.iter >= 0 else "none yet"
    if _is_of_loader(error):
        place = f"batch {loop.iter + 1} of {_pass(loop)}"
        return f"While {place} was being read; the batch before: {batch}"
    pred = f"; prediction: {_shapes(loop.pred)}" if loop.pred is not None else ""
    return f"In {_place(loop)}; last batch: {batch}{pred}"


def _is_of_loader(error: Exception) -> bool:
    """Say whether the loop's pass had asked for a batch when the error arose."""
    called = _called(error)
    return "_pass" in called and _next(called, "_pass") not in _PARTS_OF_PASS


def _place(loop: TrainingLoop) -> str:
    return (f"batch {loop.iter} of " if loop.iter >= 0 else "") + _pass(loop)


def _pass(loop: TrainingLoop) -> str:
    names = {"train": "training", "validate": "validation", "predict": "prediction"}
    epoch = f" of epoch {loop.epoch}" if loop.n_epochs else ""
    return f"the {names[loop.stage]} pass{epoch}"


def _shapes(value: object) -> str:
    """Describe tensors, also inside tuples, lists and dictionaries."""
    if isinstance(value, dict):
        parts = [f"{k!r}: {_shapes(v)}" for k, v in value.items()]
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, tuple | list) and len(value) <= 8:
        return f"({', '.join(map(_shapes, value))})"
    return describe(value)
