"""A data set has a length and samples numbered from 0; apart, as yours is one too.

Any object with ``__len__`` and ``__getitem__`` will do, in this package and in torch's
loader; no base class is needed.

Book: ch. 08, "One thing for two".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from torch import Tensor

from minifast.errors import DTypeError, ShapeError, describe

if TYPE_CHECKING:
    from typing import TypeAlias

    Index: TypeAlias = int | slice | list[int] | Tensor


@runtime_checkable
class MapDataset(Protocol):
    """What a loader asks of a data set: its length, and a sample for each number."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class TensorDataset:
    """Inputs and targets, indexed together.

    Args:
        x: One input a row.
        y: One target a row, as many as there are inputs.

    Shape:
        x: (N, ...) any dtype; y: (N, ...) any dtype, on any device.
        An index gives the two rows (...), (...); a slice, a list or a tensor of B
        numbers gives (B, ...), (B, ...).

    Raises:
        DTypeError: If one of them is not a tensor.
        ShapeError: If their lengths differ, or one has no rows at all.

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
        return self.x[index], self.y[index]

    def __repr__(self) -> str:
        return f"TensorDataset({describe(self.x)}, {describe(self.y)})"


def count_rows(*tensors: Tensor) -> int:
    """Return the length that all the tensors share.

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
