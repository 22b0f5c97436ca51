"""Writing states to files and reading them again, without losing either.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from minifast.errors import DataError, ShapeError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from torch import Tensor, nn


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
