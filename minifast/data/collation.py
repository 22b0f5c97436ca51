"""Collation: a list of samples, whatever they are nested in, becomes one batch.

Book: ch. 08, "Putting a batch together".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from minifast.errors import DTypeError, MinifastError, ShapeError, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROWS = (tuple, list)
TEXTS = (str, bytes)
NUMBERS = (int, float, complex, np.number, np.bool_)


def collate(samples: Sequence[Any]) -> Any:
    """Collate a list of samples into one batch of the same structure.

    Tensors and arrays are stacked along a new first dimension and keep their dtype, as
    in torch's own function: whoever made the array chose it. Flipped, read-only and
    big-endian arrays are copied on the way.

    Numbers become a tensor. Nobody chose the dtype of a Python number, or that of the
    ``np.float64`` that NumPy's functions return: integers become int64, floats the
    default dtype (torch's own function makes them float64, which then meets float32
    weights). Other scalars of NumPy, such as ``np.int32``, keep their dtype.

    Strings stay a list. Tuples, named tuples, lists and dictionaries are gone into, to
    any depth, and kept.

    Args:
        samples: The samples, all of one structure.

    Shape:
        samples: B structures with leaves (...) -> the structure with leaves (B, ...).

    Raises:
        ShapeError: If there are no samples, or they differ in a shape, a length or a
            key; the message says where, and which sample.
        DTypeError: If there is something in them that no rule above covers, or that
            torch has no dtype for.

    Example:
        >>> import torch
        >>> images, labels = collate([(torch.zeros(2), 7), (torch.ones(2), 3)])
        >>> images.shape, labels
        (torch.Size([2, 2]), tensor([7, 3]))
        >>> collate([{"word": "red", "length": 3}, {"word": "blue", "length": 4}])
        {'word': ['red', 'blue'], 'length': tensor([3, 4])}

    Book: ch. 08, "Putting a batch together".
    """
    if len(samples) == 0:
        raise ShapeError(
            "A batch must hold at least one sample.", "0 samples", "Leave it out."
        )
    return _collate(samples, "")


def _collate(samples: Sequence[Any], where: str) -> Any:
    """Collate what is found in every sample at the place ``where``, such as [1]."""
    first = samples[0]
    if isinstance(first, Tensor):
        return _stack(samples, where)
    for kind, join in JOINS:
        if isinstance(first, kind):
            _check_types(samples, kind, where)
            return join(samples, where)
    raise _unknown(first, 0, where)


def _check_types(samples: Sequence[Any], kind: Any, where: str) -> None:
    for i, sample in enumerate(samples):
        if not isinstance(sample, kind):
            raise _differs("type", samples, i, where)


def _stack(tensors: Sequence[Any], where: str) -> Tensor:
    try:
        return torch.stack(tensors)  # type: ignore[arg-type]
    except (RuntimeError, TypeError) as error:
        # Looked for only now: a check of every tensor would slow down every batch.
        _check_types(tensors, Tensor, where)
        for i, tensor in enumerate(tensors):
            for what in ("shape", "device"):
                if getattr(tensor, what) != getattr(tensors[0], what):
                    raise _differs(what, tensors, i, where) from error
        raise


def _join_arrays(arrays: Sequence[Any], where: str) -> Tensor:
    tensors = [_convert(_from_array, array, i, where) for i, array in enumerate(arrays)]
    return _stack(tensors, where)


def _from_array(array: np.ndarray[Any, Any]) -> Tensor:
    # Torch takes no flipped or big-endian memory, and warns of what is read-only.
    if not (array.flags.carray and array.dtype.isnative):
        array = array.astype(array.dtype.newbyteorder("="), order="C")
    return torch.from_numpy(array)


def _convert(make: Callable[[Any], Tensor], value: Any, i: int, where: str) -> Tensor:
    try:
        return make(value)
    except (TypeError, ValueError) as error:
        raise _unknown(value, i, where) from error


def _join_rows(rows: Sequence[Any], where: str) -> Any:
    first = rows[0]
    for i, row in enumerate(rows):
        if len(row) != len(first):
            raise _differs("length", rows, i, where)
    columns = [
        _collate(column, f"{where}[{j}]")
        for j, column in enumerate(zip(*rows, strict=True))
    ]
    if hasattr(first, "_make"):  # a named tuple takes its fields one by one
        return type(first)._make(columns)
    return columns if isinstance(first, list) else tuple(columns)


def _join_dicts(dicts: Sequence[Any], where: str) -> dict[Any, Any]:
    first = dicts[0]
    for i, sample in enumerate(dicts):
        if sample.keys() != first.keys():
            raise _differs("keys", dicts, i, where)
    return {
        key: _collate([sample[key] for sample in dicts], f"{where}[{key!r}]")
        for key in first
    }


def _join_texts(texts: Sequence[Any], where: str) -> list[Any]:
    return list(texts)


def _join_numbers(numbers: Sequence[Any], where: str) -> Tensor:
    try:
        batch = torch.tensor(numbers)
    except (TypeError, ValueError):
        for i, number in enumerate(numbers):
            _convert(torch.tensor, number, i, where)
        raise
    if batch.dtype is torch.float64:  # of np.float64; see collate
        return batch.to(torch.get_default_dtype())
    if batch.dtype is torch.complex128:
        return batch.to(torch.get_default_dtype().to_complex())
    return batch


JOINS = (
    (ROWS, _join_rows),
    (dict, _join_dicts),
    (TEXTS, _join_texts),
    (np.ndarray, _join_arrays),
    (NUMBERS, _join_numbers),
)


def _differs(what: str, samples: Sequence[Any], i: int, where: str) -> MinifastError:
    """Return the error for sample ``i``, the first that does not match sample 0."""
    return ShapeError(
        f"The samples of a batch must have the same {what}.",
        f"{_say(samples[0])} in {_place(0, where)}, "
        f"{_say(samples[i])} in {_place(i, where)}",
        "Make them alike in the data set, or pass a collate_fn of your own.",
    )


def _unknown(value: Any, i: int, where: str) -> DTypeError:
    kind = type(value).__name__
    if isinstance(value, np.ndarray):
        kind = f"array of dtype {value.dtype}"
    elif isinstance(value, NUMBERS):
        kind = repr(value)
    return DTypeError(
        "A sample must be made of tensors, arrays, numbers and strings, in tuples, "
        "lists and dictionaries.",
        f"{kind} in {_place(i, where)}",
        "Convert it in the data set, or pass a collate_fn of your own.",
    )


def _say(value: Any) -> str:
    return f"keys {list(value)}" if isinstance(value, dict) else describe(value)


def _place(i: int, where: str) -> str:
    return f"sample {i}" + (f" at {where}" if where else "")
