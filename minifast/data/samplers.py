"""Samplers: in which order samples are read, and how that is cut into batches.

Book: ch. 08, "Order".
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

import torch

from minifast.errors import DTypeError, OptionError, describe, whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Generator, Tensor

T_co = TypeVar("T_co", covariant=True)


@runtime_checkable
class SizedIterable(Protocol[T_co]):
    """Protocol of an iterable with a length, which can be gone through many times."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[T_co]: ...


class Sampler:
    """Sampler of the numbers 0 to n - 1, in order or in a new random order each time.

    Args:
        n_samples: How many samples the data set has.
        shuffle: Whether to draw a new order for each pass.
        generator: Where the order is drawn from; torch's default generator, the one
            that ``torch.manual_seed`` sets, if left out.

    Raises:
        OptionError: If ``n_samples`` is not a whole number of at least 1.

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
        self.n_samples = whole_number("n_samples", n_samples, 0)
        count_batches(self.n_samples, 1)
        self.shuffle, self.generator = shuffle, generator

    def __len__(self) -> int:
        return self.n_samples

    def __iter__(self) -> Iterator[int]:
        if not self.shuffle:
            return iter(range(self.n_samples))
        order: list[int] = permutation(self.n_samples, self.generator).tolist()
        return iter(order)


class BatchSampler:
    """Sampler of batches: cuts the numbers that a sampler gives into lists.

    The whole order, as many numbers as the sampler's length says, is drawn when a pass
    begins. So it does not depend on what else is
    drawn from the same generator during the pass, nor on how far worker processes read
    ahead.

    Args:
        sampler: Gives the numbers of the samples; any sized iterable of them.
        batch_size: How many make a batch.
        drop_last: Whether to leave out the last batch if it is not full.

    Raises:
        DTypeError: If the sampler has no length, or can be gone through only once.
        OptionError: If ``batch_size`` is not a whole number of at least 1, or not one
            batch would come out; in a pass, if the sampler gives other things than
            whole numbers.

    Example:
        >>> list(BatchSampler(Sampler(5), 2))
        [[0, 1], [2, 3], [4]]
        >>> list(BatchSampler(Sampler(5), 2, drop_last=True))
        [[0, 1], [2, 3]]
    """

    def __init__(
        self, sampler: SizedIterable[int], batch_size: int, drop_last: bool = False
    ) -> None:
        if not isinstance(sampler, SizedIterable):
            raise DTypeError(
                "A sampler must have a length, and give its numbers on each pass.",
                describe(sampler),
                "Put the numbers in a list.",
            )
        self.batch_size = checked_batch_size(batch_size)
        self.sampler, self.drop_last = sampler, drop_last
        count_batches(len(sampler), self.batch_size, drop_last)

    def __len__(self) -> int:
        return count_batches(len(self.sampler), self.batch_size, self.drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        order = list(islice(self.sampler, len(self.sampler)))  # some go on for ever
        if set(map(type, order)) - {int}:
            order = [whole_number("index", index) for index in order]
        return self._cut(order)

    def _cut(self, order: list[int]) -> Iterator[list[int]]:
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch


def permutation(n: int, generator: Generator | None = None) -> Tensor:
    """Draw a random permutation of the numbers 0 to n - 1.

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


def checked_batch_size(batch_size: int) -> int:
    """Return the batch size as an int.

    Raises:
        OptionError: If it is not a whole number of at least 1.
    """
    return whole_number("batch_size", batch_size, 1, "Pass a number such as 64.")


def count_batches(n_samples: int, batch_size: int, drop_last: bool = False) -> int:
    """Return the number of batches in a pass, of which there must be at least one.

    A pass over nothing would train nothing and say nothing; so it is refused when the
    loader is built.

    Args:
        n_samples: How many samples there are.
        batch_size: How many make a batch.
        drop_last: Whether a last batch that is not full is left out.

    Raises:
        OptionError: If not one batch would come out.

    Example:
        >>> count_batches(100, 32), count_batches(100, 32, drop_last=True)
        (4, 3)
    """
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
