"""Find a learning rate by raising it until the loss explodes.

Book: ch. 12, "Finding a learning rate".
"""

from __future__ import annotations

import copy
import math
import statistics
from contextlib import contextmanager
from typing import TYPE_CHECKING

from minifast.callback import Callback, CancelEpoch, CancelFit
from minifast.callbacks.lr_curve import LRCurve
from minifast.callbacks.training_state import set_training_state, training_state
from minifast.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from minifast.learner import Learner


def lr_find(
    learn: Learner,
    lr_min: float = 1e-6,
    lr_max: float = 10.0,
    n_steps: int = 100,
    *,
    stop_factor: float = 4.0,
) -> LRCurve:
    """Train for a moment with a growing learning rate, and undo it all.

    The rate grows by the same factor with each batch. Weights, buffers, optimizer,
    random numbers, loaders' generators and records are afterwards bit for bit what they
    were. The loader is begun anew as often as needed; there is no validation. Callbacks
    that keep records, stop early or set learning rates do not take part
    (``Callback.rehearses``). Parameter groups keep the ratios of their rates.

    Unlike a fit, this waits for the device at each batch, to see the loss.

    Args:
        learn: The Learner.
        lr_min: The first learning rate.
        lr_max: The last one, if the loss does not explode before.
        n_steps: How many batches from one to the other.
        stop_factor: When the mean of the last losses, a twentieth of ``n_steps``, is so
            many times the smallest such mean, and larger than the first, the loss has
            exploded: stop.

    Raises:
        OptionError: If a number is out of range, or the loss is not finite for even
            three batches.

    Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", arXiv
    1506.01186, section 3.3.

    Book: ch. 12, "Finding a learning rate".
    """
    if not (0 < lr_min < lr_max and n_steps >= 3 and stop_factor > 1):
        must = "Rates must rise from above 0 in 3 steps or more; stop_factor > 1."
        got = f"{lr_min=}, {lr_max=}, {n_steps=}, {stop_factor=}"
        raise OptionError(must, got, "Begin with the defaults.")
    ramp = _Ramp(lr_min, lr_max, n_steps, stop_factor)
    idle = [cb for cb in learn.cbs if not cb.rehearses]
    with _undone(learn), learn.removed_cbs(*idle):
        learn.fit(n_steps, cbs=[ramp])  # an epoch has a batch at least
    return ramp.curve()


class _Ramp(Callback):
    """Sets the learning rate for each batch, and notes the loss."""

    order = 1_000
    rehearses = False

    def __init__(
        self, lr_min: float, lr_max: float, n_steps: int, stop_factor: float
    ) -> None:
        growth = math.log(lr_max / lr_min) / (n_steps - 1)
        self.planned = [lr_min * math.exp(growth * i) for i in range(n_steps)]
        self.width, self.stop_factor = max(5, n_steps // 20), stop_factor
        self.losses: list[float] = []
        self._best = math.inf

    def before_fit(self, learn: Learner) -> None:
        """Note the ratios of the groups' learning rates."""
        lrs = [float(group["lr"]) for group in learn.opt.param_groups]
        self.ratios = [lr / max(lrs) if max(lrs) else 1.0 for lr in lrs]

    def before_validate(self, learn: Learner) -> None:
        """Don't."""
        raise CancelEpoch

    def before_batch(self, learn: Learner) -> None:
        """Set the rate."""
        lr = self.planned[len(self.losses)]
        for group, ratio in zip(learn.opt.param_groups, self.ratios, strict=True):
            group["lr"] = lr * ratio

    def after_batch(self, learn: Learner) -> None:
        """Note the loss; end when it explodes, or with the last rate."""
        loss = learn.loss.item()
        if not math.isfinite(loss):
            raise CancelFit("the loss is not finite")
        self.losses.append(loss)
        if len(self.losses) == len(self.planned):
            raise CancelFit("all learning rates tried")
        if self._explodes():
            raise CancelFit("the loss explodes")

    def _explodes(self) -> bool:
        if len(self.losses) < self.width:
            return False
        first = statistics.fmean(self.losses[: self.width])
        last = statistics.fmean(self.losses[-self.width :])
        self._best = min(self._best, last)
        limit = self._best + (self.stop_factor - 1) * abs(self._best)
        return last > max(first, limit)

    def curve(self) -> LRCurve:
        """Return what was found."""
        n = len(self.losses)
        if n < 3:
            raise OptionError(
                "The loss must be finite for three batches at least.",
                f"{n} of them, from a learning rate of {self.planned[0]:.0e}",
                "Check inputs and loss for nan, or take a smaller lr_min.",
            )
        return LRCurve(tuple(self.planned[:n]), tuple(self.losses), self.width)


@contextmanager
def _undone(learn: Learner) -> Iterator[None]:
    """Put all that a fit changes back to what it was, bit for bit."""
    state = copy.deepcopy(training_state(learn, learn.cbs))
    attributes = dict(vars(learn))
    cbs, modes = learn.cbs, [(m, m.training) for m in learn.model.modules()]
    buffers = [(b, b.clone()) for b in learn.model.buffers()]  # the unsaved ones too
    try:
        yield
    finally:
        vars(learn).update(attributes)
        set_training_state(learn, cbs, state)
        for module, training in modes:
            module.training = training
        for buffer, value in buffers:
            buffer.copy_(value)
