"""Random number generators: seeds from them, and looking without changing them.

Book: ch. 08, "Order".
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Generator, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Restore = Callable[[], object]

GENERATORS = (Generator, np.random.Generator, np.random.RandomState, random.Random)
LEAVES = (type, ModuleType, Tensor, np.ndarray, random.SystemRandom)
LONGEST = 100  # lists of transforms are shorter, and lists of samples longer


def draw_seed() -> int:
    """Draw a random seed, from 0 to 2^63 - 1, from torch's default generator."""
    return int(torch.randint(2**63 - 1, (), dtype=torch.int64, device="cpu"))


@contextmanager
def unchanged_generators(owner: object) -> Iterator[None]:
    """Put all random number generators back at the end of a ``with`` block.

    These are the global ones of Python, NumPy and torch, on the CPU and on CUDA
    devices, and all that the owner keeps as attributes, or its attributes as theirs,
    such as a loader's sampler and data set.

    Args:
        owner: What may have generators of its own.
    """
    restores = [*_global_restores(), *map(_restore, generators_of(owner))]
    try:
        yield
    finally:
        for restore in restores:
            restore()


def _global_restores() -> Iterator[Restore]:
    yield partial(random.setstate, random.getstate())
    yield partial(np.random.set_state, np.random.get_state())  # noqa: NPY002
    yield partial(torch.set_rng_state, torch.get_rng_state())
    if torch.cuda.is_initialized():
        yield partial(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
    else:
        yield _rewind_cuda


def _rewind_cuda() -> None:
    """Put CUDA's generators back where they begin, if they are there by now.

    Asking for their states earlier would have started CUDA, for which a process that
    only looks at a batch may not want to wait.
    """
    if torch.cuda.is_initialized():
        for generator in torch.cuda.default_generators:
            generator.set_offset(0)


def _restore(generator: Any) -> Restore:
    if isinstance(generator, random.Random):
        return partial(generator.setstate, generator.getstate())
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        return partial(setattr, bits, "state", bits.state)
    return partial(generator.set_state, generator.get_state())


def generators_of(owner: object) -> list[Any]:
    """Return the random number generators that an object holds, each of them once.

    Those of torch, NumPy and Python count, as attributes of the object or of what it
    holds in turn: a loader's, its sampler's, its data set's.

    Args:
        owner: Where to look, such as a loader.
    """
    found, seen, todo = [], set(), [owner]
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, LEAVES):
            continue
        seen.add(id(each))
        if isinstance(each, GENERATORS):
            found.append(each)
        elif isinstance(each, list | tuple):
            todo += each if len(each) <= LONGEST else []
        elif isinstance(attributes := getattr(each, "__dict__", None), dict):
            todo += attributes.values()
    return found
