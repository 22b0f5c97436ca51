"""Data loaders: batches read sample by sample, or cut out of tensors in memory.

Book: ch. 08, "Two loaders in the package".
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.utils.data

from minifast.data.collation import collate
from minifast.data.datasets import count_rows, count_samples
from minifast.data.randomness import draw_seed, unchanged_generators
from minifast.data.samplers import (
    BatchSampler,
    Sampler,
    checked_batch_size,
    count_batches,
    permutation,
)
from minifast.errors import DeviceError, OptionError, whole_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Generator, Tensor

    from minifast.data.datasets import MapDataset
    from minifast.data.samplers import SizedIterable


class DataLoader:
    """Data loader that reads a data set sample by sample and collates batches.

    With ``num_workers=0`` the samples are read in this process. With more, the same
    batches in the same order are read ahead by torch's ``DataLoader``, in processes
    that start with each pass: worth it where a sample takes long, such as a picture to
    decode, and much slower for data in memory, which ``TensorLoader`` is for. Whoever
    wants more of torch's loader (workers that stay, pinned memory) uses it directly;
    ``Learner`` takes either.

    To continue a shuffled run where it stopped, save ``generator.get_state()`` between
    two passes and restore it. A pass draws first its order, from ``generator``, then a
    seed for worker processes, from torch's default generator. It does so without
    workers too, as torch's loader does: no random number depends on how many there are,
    but those that the data set draws itself.

    Args:
        dataset: What is read; any object with a length and samples numbered from 0. A
            stream (torch's ``IterableDataset``) is for torch's loader, and a dictionary
            must have the keys 0 to n - 1.
        batch_size: How many samples make a batch.
        shuffle: Whether to draw a new order for each pass.
        drop_last: Whether to leave out the last batch if it is not full.
        generator: Where orders are drawn from; torch's default generator if left out.
        sampler: An order of your own instead, as numbers of samples.
        collate_fn: Makes one batch of a list of samples.
        num_workers: How many processes read ahead; 0 reads in this one.

    Shape:
        A pass gives batches with leaves (B, ...), B being ``batch_size`` but for a
        smaller last batch.

    Raises:
        DTypeError: If the data set has no length or no numbered samples, or
            ``sampler`` no length.
        OptionError: If ``batch_size`` or ``num_workers`` is not a whole number in its
            range, not one batch would come out, or ``sampler`` comes with ``shuffle``.

    Example:
        >>> squares = [(n, n * n) for n in range(5)]
        >>> for n, square in DataLoader(squares, batch_size=2):
        ...     print(n, square)
        tensor([0, 1]) tensor([0, 1])
        tensor([2, 3]) tensor([4, 9])
        tensor([4]) tensor([16])

    Book: ch. 08, "Two loaders in the package".
    """

    def __init__(
        self,
        dataset: MapDataset,
        batch_size: int = 64,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: Generator | None = None,
        sampler: SizedIterable[int] | None = None,
        collate_fn: Callable[[Sequence[Any]], Any] = collate,
        num_workers: int = 0,
    ) -> None:
        n_samples = count_samples(dataset)
        if sampler is not None and (shuffle or generator is not None):
            raise OptionError(
                "The order must come from one place.",
                f"a sampler, shuffle={shuffle}, generator={generator}",
                "Leave out the sampler, or else shuffle and generator.",
            )
        if sampler is None:
            sampler = Sampler(n_samples, shuffle, generator)
        self.dataset, self.collate_fn = dataset, collate_fn
        fix = "Pass 0 to read in this process."
        self.num_workers = whole_number("num_workers", num_workers, 0, fix)
        self.batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.generator: Generator | None = getattr(sampler, "generator", None)

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        batches, seed = iter(self.batch_sampler), draw_seed()
        if self.num_workers:
            return self._read_ahead(batches, seed)
        return self._read(batches)

    def _read(self, batches: Iterator[list[int]]) -> Iterator[Any]:
        for batch in batches:
            yield self.collate_fn([self.dataset[i] for i in batch])

    def _read_ahead(self, batches: Iterator[list[int]], seed: int) -> Iterator[Any]:
        loader: torch.utils.data.DataLoader[Any] = torch.utils.data.DataLoader(
            self.dataset,  # type: ignore[arg-type]
            batch_sampler=list(batches),
            collate_fn=self.collate_fn,
            num_workers=self.num_workers,
            generator=torch.Generator().manual_seed(seed),
        )
        return iter(loader)

    def __repr__(self) -> str:
        return (
            f"DataLoader({len(self.dataset):,} samples, batches of "
            f"{self.batch_sampler.batch_size}, {self.num_workers} workers)"
        )


class TensorLoader:
    """Data loader for tensors in memory, which cuts batches on their device.

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
        self.batch_size = checked_batch_size(batch_size)
        count_batches(self.n_samples, self.batch_size, drop_last)
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
        self.shuffle, self.drop_last, self.generator = shuffle, drop_last, generator

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


@dataclass(frozen=True)
class DataLoaders:
    """Pair of data loaders: one to train on, one to validate with.

    Args:
        train: Gives the batches to train on, anew on each pass; any loader will do,
            torch's too.
        valid: Gives those to validate with, or None where there are none.

    Book: ch. 08, "The first number, and why it is wrong".
    """

    train: SizedIterable[Any]
    valid: SizedIterable[Any] | None = None

    @classmethod
    def from_tensors(
        cls,
        train: Sequence[Tensor],
        valid: Sequence[Tensor],
        batch_size: int = 64,
        *,
        drop_last: bool = False,
        generator: Generator | None = None,
        device: torch.device | str | None = None,
    ) -> DataLoaders:
        r"""Return data loaders for tensors in memory.

        Training batches are shuffled. Validation batches come in order, all of them,
        and are twice as large: without gradients a batch needs less memory.

        Args:
            train: The tensors to train on, such as inputs and targets.
            valid: Those to validate with.
            batch_size: How many samples make a training batch.
            drop_last: Whether to leave out the last training batch if it is not full.
            generator: Where orders are drawn from; torch's default one if left out.
            device: Where to keep the tensors; they stay where they are if left out.

        Shape:
            train: (N, ...) each; valid: (M, ...) each -> batches of tuples of (B, ...),
            for validation (2B, ...).

        Raises:
            MinifastError: What ``TensorLoader`` raises, of the kind it raises.

        Example:
            >>> import torch
            >>> x, y = torch.rand(10, 3), torch.arange(10)
            >>> dls = DataLoaders.from_tensors((x[:8], y[:8]), (x[8:], y[8:]), 2)
            >>> print(dls.train, dls.valid, sep="\n")
            TensorLoader(8 samples, batches of 2, shuffled, on cpu)
            TensorLoader(2 samples, batches of 4, in order, on cpu)

        Book: ch. 08, "The first number, and why it is wrong".
        """
        batch_size = checked_batch_size(batch_size)  # NumPy's would overflow below
        return cls(
            TensorLoader(
                *train,
                batch_size=batch_size,
                shuffle=True,
                drop_last=drop_last,
                generator=generator,
                device=device,
            ),
            TensorLoader(*valid, batch_size=2 * batch_size, device=device),
        )

    def one_batch(self) -> Any:
        """Return the batch that the next pass over ``train`` begins with.

        Looking changes nothing: all generators of random numbers are put back, also
        those that the data set keeps as attributes. So the pass still begins with it,
        and what is drawn afterwards is the same as if nobody had looked.

        Shape:
            -> what ``train`` gives, such as (B, ...), (B, ...).
        """
        loader: Any = self.train
        if isinstance(loader, torch.utils.data.DataLoader):
            # Workers that stay must begin with a pass, which draws their seed.
            loader = copy.copy(loader)
            loader._iterator = None
        with unchanged_generators(loader):
            return next(iter(loader))
