"""Keep the weights of the last epoch and of the best, and go on after a crash.

Book: ch. 12.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minifast.callbacks.stopping import Mode, best_row, check_figure, direction
from minifast.learner import Callback, state
from minifast.learner.state import set_training_state, training_state

if TYPE_CHECKING:
    import os

    from minifast.learner import Learner


class Checkpoint(Callback):
    """Writes the whole state of a training at the end of each epoch.

    ``last.pt`` is the last epoch and ``best.pt`` the best; ``learn.load`` reads either.
    With ``resume=True``, the first fit goes on after the last epoch that was written,
    and comes to the same weights as a fit that was never interrupted: weights,
    optimizer, schedules, records, random numbers and the generators of the loaders are
    as they were. An epoch that was begun is begun anew. Without a file, or for later
    fits with the same object, it starts at the beginning.

    Args:
        folder: Where to write; made if need be. Give each fit of a script its own.
        monitor: The figure to choose the best epoch by; without, no ``best.pt``.
        mode: Whether small or large is good; by the name of the figure if ``"auto"``.
        every_epoch: Whether to keep ``epoch-000.pt``, ``epoch-001.pt`` ... as well.
        resume: Whether to go on where ``last.pt`` stopped.

    Raises:
        OptionError: If the name of the figure does not say whether small or large is
            good, and ``mode`` does not either.

    Book: ch. 12.
    """

    order = 90  # what it restores, others have set up; what it saves, they have updated
    rehearses = False

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        monitor: str | None = None,
        mode: Mode = "auto",
        every_epoch: bool = False,
        resume: bool = False,
    ) -> None:
        self.folder, self.monitor, self.mode = Path(folder), monitor, mode
        if monitor is not None:
            self.mode = direction(monitor, mode)
        self.every_epoch, self.resume = every_epoch, resume

    @property
    def last(self) -> Path:
        """The file of the last epoch."""
        return self.folder / "last.pt"

    @property
    def best(self) -> Path:
        """The file of the best epoch."""
        return self.folder / "best.pt"

    def before_fit(self, learn: Learner) -> None:
        """Take up an interrupted fit."""
        if not (self.resume and learn.n_epochs):
            return
        self.resume = False
        if self.last.exists():
            saved = state.read(self.last)
            set_training_state(learn, learn.active_cbs, saved)
            learn.epoch = saved["epochs_done"]

    def after_epoch(self, learn: Learner) -> None:
        """Write the files."""
        now = training_state(learn, learn.active_cbs)
        now["epochs_done"] = learn.epoch + 1
        if self.every_epoch:
            state.write(now, self.folder / f"epoch-{learn.epoch:03}.pt")
        if self.monitor is not None:
            rows = learn.history
            check_figure(rows, self.monitor, wait=learn.dls.valid is not None)
            if best_row(rows, self.monitor, self.mode) == len(rows) - 1:
                state.write(now, self.best)
        state.write(now, self.last)
