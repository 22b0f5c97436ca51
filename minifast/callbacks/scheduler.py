"""Schedulers of the learning rate and other hyper-parameters, torch's too.

Book: ch. 12, "The callback that sets it".
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from torch.optim.lr_scheduler import ReduceLROnPlateau

from minifast.callbacks.stopping import check_figure
from minifast.errors import DTypeError, OptionError, describe
from minifast.learner import Callback, Order, n_batches
from minifast.optim import (
    get_hyper,
    get_hypers,
    group_lrs,
    one_cycle,
    one_cycle_momentum,
    set_hyper,
    set_hypers,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from minifast.learner import Learner
    from minifast.optim import Schedule


class ParamScheduler(Callback):
    """Sets hyper-parameters before each training batch, by the position in the fit.

    The first batch is at position 0 and the last one at 1, so a schedule begins and
    ends at its ends. After the fit the hyper-parameters are what they were before.

    Args:
        schedules: For the name of each hyper-parameter a function of the position, or
            one for each parameter group. ``momentum`` is the first of the ``betas``
            where an optimizer has those.

    Raises:
        OptionError: If there is no schedule.

    Example:
        >>> from minifast.optim import cosine
        >>> anneal = ParamScheduler(lr=cosine(0.1, 0.001))

    Book: ch. 12, "The callback that sets it".
    """

    in_lr_find = False

    def __init__(self, **schedules: Schedule | Sequence[Schedule]) -> None:
        if not schedules:
            must = "A ParamScheduler must have a schedule."
            raise OptionError(must, "none", "Write ParamScheduler(lr=...).")
        self.schedules, self.sets = schedules, tuple(schedules)
        self._before: dict[str, list[float]] = {}
        self._last = 0  # the number of the last batch of the fit

    def before_fit(self, learn: Learner) -> None:
        """Note what the hyper-parameters are, and how long the fit will be."""
        length = n_batches(learn.dls.train)
        if not length:
            raise OptionError(
                "The training loader must know how many batches it gives.",
                f"{type(learn.dls.train).__name__}, which has no length",
                "Give it a __len__: a schedule goes by the position in the fit.",
            )
        self._before = {name: [] for name in self.schedules}
        self._note_new_groups(learn)
        self._last = learn.n_epochs * length - 1

    def before_batch(self, learn: Learner) -> None:
        """Set the values for this batch."""
        if not learn.training:
            return
        done = learn.epoch * learn.n_iter + learn.iter
        position = min(1.0, done / max(1, self._last))
        groups = learn.opt.param_groups
        self._note_new_groups(learn)
        for name in self.schedules:
            schedules = self._for_groups(name, len(groups))
            for group, schedule in zip(groups, schedules, strict=True):
                set_hyper(group, name, schedule(position))

    def cleanup_fit(self, learn: Learner) -> None:
        """Put the values back."""
        for name, values in self._before.items():
            for group, value in zip(learn.opt.param_groups, values, strict=False):
                set_hyper(group, name, value)
        self._before = {}

    def _note_new_groups(self, learn: Learner) -> None:
        """Note what the values are; groups may also be added while a fit runs."""
        groups = learn.opt.param_groups
        for name, values in self._before.items():
            self._for_groups(name, len(groups))
            values += [get_hyper(group, name) for group in groups[len(values) :]]

    def state_dict(self) -> dict[str, Any]:
        """Return the values to put back."""
        return {"before": {name: list(v) for name, v in self._before.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the values to put back."""
        self._before = {name: list(v) for name, v in state["before"].items()}

    def _for_groups(self, name: str, n_groups: int) -> Sequence[Schedule]:
        """Return one schedule for each group."""
        schedules = self.schedules[name]
        if not isinstance(schedules, Sequence):
            return [schedules] * n_groups
        if len(schedules) != n_groups:
            must = "There must be one schedule for all parameter groups, or for each."
            raise OptionError(must, f"{len(schedules)} for {n_groups} groups of {name}")
        return schedules


class OneCycle(ParamScheduler):
    """Warms the learning rate up, lets it fall almost to zero, and momentum opposite.

    Args:
        lr_max: The highest learning rate; for several parameter groups also a sequence
            of them, or ``slice(lowest, highest)``.
        warmup: The fraction of the fit until it is reached.
        momentum: The momentum at both ends and at the highest rate, for an optimizer
            that uses momentum; None leaves it as it is.

    Source: Smith 2018, "A disciplined approach to neural network hyper-parameters:
    part 1", arXiv 1803.09820, section 4.
    """

    def __init__(
        self,
        lr_max: float | Sequence[float] | slice,
        *,
        warmup: float = 0.3,
        momentum: tuple[float, float] | None = (0.95, 0.85),
    ) -> None:
        super().__init__(lr=one_cycle(0.0, warmup=warmup))
        self.lr_max, self.momentum, self.warmup = lr_max, momentum, warmup

    def before_fit(self, learn: Learner) -> None:
        """Look how many groups there are, and whether momentum, and go on as usual."""
        groups = learn.opt.param_groups
        if isinstance(self.lr_max, Sequence | slice):
            lrs = group_lrs(self.lr_max, len(groups))
            self.schedules["lr"] = [one_cycle(lr, warmup=self.warmup) for lr in lrs]
        else:
            self.schedules["lr"] = one_cycle(self.lr_max, warmup=self.warmup)
        used = all(group.get("momentum") or "betas" in group for group in groups)
        self.schedules.pop("momentum", None)
        if used and self.momentum is not None:
            cycle = one_cycle_momentum(*self.momentum, warmup=self.warmup)
            self.schedules["momentum"] = cycle
        super().before_fit(learn)


class TorchScheduler(Callback):
    """Makes a scheduler for each fit, and calls its ``step`` at the right time.

    After the fit the hyper-parameters are as they were before it.

    Args:
        make: Called with the optimizer; returns the scheduler. A ``functools.partial``
            of one of torch's classes, say.
        each: Whether it goes on with each optimizer step or with each epoch.
        monitor: The figure for ``ReduceLROnPlateau``, which goes on with each epoch.

    Raises:
        OptionError: If ``each`` is neither, or a step for ``ReduceLROnPlateau``.
        DTypeError: If ``make`` is a finished scheduler.

    Example:
        >>> from functools import partial
        >>> from torch.optim.lr_scheduler import StepLR
        >>> halve = TorchScheduler(partial(StepLR, step_size=1, gamma=0.5), "epoch")

    Book: ch. 12, "The callback that sets it".
    """

    order = Order.SCHEDULE

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
        if not callable(make):
            must = "A scheduler must be made anew for each fit."
            fix = "Pass what makes it: functools.partial(StepLR, step_size=1), say."
            raise DTypeError(must, describe(make), fix)
        self.make, self.each, self.monitor = make, each, monitor
        self.scheduler: LRScheduler | None = None
        self._before: list[dict[str, Any]] = []

    def before_fit(self, learn: Learner) -> None:
        """Make the scheduler, which sets the first learning rate."""
        self._before = get_hypers(learn.opt)
        self.scheduler = self.make(learn.opt)
        if isinstance(self.scheduler, ReduceLROnPlateau) and self.each == "step":
            must = "ReduceLROnPlateau must go on with each epoch: it needs a figure."
            raise OptionError(must, 'each="step"', 'Pass each="epoch".')

    def after_step(self, learn: Learner) -> None:
        """Go on, if it goes by steps."""
        self._check_groups(learn)
        if self.each == "step" and self.scheduler is not None:
            self.scheduler.step()

    def after_epoch(self, learn: Learner) -> None:
        """Go on, if it goes by epochs."""
        self._check_groups(learn)
        if self.each == "step" or self.scheduler is None:
            return
        if not isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step()
            return
        rows = learn.history[-(learn.epoch + 1) :]
        check_figure(rows, self.monitor, wait=learn.dls.valid is not None)
        if self.monitor in learn.row:  # not where an epoch went without validation
            self.scheduler.step(learn.row[self.monitor])

    def _check_groups(self, learn: Learner) -> None:
        groups, known = len(learn.opt.param_groups), len(self._before)
        if groups != known:
            must = "A scheduler of torch must keep the groups that it was made for."
            got = f"{groups} groups, and {known} when the fit began"
            raise OptionError(must, got, "Add groups between fits, or use OneCycle.")

    def cleanup_fit(self, learn: Learner) -> None:
        """Put the hyper-parameters back."""
        if self._before:
            set_hypers(learn.opt, self._before)
        self.scheduler, self._before = None, []

    def state_dict(self) -> dict[str, Any]:
        """Return where the scheduler is, and what hyper-parameters to put back."""
        state = self.scheduler.state_dict() if self.scheduler else {}
        n_steps = state.get("last_epoch")
        if n_steps is None and state.get("_schedulers"):  # ChainedScheduler
            n_steps = state["_schedulers"][0]["last_epoch"]
        plateau = {name: state[name] for name in _PLATEAU if name in state}
        return {"n_steps": n_steps, "plateau": plateau, "before": self._before}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to the same position in the schedule of the scheduler as it is made now.

        All that was made anew is left as it is, such as the length of the schedule, so
        a fit may be resumed with more epochs.

        Raises:
            OptionError: If the schedule is too short for that.
        """
        self._before = state["before"]
        if self.scheduler is None or state["n_steps"] is None:
            return
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.load_state_dict(state["plateau"])
            return
        opt, lrs = self.scheduler.optimizer, self.scheduler.get_last_lr()
        for group, lr in zip(opt.param_groups, lrs, strict=True):
            group["lr"] = lr  # the first, from which others follow
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about steps before the optimizer's
                for _ in range(state["n_steps"]):
                    self.scheduler.step()
        except ValueError as error:
            must = "The schedule must be as long as the fit that is resumed, or longer."
            fix = "Make the scheduler for all the epochs, those before as well."
            raise OptionError(must, str(error), fix) from error


_PLATEAU = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")
