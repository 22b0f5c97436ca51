"""How many batches a loader gives, and how much a batch counts.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable


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


def weight(batch: Any) -> int:
    """Return how much a batch counts in a mean over batches of different sizes.

    A loss is a mean over its targets, so that is their number: B for classes of
    pictures, B times T for those of tokens. Without targets it is that of the inputs.

    Shape:
        batch: inputs and targets, of any shapes, also nested.

    Example:
        >>> import torch
        >>> weight((torch.zeros(4, 28, 28), torch.zeros(4)))
        4
    """
    if isinstance(batch, Tensor):
        return batch.numel()
    parts = list(batch.values()) if isinstance(batch, dict) else batch
    if isinstance(parts, tuple | list):
        for part in (*parts[1:], *parts[:1]):
            if n := weight(part):
                return n
    return 0
