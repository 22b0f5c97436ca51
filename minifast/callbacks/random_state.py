"""The state of everything that random numbers are drawn from.

Book: ch. 12.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minifast.data.loaders import DataLoaders


def random_state(dls: DataLoaders) -> dict[str, Any]:
    """Return where Python's, torch's and the loaders' random numbers are.

    Args:
        dls: The loaders, whose own generators count too.

    Returns:
        Plain values and tensors. NumPy's global generator is not among them; nothing
        in this package draws from it.

    Book: ch. 12.
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

    Book: ch. 12.
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
