"""Checkpoints: the last epoch and the best in files, and going on after a crash.

Book: ch. 12.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from minifast.callbacks.stopping import Mode, best_row, check_figure, direction
from minifast.errors import DataError, describe
from minifast.learner import Callback, Order, files
from minifast.learner.state import set_training_state, training_state

if TYPE_CHECKING:
    import os

    from minifast.learner import Learner


class Checkpoint(Callback):
    """Writes the whole state of a training at the end of each epoch.

    ``last.pt`` is the last epoch and ``best.pt`` the best of the fit;
    ``learn.load(checkpoint.best)`` takes the weights of the latter. With
    ``resume=True``, the first fit goes on after the last epoch that was written. An
    epoch that was begun is begun anew. Without a file, or for later fits with the same
    object, it starts at the beginning.

    A resumed fit comes to the same weights as one that was never interrupted. What is
    kept for that: weights and buffers, of a loss with weights too; the optimizer with
    its hyper-parameters; the loss scale; history and step count; the ``state_dict`` of
    each callback; and the random numbers of Python, NumPy, torch, CUDA and of the
    generators in the loaders. What is not: other generators (of
    ``numpy.random.default_rng``, or of other accelerators), and whatever else a
    data set, a worker process or a callback without ``state_dict`` remembers. What the
    callbacks were made with, the length and form of a schedule, say, is that of the new
    fit; so a resumed fit may be made longer.

    A file that does not fit is refused before anything is changed. Nothing keeps
    ``last.pt`` from an epoch whose weights have become nan, unless ``TerminateOnNaN``
    is among the callbacks: it ends the fit before such an epoch is written. For
    ``best.pt`` it is looked at.

    Args:
        folder: Where to write; made if need be. Give each fit of a script its own.
        monitor: The figure to choose the best epoch by; without, no ``best.pt``.
        mode: Whether small or large is good; by the name of the figure if ``"auto"``.
        every_epoch: Whether to keep ``epoch-000.pt``, ``epoch-001.pt`` ... as well.
        resume: Whether to go on where ``last.pt`` stopped.

    Raises:
        OptionError: If the name of the figure does not say whether small or large is
            good, and ``mode`` does not either.

    Example:
        >>> from minifast.callbacks import TerminateOnNaN
        >>> keep = Checkpoint("runs/1", monitor="valid_loss", resume=True)
        >>> cbs = [keep, TerminateOnNaN()]

    Book: ch. 12.
    """

    order = Order.SAVE

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
        """Take up an interrupted fit; see that what there is can be written."""
        if self.resume and self.last.exists():
            self._take_up(learn)
        self.resume = False
        files.plain(training_state(learn, learn.active_cbs))

    def _take_up(self, learn: Learner) -> None:
        saved = files.read(self.last)
        done = saved.get("epochs_done")
        if not isinstance(done, int) or done > len(saved.get("history", ())):
            must = f"The file {self.last} must be one that Checkpoint wrote."
            got = f"epochs_done: {describe(done)}"
            raise DataError(must, got, f"Take what it has: learn.load({self.last}).")
        set_training_state(learn, learn.active_cbs, saved)
        learn.epoch = done

    def after_epoch(self, learn: Learner) -> None:
        """Write the files."""
        now = training_state(learn, learn.active_cbs)
        now["epochs_done"] = learn.epoch + 1
        if self.every_epoch:
            files.write(now, self.folder / f"epoch-{learn.epoch:03}.pt")
        if self.monitor is not None and self._is_best(learn, self.monitor):
            files.write(now, self.best)
        files.write(now, self.last)

    def _is_best(self, learn: Learner, monitor: str) -> bool:
        """Say whether no epoch of this fit was as good, and the weights are numbers."""
        rows = learn.history[-(learn.epoch + 1) :]
        check_figure(rows, monitor, wait=learn.dls.valid is not None)
        if best_row(rows, monitor, self.mode) != len(rows) - 1:
            return False
        return all(bool(p.isfinite().all()) for p in learn.model.parameters())
