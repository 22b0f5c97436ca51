"""In which order samples are read, and how the order is cut into batches.

Book: ch. 08, "Order".
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

import torch

from minifast.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

T_co = TypeVar("T_co", covariant=True)


class SizedIterable(Protocol[T_co]):
    """What can be gone through again and again, and knows how long that takes."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[T_co]: ...


class Sampler:
    """The numbers 0 to n - 1, in order or in a new random order each time.

    Args:
        n_samples: How many samples the data set has.
        shuffle: Whether to draw a new order for each pass.
        generator: Where the order is drawn from; torch's default generator, the one
            that ``torch.manual_seed`` sets, if left out.

    Raises:
        OptionError: If there are no samples.

    Example:
        >>> import torch
        >>> list(Sampler(4))
        [0, 1, 2, 3]
        >>> shuffled = Sampler(4, shuffle=True, generator=torch.Generator())
        >>> sorted(shuffled)
        [0, 1, 2, 3]
    """

    def __init__(
        self,
        n_samples: int,
        shuffle: bool = False,
        generator: Generator | None = None,
    ) -> None:
        count_batches(n_samples, 1)
        self.n_samples, self.shuffle, self.generator = n_samples, shuffle, generator

    def __len__(self) -> int:
        return self.n_samples

    def __iter__(self) -> Iterator[int]:
        if not self.shuffle:
            return iter(range(self.n_samples))
        order: list[int] = permutation(self.n_samples, self.generator).tolist()
        return iter(order)


class BatchSampler:
    """Cuts the numbers that a sampler gives into lists of one batch each.

    Args:
        sampler: Gives the numbers of the samples; any sized iterable of them.
        batch_size: How many make a batch.
        drop_last: Whether to leave out the last batch if it is not full.

    Raises:
        OptionError: If ``batch_size`` is not a whole number of at least 1, or not one
            batch would come out.

    Example:
        >>> list(BatchSampler(Sampler(5), 2))
        [[0, 1], [2, 3], [4]]
        >>> list(BatchSampler(Sampler(5), 2, drop_last=True))
        [[0, 1], [2, 3]]
    """

    def __init__(
        self, sampler: SizedIterable[int], batch_size: int, drop_last: bool = False
    ) -> None:
        count_batches(len(sampler), batch_size, drop_last)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __len__(self) -> int:
        return count_batches(len(self.sampler), self.batch_size, self.drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch


def permutation(n: int, generator: Generator | None = None) -> Tensor:
    """Draw a random order of the numbers 0 to n - 1.

    It is drawn on the generator's device, so for data on a GPU too a CPU generator
    with the same seed gives the same order.

    Args:
        n: How many numbers.
        generator: Where to draw from; torch's default CPU generator if left out.

    Shape:
        -> (n,) int64, on the generator's device.
    """
    device = generator.device if generator is not None else "cpu"
    return torch.randperm(n, generator=generator, device=device)


def count_batches(n_samples: int, batch_size: int, drop_last: bool = False) -> int:
    """Return how many batches come out, of which there must be at least one.

    A pass over nothing would train nothing and say nothing; so it is refused when the
    loader is built.

    Args:
        n_samples: How many samples there are.
        batch_size: How many make a batch.
        drop_last: Whether a last batch that is not full is left out.

    Raises:
        OptionError: If ``batch_size`` is not a whole number of at least 1, or not one
            batch would come out.

    Example:
        >>> count_batches(100, 32), count_batches(100, 32, drop_last=True)
        (4, 3)
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise OptionError(
            "The batch size must be a whole number of at least 1.",
            f"batch_size={batch_size!r}",
            "Pass a number such as 64.",
        )
    full, rest = divmod(n_samples, batch_size)
    n_batches = full + (rest > 0 and not drop_last)
    if n_batches == 0:
        raise OptionError(
            "A pass over the data must give at least one batch.",
            f"{n_samples} samples, batch_size={batch_size}, drop_last={drop_last}",
            "Check the split that left nothing."
            if n_samples == 0
            else "Take a smaller batch size, or keep the last batch.",
        )
    return n_batches
