"""Any of torch's learning rate schedulers, by one callback.

Book: ch. 12, "The callback that sets it".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from torch.optim.lr_scheduler import ReduceLROnPlateau

from minifast.callback import Callback
from minifast.callbacks.hypers import get_hypers, set_hypers
from minifast.errors import OptionError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from minifast.learner import Learner


class TorchScheduler(Callback):
    """Makes a scheduler for each fit, and calls its ``step`` at the right time.

    After the fit the hyper-parameters are as they were before it.

    Args:
        make: Called with the optimizer; returns the scheduler. A ``functools.partial``
            of one of torch's classes, say.
        each: Whether it goes on with each optimizer step or with each epoch.
        monitor: The figure for ``ReduceLROnPlateau``, which goes on with each epoch.

    Raises:
        OptionError: If ``each`` is neither.

    Example:
        >>> from functools import partial
        >>> from torch.optim.lr_scheduler import StepLR
        >>> halve = TorchScheduler(partial(StepLR, step_size=1, gamma=0.5), "epoch")

    Book: ch. 12, "The callback that sets it".
    """

    rehearses = False
    order = 70  # after the figures it may need have been computed

    def __init__(
        self,
        make: Callable[[Optimizer], LRScheduler],
        each: Literal["step", "epoch"] = "step",
        *,
        monitor: str = "valid_loss",
    ) -> None:
        if each not in ("step", "epoch"):
            must = "A scheduler must go on with each step or with each epoch."
            raise OptionError(must, f"each={each!r}", 'Pass "step" or "epoch".')
        self.make, self.each, self.monitor = make, each, monitor
        self.scheduler: LRScheduler | None = None
        self._before: list[dict[str, Any]] = []

    def before_fit(self, learn: Learner) -> None:
        """Make the scheduler, which sets the first learning rate."""
        self._before = get_hypers(learn.opt)
        if learn.n_epochs:
            self.scheduler = self.make(learn.opt)

    def after_step(self, learn: Learner) -> None:
        """Go on, if it goes by steps."""
        if self.each == "step" and self.scheduler is not None:
            self.scheduler.step()

    def after_epoch(self, learn: Learner) -> None:
        """Go on, if it goes by epochs."""
        if self.each == "step" or self.scheduler is None:
            return
        if not isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step()
        elif self.monitor in learn.row:
            self.scheduler.step(learn.row[self.monitor])
        else:
            raise UnknownNameError.of("figure to monitor", self.monitor, learn.row)

    def cleanup_fit(self, learn: Learner) -> None:
        """Put the hyper-parameters back."""
        if self._before:
            set_hypers(learn.opt, self._before)
        self.scheduler, self._before = None, []

    def state_dict(self) -> dict[str, Any]:
        """Return where the scheduler is, and what it will put back."""
        scheduler = self.scheduler.state_dict() if self.scheduler else {}
        return {"scheduler": scheduler, "before": self._before}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self._before = state["before"]
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
