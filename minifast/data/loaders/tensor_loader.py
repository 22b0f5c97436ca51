"""The loader for data in memory: a batch is a slice, or one gather.

Reading 64 samples one by one and stacking them takes 64 calls for each tensor where
one is enough.

Book: ch. 08, "Two loaders in the package".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minifast.data.loaders.dataset import count_rows
from minifast.data.loaders.samplers import count_batches, permutation
from minifast.errors import DeviceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import Generator, Tensor


class TensorLoader:
    """Goes through tensors in batches, without leaving their device.

    In order, a batch is a slice: a view of the data, so whoever changes it in place
    changes the data. Shuffled, it is a copy, gathered by one ``index_select``. The
    order is drawn on the generator's device, the CPU by default: one seed gives one
    order, wherever the data is.

    To continue a shuffled run where it stopped, save ``generator.get_state()`` between
    two passes and restore it.

    Args:
        tensors: What is cut into batches, such as inputs and targets.
        batch_size: How many rows make a batch.
        shuffle: Whether to draw a new order for each pass.
        drop_last: Whether to leave out the last batch if it is not full.
        generator: Where orders are drawn from; torch's default generator if left out.
        device: Where to move the tensors, once; they stay where they are if left out.

    Shape:
        tensors: (N, ...) each, any dtype -> a pass gives tuples of (B, ...), B being
        ``batch_size`` but for a smaller last batch, on the device of the data.

    Raises:
        DTypeError: If one of them is not a tensor.
        ShapeError: If their lengths differ, or one has no rows at all.
        DeviceError: If they are on several devices and ``device`` is left out.
        OptionError: If ``batch_size`` is not a whole number of at least 1, or not one
            batch would come out.

    Example:
        >>> import torch
        >>> n = torch.arange(5)
        >>> for x, y in TensorLoader(n, n**2, batch_size=3):
        ...     print(x, y)
        tensor([0, 1, 2]) tensor([0, 1, 4])
        tensor([3, 4]) tensor([ 9, 16])

    Book: ch. 08, "Two loaders in the package".
    """

    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int = 64,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: Generator | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        self.n_samples = count_rows(*tensors)
        count_batches(self.n_samples, batch_size, drop_last)
        if device is not None:
            tensors = tuple(tensor.to(device) for tensor in tensors)
        devices = {str(tensor.device) for tensor in tensors}
        if len(devices) > 1:
            raise DeviceError(
                "The tensors must be on one device.",
                " and ".join(sorted(devices)),
                "Say where to keep them: device='cpu' or device='cuda'.",
            )
        self.tensors, self.device = tensors, tensors[0].device
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.generator = generator

    def __len__(self) -> int:
        return count_batches(self.n_samples, self.batch_size, self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        return self._gathers() if self.shuffle else self._slices()

    def _slices(self) -> Iterator[tuple[Tensor, ...]]:
        for rows in self._batches_of_rows():
            # A list first: a tuple made straight from a generator takes longer.
            yield tuple([tensor[rows] for tensor in self.tensors])

    def _gathers(self) -> Iterator[tuple[Tensor, ...]]:
        drawn = permutation(self.n_samples, self.generator)
        # The copy to a GPU may still be reading `drawn`, which lives as long as this.
        order = drawn.to(self.device, non_blocking=True)
        for rows in self._batches_of_rows():
            batch = order[rows]
            yield tuple([tensor.index_select(0, batch) for tensor in self.tensors])

    def _batches_of_rows(self) -> Iterator[slice]:
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield slice(start, start + self.batch_size)

    def __repr__(self) -> str:
        order = "shuffled" if self.shuffle else "in order"
        return (
            f"TensorLoader({self.n_samples:,} samples, batches of {self.batch_size}, "
            f"{order}, on {self.device})"
        )
