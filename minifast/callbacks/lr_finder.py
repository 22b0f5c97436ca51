"""Find a learning rate by raising it until the loss explodes.

Book: ch. 12, "Finding a learning rate".
"""

from __future__ import annotations

import copy
import itertools
import math
import statistics
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minifast.errors import OptionError
from minifast.learner import Callback, CancelEpoch, CancelFit, Order
from minifast.learner.callback import takes_part_in_lr_find
from minifast.learner.state import set_training_state, training_state

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
    (``Callback.in_lr_find``). Parameter groups keep the ratios of their rates.

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
    idle = [cb for cb in learn.cbs if not takes_part_in_lr_find(cb)]
    with _undone(learn), learn.removed_cbs(*idle):
        learn.fit(n_steps, cbs=[ramp])  # an epoch has a batch at least
    return ramp.curve()


class _Ramp(Callback):
    """Sets the learning rate for each batch, and notes the loss."""

    order = Order.LAST

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


@dataclass(frozen=True)
class LRCurve:
    """What ``lr_find`` saw, step by step.

    No suggestion is right for sure: look at the curve. They are read off the smoothed
    losses from their beginning to their minimum; what comes after is the explosion.

    Args:
        lrs: The learning rates, each a constant factor above the last.
        losses: The loss of the batch at each.
        width: Over how many steps to each side the losses are smoothed.
    """

    lrs: tuple[float, ...]
    losses: tuple[float, ...]
    width: int

    @property
    def smooth(self) -> tuple[float, ...]:
        """The losses, each averaged with its neighbours.

        The weights fall linearly to 0, the same way to both sides: so the curve is not
        late, as a running average is, and one huge loss changes only what is near.

        Book: ch. 12, "Finding a learning rate".
        """
        weights = {d: self.width - abs(d) for d in range(1 - self.width, self.width)}
        averages = []
        for i in range(len(self.losses)):
            near = [(i + d, w) for d, w in weights.items()]
            near = [(j, w) for j, w in near if 0 <= j < len(self.losses)]
            total = sum(self.losses[j] * w for j, w in near)
            averages.append(total / sum(w for _, w in near))
        return tuple(averages)

    @property
    def steepest(self) -> float:
        """The rate at which the loss falls fastest, over the log of the rate."""
        smooth = self._descent()
        falls = [b - a for a, b in itertools.pairwise(smooth)]
        return self.lrs[falls.index(min(falls))] if falls else self.lrs[0]

    @property
    def valley(self) -> float:
        """The rate at which half of the way down into the valley is done.

        Book: ch. 12, "Finding a learning rate".
        """
        smooth = self._descent()
        half = (smooth[0] + smooth[-1]) / 2
        above = [i for i, loss in enumerate(smooth) if loss > half]
        return self.lrs[max(above, default=0)]

    @property
    def minimum_tenth(self) -> float:
        """A tenth of the rate at which the loss is smallest."""
        return self.lrs[len(self._descent()) - 1] / 10

    @property
    def suggestions(self) -> dict[str, float]:
        """The three rates by name.

        Book: ch. 12, "Finding a learning rate".
        """
        names = ("steepest", "valley", "minimum_tenth")
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        """Say the range and the suggestions."""
        found = ", ".join(f"{k} {v:.2g}" for k, v in self.suggestions.items())
        lrs = f"{self.lrs[0]:.2g} to {self.lrs[-1]:.2g} in {len(self.lrs)} steps"
        return f"LRCurve({lrs}; suggested: {found})"

    def _descent(self) -> tuple[float, ...]:
        smooth = self.smooth
        return smooth[: smooth.index(min(smooth)) + 1]
