"""The loader that reads a data set sample by sample.

Book: ch. 08, "Two loaders in the package".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch.utils.data

from minifast.data.loaders.collation import collate
from minifast.data.loaders.dataset import MapDataset
from minifast.data.loaders.samplers import BatchSampler, Sampler, SizedIterable
from minifast.errors import DTypeError, OptionError, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Generator


class DataLoader:
    """Goes through a data set in batches: in which order, which samples, how joined.

    With ``num_workers=0`` the samples are read in this process. With more, the same
    batches in the same order are read ahead by torch's ``DataLoader``, in processes
    that start with each pass: worth it where a sample takes long, such as a picture to
    decode, and much slower for data in memory, which ``TensorLoader`` is for. Whoever
    wants more of torch's loader (workers that stay, pinned memory) uses it directly;
    ``Learner`` takes either.

    To continue a shuffled run where it stopped, save ``generator.get_state()`` between
    two passes and restore it. Worker processes are seeded by torch's default generator
    and leave ``generator`` alone.

    Args:
        dataset: What is read; any object with a length and samples numbered from 0.
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
        DTypeError: If the data set has no length or no numbered samples.
        OptionError: If ``batch_size`` or ``num_workers`` is out of range, not one
            batch would come out, or ``sampler`` comes with ``shuffle``.

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
        if not isinstance(dataset, MapDataset):
            raise DTypeError(
                "A data set must have a length and samples numbered from 0.",
                describe(dataset),
                "Put the samples in a list, or write __len__ and __getitem__.",
            )
        if sampler is not None and (shuffle or generator is not None):
            raise OptionError(
                "The order must come from one place.",
                f"a sampler, shuffle={shuffle}, generator={generator}",
                "Leave out the sampler, or else shuffle and generator.",
            )
        if num_workers < 0:
            raise OptionError(
                "The number of workers must be 0 or more.",
                f"num_workers={num_workers}",
                "Pass 0 to read in this process.",
            )
        if sampler is None:
            sampler = Sampler(len(dataset), shuffle, generator)
        self.dataset, self.collate_fn = dataset, collate_fn
        self.num_workers = num_workers
        self.batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.generator: Generator | None = getattr(sampler, "generator", None)

    def __len__(self) -> int:
        return len(self.batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        return self._read_ahead() if self.num_workers else self._read()

    def _read(self) -> Iterator[Any]:
        for batch in self.batch_sampler:
            yield self.collate_fn([self.dataset[i] for i in batch])

    def _read_ahead(self) -> Iterator[Any]:
        loader: torch.utils.data.DataLoader[Any] = torch.utils.data.DataLoader(
            self.dataset,  # type: ignore[arg-type]
            batch_sampler=self.batch_sampler,
            collate_fn=self.collate_fn,
            num_workers=self.num_workers,
        )
        return iter(loader)

    def __repr__(self) -> str:
        return (
            f"DataLoader({len(self.dataset):,} samples, batches of "
            f"{self.batch_sampler.batch_size}, {self.num_workers} workers)"
        )
