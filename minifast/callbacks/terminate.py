"""Stop when the loss is no number any more.

Book: ch. 12, "Knowing when to stop".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from minifast.callback import Callback, CancelFit
from minifast.errors import OptionError

if TYPE_CHECKING:
    from minifast.learner import Learner


class TerminateOnNaN(Callback):
    """Ends a fit when the training loss is infinite or not a number.

    Looking at a loss waits for the device, so it is not done at each batch. Little is
    lost: once a weight is nan, so are all the losses that follow. A single infinite
    loss between two looks, of which the weights recover, goes unseen.

    Args:
        every: After how many batches to look, and at the end of each training pass.

    Raises:
        OptionError: If ``every`` is below 1.

    Book: ch. 12, "Knowing when to stop".
    """

    order = 100
    rehearses = False

    def __init__(self, every: int = 50) -> None:
        if every < 1:
            must = "The number of batches between two looks must be at least 1."
            raise OptionError(must, f"every={every}", "Pass a positive number.")
        self.every = every

    def after_batch(self, learn: Learner) -> None:
        """Look at the loss once in so many training batches."""
        if learn.training and (learn.iter + 1) % self.every == 0:
            self._look(learn)

    def after_train(self, learn: Learner) -> None:
        """Look at the last loss."""
        self._look(learn)

    def _look(self, learn: Learner) -> None:
        if not torch.isfinite(learn.loss):
            loss, step = learn.loss.item(), learn.step_count
            raise CancelFit(f"the loss was {loss} after {step} steps")
