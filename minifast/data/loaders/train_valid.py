"""One loader to train on and one to judge by.

Book: ch. 08, "The first number, and why it is wrong".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from minifast.data.loaders.tensor_loader import TensorLoader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Generator, Tensor

    from minifast.data.loaders.samplers import SizedIterable


@dataclass(frozen=True)
class DataLoaders:
    """The batches of one experiment: those to train on, those to validate with.

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
        r"""Cut batches out of tensors in memory.

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

        Looking changes nothing: the generator is put back, so the pass still begins
        with it.

        Shape:
            -> what ``train`` gives, such as (B, ...), (B, ...).

        Book: ch. 08, "The first number, and why it is wrong".
        """
        generator = getattr(self.train, "generator", None) or torch.default_generator
        state = generator.get_state()
        try:
            return next(iter(self.train))
        finally:
            generator.set_state(state)
