"""Stop when it gets no better.

Book: ch. 12, "Knowing when to stop".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch

from minifast.errors import OptionError, UnknownNameError, did_you_mean
from minifast.learner import Callback, CancelFit, Order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minifast.learner import Learner


class EarlyStopping(Callback):
    """Ends a fit whose best epoch is some epochs ago.

    It remembers nothing: the rows of the fit say it all, also after a restart. The
    weights stay those of the last epoch; ``Checkpoint`` keeps the best.

    Args:
        monitor: The figure to judge by.
        patience: After how many epochs without a new best to stop, at least 1.
        min_delta: By how much a new best must beat the last.
        mode: Whether small or large is good; by the name of the figure if ``"auto"``.

    Raises:
        OptionError: If ``patience`` is below 1.

    Source: Prechelt 1998, "Early Stopping - But When?", section 2.

    Book: ch. 12, "Knowing when to stop".
    """

    order = Order.STOP

    def __init__(
        self,
        monitor: str = "valid_loss",
        *,
        patience: int = 3,
        min_delta: float = 0.0,
        mode: Mode = "auto",
    ) -> None:
        if patience < 1:
            must = "The patience must be at least 1 epoch."
            raise OptionError(must, f"patience={patience}", "Pass a positive number.")
        self.monitor, self.patience = monitor, patience
        self.min_delta, self.mode = min_delta, mode

    def before_fit(self, learn: Learner) -> None:
        """Stop a resumed fit that had been stopped."""
        self._stop_if_due(learn, n_rows=learn.epoch)

    def after_epoch(self, learn: Learner) -> None:
        """Stop if the best is too long ago."""
        self._stop_if_due(learn, n_rows=learn.epoch + 1)

    def _stop_if_due(self, learn: Learner, n_rows: int) -> None:
        rows = learn.history[len(learn.history) - n_rows :]
        best = best_row(rows, self.monitor, self.mode, self.min_delta)
        if n_rows - 1 - best >= self.patience:
            raise CancelFit(f"no better {self.monitor} in {self.patience} epochs")


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

    order = Order.STOP

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


Mode = Literal["auto", "min", "max"]
_SMALL_IS_GOOD = ("loss", "error", "perplexity")


def best_row(
    rows: Sequence[Mapping[str, float]],
    monitor: str,
    mode: Mode = "auto",
    min_delta: float = 0.0,
) -> int:
    """Return the number of the best row, the first one of equals; -1 if there is none.

    Args:
        rows: The figures of epochs by name, such as ``learn.history``.
        monitor: The name of the figure to judge by, such as ``"valid_loss"``.
        mode: Whether small or large is good; ``"auto"`` takes small for a name with
            loss, error or perplexity in it, and large for any other.
        min_delta: By how much a row must beat the best so far to take its place.

    Raises:
        UnknownNameError: If the last row has no such figure.
        OptionError: If there is no such mode.

    Example:
        >>> best_row([{"valid_loss": 0.5}, {"valid_loss": 0.3}], "valid_loss")
        1
    """
    if mode not in ("auto", "min", "max"):
        raise OptionError("The mode must be auto, min or max.", repr(mode))
    if rows and monitor not in rows[-1]:
        must = f"The figure to monitor must be one of: {', '.join(rows[-1])}."
        fix = did_you_mean(monitor, rows[-1]) or "Add MetricsCallback to the callbacks."
        raise UnknownNameError(must, repr(monitor), fix)
    if mode == "auto":
        mode = "min" if any(word in monitor for word in _SMALL_IS_GOOD) else "max"
    sign = -1.0 if mode == "min" else 1.0
    best, best_score = -1, -math.inf
    for i, row in enumerate(rows):
        score = sign * row.get(monitor, math.nan)
        if score > best_score + min_delta:  # never true of nan
            best, best_score = i, score
    return best
