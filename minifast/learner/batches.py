"""Batches: what of one is input and what target, how much it counts, joining many.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from minifast.learner import checks
from minifast.metrics import n_kept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


def n_batches(dl: Iterable[Any]) -> int:
    """Return how many batches a loader gives, or 0 if it can't say.

    Example:
        >>> n_batches([1, 2, 3]), n_batches(iter([1, 2, 3]))
        (3, 0)
    """
    try:
        return len(dl)  # type: ignore[arg-type]
    except TypeError:
        return 0


def split_batch(
    batch: Any, inputs: int | Sequence[str]
) -> tuple[tuple[Any, ...] | dict[str, Any], tuple[Any, ...]]:
    """Return inputs, a tuple or a dictionary of keywords, and targets of a batch.

    Args:
        batch: A tuple or list; a dictionary; anything else is the one input.
        inputs: How many parts are inputs, or the names of those of a dictionary.

    Example:
        >>> split_batch(("x", "y"), 1), split_batch("x", 1)
        ((('x',), ('y',)), (('x',), ()))
        >>> split_batch({"image": "x", "size": "s", "label": "y"}, ["image", "size"])
        ({'image': 'x', 'size': 's'}, ('y',))
    """
    if isinstance(batch, tuple) and isinstance(inputs, int):
        return batch[:inputs], batch[inputs:]
    if isinstance(batch, tuple | list):
        n = checks.number_of_inputs(batch, inputs)
        return tuple(batch[:n]), tuple(batch[n:])
    if not isinstance(batch, dict):
        return (batch,), ()
    if isinstance(inputs, int):
        parts = tuple(batch.values())
        return parts[:inputs], parts[inputs:]
    named = {name: checks.part(batch, name) for name in inputs}
    return named, tuple(part for name, part in batch.items() if name not in named)


def n_averaged(
    loss_func: Callable[..., Tensor], batch: Any, targets: tuple[Any, ...]
) -> int | Tensor:
    """Return over how many targets torch's losses average, or the sum of their weights.

    Shape:
        targets: any shapes, the first tensor counts; without one, the batch's first
            -> an int, or () where only the device knows.

    Example:
        >>> padded = torch.tensor([[3, 1, -100], [2, -100, -100]])
        >>> n_averaged(nn.functional.cross_entropy, (), (padded,))
        3
    """
    first = targets[0] if targets else None
    target = first if isinstance(first, Tensor) else next(tensors(targets), None)
    if target is None:
        return next((tensor.numel() for tensor in tensors(batch)), 0)
    settings = getattr(loss_func, "keywords", {})  # of a functools.partial
    ignored = None if isinstance(loss_func, nn.Module) else -100  # as torch's functions
    ignored = settings.get("ignore_index", getattr(loss_func, "ignore_index", ignored))
    if ignored is None or target.dtype != torch.int64:
        return target.numel()
    weight = settings.get("weight", getattr(loss_func, "weight", None))
    if weight is None:
        return n_kept(target, ignored)
    kept: Tensor = target != ignored
    weights: Tensor = weight[torch.where(kept, target, 0)]
    return (weights * kept).sum()


def tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors of a batch, also inside tuples, lists and dictionaries.

    Shape:
        value: any shapes, nested in any way -> the same shapes.
    """
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from tensors(part)


def join(batches: Sequence[Any]) -> Any:
    """Join what batches hold to one for all samples.

    Args:
        batches: A tensor each, or tuples, lists or dictionaries of them, all alike.

    Shape:
        batches: (B, ...) each -> (N, ...); a list of (...) if ... is not the same.

    Example:
        >>> join([{"x": torch.zeros(2)}, {"x": torch.ones(1)}])
        {'x': tensor([0., 0., 1.])}
    """
    first = batches[0]
    if isinstance(first, dict):
        return {name: join([batch[name] for batch in batches]) for name in first}
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*map(join, zip(*batches, strict=True)))
    if isinstance(first, tuple | list):
        return type(first)(map(join, zip(*batches, strict=True)))
    if not isinstance(first, Tensor):
        return list(batches)
    if len({batch.shape[1:] for batch in batches}) == 1 and first.ndim:
        return torch.cat(list(batches))
    return [each for batch in batches for each in (batch if batch.ndim else [batch])]
