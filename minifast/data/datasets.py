"""Data sets in map style: a length, and samples numbered from 0.

Any object with ``__len__`` and ``__getitem__`` will do, in this package and in torch's
loader; no base class is needed.

Book: ch. 08, "One thing for two".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
import torch.utils.data
from torch import Tensor

from minifast.errors import DTypeError, ShapeError, describe, whole_number

if TYPE_CHECKING:
    from typing import TypeAlias, TypeGuard

    Index: TypeAlias = int | slice | list[int] | np.ndarray[Any, Any] | Tensor


@runtime_checkable
class MapDataset(Protocol):
    """Protocol of a data set in map style: its length, and a sample for each number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class TensorDataset:
    """Data set of inputs and targets in tensors, indexed together.

    Args:
        x: One input a row.
        y: One target a row, as many as there are inputs.

    Shape:
        x: (N, ...) any dtype; y: (N, ...) any dtype, on any device.
        An index gives the two rows (...), (...); a slice, or B numbers in a list, an
        array or a tensor, gives (B, ...), (B, ...); so does a mask of N bools.

    Raises:
        DTypeError: If one of them is not a tensor.
        ShapeError: If their lengths differ, or one has no rows at all.
        OptionError: If an index is something else.

    Example:
        >>> import torch
        >>> digits = TensorDataset(torch.rand(5, 28, 28), torch.arange(5))
        >>> len(digits)
        5
        >>> image, label = digits[3]
        >>> image.shape, label
        (torch.Size([28, 28]), tensor(3))
        >>> digits[[4, 0]][1], digits[1:3][1]
        (tensor([4, 0]), tensor([1, 2]))

    Book: ch. 08, "One thing for two".
    """

    def __init__(self, x: Tensor, y: Tensor) -> None:
        count_rows(x, y)
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Index) -> tuple[Tensor, Tensor]:
        rows = index if type(index) is int else _rows(index)
        return self.x[rows], self.y[rows]

    def __repr__(self) -> str:
        return f"TensorDataset({describe(self.x)}, {describe(self.y)})"


def _rows(index: Index) -> int | slice | Tensor:
    """Return an index that means the same whatever its dtype and memory layout.

    To torch, numbers of dtype uint8 are a mask, and a flipped array is an error.
    """
    if isinstance(index, slice):
        return index
    if isinstance(index, list | np.ndarray):
        array = np.asarray(index)
        if array.dtype.kind in "iub" or not array.size:
            is_mask = array.dtype.kind == "b"
            index = torch.from_numpy(array.astype(np.bool_ if is_mask else np.int64))
    if isinstance(index, Tensor) and index.ndim and not index.is_floating_point():
        return index if index.dtype is torch.bool else index.long()
    return whole_number("index", index, fix="Pass an int, a slice, or a list of ints.")


def count_samples(dataset: object) -> int:
    """Return the length of a data set in map style; refuse what is none.

    A sample is read only from what has ``keys()``, which may be looked up by other
    things than numbers.

    Raises:
        DTypeError: If it has no length, or no samples numbered from 0.
    """
    must = "A data set must have a length and samples numbered from 0."
    fix = "Put the samples in a list, or write __len__ and __getitem__."
    if not _has_methods(dataset):
        raise DTypeError(must, describe(dataset), fix)
    try:
        n_samples = len(dataset)
    except (TypeError, NotImplementedError) as error:
        got = f"{type(dataset).__name__}, whose len() says: {error}"
        raise DTypeError(must, got, fix) from error
    if not _is_numbered(dataset, n_samples):
        got = f"{type(dataset).__name__} with keys, but not those from 0"
        raise DTypeError(must, got, "Put the samples in a list: list(x.values()).")
    return n_samples


def _has_methods(dataset: object) -> TypeGuard[MapDataset]:
    if isinstance(dataset, type | torch.utils.data.IterableDataset):
        return False
    # Torch's base class has a __getitem__ that only says there is none.
    found = getattr(type(dataset), "__getitem__", None)
    is_missing = found is torch.utils.data.Dataset.__getitem__
    return isinstance(dataset, MapDataset) and not is_missing


def _is_numbered(dataset: MapDataset, n_samples: int) -> bool:
    try:
        if isinstance(dataset, Mapping):
            return all(i in dataset for i in range(n_samples))
        if n_samples and callable(getattr(dataset, "keys", None)):
            dataset[0]
    except (LookupError, TypeError, NotImplementedError):
        return False
    return True


def count_rows(*tensors: Tensor) -> int:
    """Return the number of rows, which all the tensors share.

    Shape:
        tensors: (N, ...) each, any dtype -> N.

    Raises:
        DTypeError: If one of them is not a tensor.
        ShapeError: If there are none, their lengths differ, or one has no dimension.
    """
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise DTypeError(
                "The data must be given as tensors.",
                describe(tensor),
                "Convert it with torch.as_tensor.",
            )
    lengths = {len(tensor) if tensor.dim() else None for tensor in tensors}
    if len(lengths) != 1 or None in lengths:
        raise ShapeError(
            "The tensors must have the same length, one row a sample.",
            ", ".join(str(tuple(tensor.shape)) for tensor in tensors) or "no tensor",
            "Check that inputs and targets come from the same split.",
        )
    return len(tensors[0])
