"""Writing states to files and reading them again, without losing either.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from minifast.errors import DataError, ShapeError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from torch import Tensor, nn

    from minifast.data import DataLoaders
    from minifast.learner import Learner
    from minifast.learner.callback import Callback


def write(state: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a state to a file, making its folder if need be.

    It is written under another name and renamed, so that an interruption leaves what
    was there before.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    torch.save(dict(state), part)
    part.replace(path)


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the state in a file, its tensors on the CPU; no code in it is run.

    Raises:
        DataError: If there is no such file, or it holds no state of a Learner.
    """
    must = "The file must be one that learn.save or Checkpoint wrote."
    if not Path(path).is_file():
        raise DataError(must, f"no file {path}", "Check the path.")
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not {"model", "opt", "scaler"} <= state.keys():
        fix = "If these are weights: learn.model.load_state_dict(torch.load(path))."
        raise DataError(must, f"{path}, which holds something else", fix)
    return state


def check_weights(model: nn.Module, saved: Mapping[str, Tensor]) -> None:
    """Refuse weights whose names or shapes are not those of the model.

    Raises:
        ShapeError: With the first name at which they differ.

    Shape:
        saved: any shapes, the same as those of the model's parameters and buffers.
    """
    mine = model.state_dict()
    for name in [*mine, *saved]:
        here, there = _shape(mine, name), _shape(saved, name)
        if here != there:
            must = "The saved weights must have the names and shapes of the model's."
            got = f"{name}: {there} in what was saved, {here} in the model"
            raise ShapeError(must, got, "Build the model as it was when it was saved.")


def _shape(weights: Mapping[str, Tensor], name: str) -> str:
    if name not in weights:
        return "nothing"
    shape = getattr(weights[name], "shape", None)  # a module's extra state has none
    return str(tuple(shape)) if shape is not None else "a value"


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
    """Go back to a state, of this process or another.

    Args:
        learn: The Learner, with the same model and the same kind of optimizer.
        cbs: The callbacks; each takes the next saved state of its class, if any is
            left.
        state: What ``training_state`` returned.
    """
    learn.load_state_dict(state)
    learn.step_count = state["step_count"]
    learn.history[:] = [dict(row) for row in state["history"]]
    saved = list(state["callbacks"])
    for cb in cbs:
        of_class = [pair for pair in saved if pair[0] == type(cb).__name__]
        if of_class:
            saved.remove(of_class[0])
            cb.load_state_dict(of_class[0][1])
    set_random_state(learn.dls, state["random"])


def random_state(dls: DataLoaders) -> dict[str, Any]:
    """Return where Python's, torch's and the loaders' random numbers are.

    Args:
        dls: The loaders, whose own generators count too.

    Returns:
        Plain values and tensors. NumPy's global generator is not among them; nothing
        in this package draws from it.
    """
    return {
        "python": random.getstate(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "loaders": [generator.get_state() for generator in _generators(dls)],
    }


def set_random_state(dls: DataLoaders, state: Mapping[str, Any]) -> None:
    """Go back to where the random numbers were.

    Args:
        dls: The loaders.
        state: What ``random_state`` returned, here or in another process.
    """
    random.setstate(state["python"])
    torch.set_rng_state(state["torch"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    for generator, saved in zip(_generators(dls), state["loaders"], strict=False):
        generator.set_state(saved)


def _generators(dls: DataLoaders) -> list[torch.Generator]:
    """Return the generators of the loaders and their samplers, each of them once."""
    found: dict[int, torch.Generator] = {}
    for loader in (dls.train, dls.valid):
        batch_sampler = getattr(loader, "batch_sampler", None)
        parts = (loader, getattr(loader, "sampler", None), batch_sampler)
        for part in (*parts, getattr(batch_sampler, "sampler", None)):
            generator = getattr(part, "generator", None)
            if isinstance(generator, torch.Generator):
                found[id(generator)] = generator
    return list(found.values())
