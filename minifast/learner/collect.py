"""What ``validate`` and ``get_preds`` listen with.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minifast.callback import Callback, CancelBatch
from minifast.metrics import Mean

if TYPE_CHECKING:
    from minifast.learner.learner import Learner


class MeanLoss(Callback):
    """Adds up the losses of a pass, each as often as its batch has targets."""

    def __init__(self) -> None:
        self.mean = Mean()

    def after_batch(self, learn: Learner) -> None:
        """Add the loss, without waiting for the device."""
        self.mean.update(learn.loss, learn.weight)

    def row(self) -> dict[str, float]:
        """Return the mean under its name, or nothing if no batch ran to its end."""
        return {"valid_loss": self.mean.value()} if self.mean.count else {}


class Collect(Callback):
    """Keeps predictions and targets, and leaves each batch before its loss."""

    order = 1_000  # after all who may change the prediction

    def __init__(self) -> None:
        self.preds: list[Any] = []
        self.targets: list[Any] = []

    def after_pred(self, learn: Learner) -> None:
        """Keep both and leave the batch."""
        self.preds.append(learn.pred)
        self.targets.extend(learn.batch[1:2])
        raise CancelBatch
