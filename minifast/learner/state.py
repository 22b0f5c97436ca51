"""State of a training: what it consists of, and taking over another one as a whole.

All that is taken over is looked at first, so that what does not fit changes nothing.

Book: ch. 11, "Keeping it".
"""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from minifast.data import generators_of
from minifast.errors import DataError, MinifastError, describe
from minifast.learner.fitting import ALONE, fitting, fitting_optimizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from minifast.data import DataLoaders
    from minifast.learner import Learner
    from minifast.learner.callback import Callback


def learner_state(learn: Learner) -> dict[str, Any]:
    """Return the states of model, loss, optimizer and scaler; their memory is shared.

    Args:
        learn: The Learner.
    """
    return {
        "model": learn.model.state_dict(),
        "loss": _loss_module(learn).state_dict(),
        "opt": learn.opt.state_dict(),
        "opt_class": type(learn.opt).__name__,
        "scaler": learn.scaler.state_dict(),
    }


def set_learner_state(
    learn: Learner,
    saved: Mapping[str, Any],
    *,
    with_opt: bool = True,
    strict: bool = True,
    hypers: bool = False,
    cbs: Iterable[tuple[Callback, Mapping[str, Any]]] = (),
) -> list[str]:
    """Take over a state as a whole, or refuse it and leave all as it was.

    Args:
        learn: The Learner.
        saved: What ``learner_state`` returned.
        with_opt: Whether to take the states of optimizer, scaler and loss as well.
        strict: Whether all weights must fit; if not, those of the model that do are
            taken, and nothing else.
        hypers: Whether to take the optimizer's hyper-parameters as well.
        cbs: Callbacks, each with the state that it is to take over.

    Returns:
        A line for each weight that was left out.

    Raises:
        DataError: If a part is missing or is no such thing.
        OptionError: If the optimizer is of another kind or has other groups.
        ShapeError: If names or shapes are not the same.
    """
    with_opt, loss, cbs = with_opt and strict, _loss_module(learn), list(cbs)
    _need(saved, {"model": Mapping})
    weights, left = fitting(learn.model, saved["model"], strict=strict)
    if with_opt:
        saved = {"loss": {}, **saved}  # a state made elsewhere may do without
        _need(saved, {"loss": Mapping, "opt": Mapping, "scaler": Mapping})
        loss_weights, _ = fitting(loss, saved["loss"], "loss.")
        opt = fitting_optimizer(learn.opt, saved, hypers=hypers)
    with _undone_if_refused(learn, [cb for cb, _ in cbs]):
        if with_opt:
            learn.opt.load_state_dict(opt)
            _set_scaler(learn, saved["scaler"])
        for cb, state in cbs:
            _set_callback(cb, state)
        learn.model.load_state_dict(weights, strict=strict)
        if with_opt:
            loss.load_state_dict(loss_weights)
    return left


def _loss_module(learn: Learner) -> nn.Module:
    """Return the loss, whose weights may be trained too, or a module without any."""
    loss = learn.loss_func
    return loss if isinstance(loss, nn.Module) else nn.Module()


def _need(saved: Mapping[str, Any], parts: Mapping[str, type]) -> None:
    if not isinstance(saved, Mapping):
        must = "The saved state must be what state_dict returned, or a file held."
        raise DataError(must, describe(saved), "A file is read by learn.load(path).")
    for name, kind in parts.items():
        if not isinstance(saved.get(name), kind):
            must = f"The saved state must have the parts {', '.join(parts)}."
            got = f"{name}: {describe(saved[name]) if name in saved else 'nothing'}"
            fix = "Resume what Checkpoint wrote; load takes what learn.save wrote, too."
            raise DataError(must, got, fix)


@contextmanager
def _undone_if_refused(learn: Learner, cbs: list[Callback]) -> Iterator[None]:
    opt, scaler = learn.opt.state_dict(), learn.scaler.state_dict()
    states = [copy.deepcopy(cb.state_dict()) for cb in cbs]
    try:
        yield
    except BaseException:
        learn.opt.load_state_dict(opt)
        if scaler:
            learn.scaler.load_state_dict(scaler)
        for cb, state in zip(cbs, states, strict=True):
            cb.load_state_dict(state)
        raise


def _set_scaler(learn: Learner, saved: Mapping[str, Any]) -> None:
    """Take over the scale, if there is one and it is wanted."""
    if not saved or not learn.scaler.is_enabled():
        return
    mine = learn.scaler.state_dict()
    numbers = all(isinstance(value, int | float) for value in saved.values())
    if saved.keys() != mine.keys() or not numbers:
        must = f"The scaler's state must have the numbers {', '.join(mine)}."
        raise DataError(must, ", ".join(map(str, saved)), f"Save it again, {ALONE}")
    learn.scaler.load_state_dict(dict(saved))


def _set_callback(cb: Callback, state: Mapping[str, Any]) -> None:
    try:
        cb.load_state_dict(state)
    except MinifastError:
        raise
    except Exception as error:
        name, what = type(cb).__name__, f"{type(error).__name__}: {error}"
        must = f"The saved state of {name} must be one that it can take over."
        fix = f"Make {name} as it was when the state was saved."
        raise DataError(must, what, fix) from error


# A training.


def training_state(learn: Learner, cbs: Iterable[Callback]) -> dict[str, Any]:
    """Return the states of Learner, callbacks and random numbers.

    Args:
        learn: The Learner.
        cbs: The callbacks whose states count.

    Returns:
        Plain values and tensors, which share their memory with the Learner's.
    """
    return learn.state_dict() | {
        "step_count": learn.step_count,
        "history": [dict(row) for row in learn.history],
        "random": random_state(learn.dls),
        "callbacks": [(type(cb).__name__, cb.state_dict()) for cb in cbs],
    }


def set_training_state(
    learn: Learner, cbs: Iterable[Callback], state: Mapping[str, Any]
) -> None:
    """Go back to a state, of this process or another, or refuse it and change nothing.

    Args:
        learn: The Learner, with the same model and the same kind of optimizer.
        cbs: The callbacks; each takes the next saved state of its class, if any is
            left.
        state: What ``training_state`` returned.

    Raises:
        DataError: If a part is missing or is no such thing.
        OptionError: If the optimizer is of another kind or has other groups.
        ShapeError: If names or shapes are not the same.
    """
    _need(state, {"loss": Mapping, "opt_class": str, "step_count": int})
    _need(state, {"history": list, "random": Mapping, "callbacks": list})
    rows, saved = state["history"], list(state["callbacks"])
    if not all(isinstance(row, Mapping) for row in rows) or not all(map(_named, saved)):
        must = "A history must hold rows, and the callbacks' states their names."
        raise DataError(must, "something else", "Resume from another file.")
    check_random_state(learn.dls, state["random"])
    pairs = []
    for cb in cbs:
        of_class = [pair for pair in saved if pair[0] == type(cb).__name__]
        if of_class:
            saved.remove(of_class[0])
            pairs.append((cb, of_class[0][1]))
    set_learner_state(learn, state, hypers=True, cbs=pairs)
    learn.step_count = state["step_count"]
    learn.history[:] = [dict(row) for row in rows]
    set_random_state(learn.dls, state["random"])


def _named(pair: Any) -> bool:
    return (
        isinstance(pair, tuple | list)
        and len(pair) == 2
        and isinstance(pair[0], str)
        and isinstance(pair[1], Mapping)
    )


# Random numbers.


def random_state(dls: DataLoaders) -> dict[str, Any]:
    """Return where Python's, NumPy's, torch's and the loaders' random numbers are.

    Args:
        dls: The loaders; generators that they, samplers or data sets hold count too.

    Returns:
        Plain values and tensors. Other generators, such as those that
        ``numpy.random.default_rng`` makes, are not among them.
    """
    numpy = sys.modules.get("numpy")  # if nobody has it, nobody has drawn from it
    return {
        "python": random.getstate(),
        "numpy": numpy and _listed(numpy.random.get_state(legacy=False)),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "loaders": [generator.get_state() for generator in _torchs(dls)],
    }


def _listed(value: Any) -> Any:
    """Return NumPy's state with lists in the place of arrays."""
    if isinstance(value, dict):
        return {name: _listed(part) for name, part in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


def check_random_state(dls: DataLoaders, state: Mapping[str, Any]) -> None:
    """Refuse what can't be taken over, by trying it on other generators.

    Args:
        dls: The loaders.
        state: What ``random_state`` returned.

    Raises:
        DataError: If a part is missing, or is the state of another generator.
    """
    try:
        random.Random().setstate(state["python"])
        if saved := state["numpy"]:
            from numpy import random as numpy_random

            kind = type(numpy_random.get_bit_generator())  # type: ignore[attr-defined]
            numpy_random.RandomState(kind()).set_state(saved)
        torch.Generator().set_state(state["torch"])
        for i, saved in _cuda_states(state):
            torch.Generator(f"cuda:{i}").set_state(saved)
        for own, saved in zip(_torchs(dls), state["loaders"], strict=False):
            torch.Generator(own.device).set_state(saved)
    except Exception as error:
        must = "The state of the random numbers must be one of the same generators."
        got = f"{type(error).__name__}: {error}"
        raise DataError(must, got, "Take the weights: learn.load(path).") from error


def set_random_state(dls: DataLoaders, state: Mapping[str, Any]) -> None:
    """Go back to where the random numbers were.

    Args:
        dls: The loaders.
        state: What ``random_state`` returned, here or in another process.

    Raises:
        DataError: If a part is missing, or is the state of another generator.
    """
    check_random_state(dls, state)
    random.setstate(state["python"])
    if state["numpy"]:
        import numpy

        numpy.random.set_state(state["numpy"])  # noqa: NPY002
    torch.set_rng_state(state["torch"])
    for i, saved in _cuda_states(state):
        torch.cuda.set_rng_state(saved, i)
    for generator, saved in zip(_torchs(dls), state["loaders"], strict=False):
        generator.set_state(saved)


def _cuda_states(state: Mapping[str, Any]) -> list[tuple[int, torch.Tensor]]:
    """Return the states for the devices that this machine has."""
    n = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return list(enumerate(state["cuda"][:n]))


def _torchs(dls: DataLoaders) -> list[torch.Generator]:
    """Return torch's generators of the loaders and of all that these hold."""
    found = generators_of(dls)
    return [each for each in found if isinstance(each, torch.Generator)]
