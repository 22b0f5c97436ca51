"""Stop when it gets no better.

Book: ch. 12, "Knowing when to stop".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minifast.callback import Callback, CancelFit
from minifast.callbacks.monitor import Mode, best_row
from minifast.errors import OptionError

if TYPE_CHECKING:
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

    order = 100  # after all who have something to do at the end of an epoch
    rehearses = False

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
