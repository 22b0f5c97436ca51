"""The learning rate finder: raise the rate until the loss explodes.

Book: ch. 12, "Finding a learning rate".
"""

from __future__ import annotations

import copy
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.amp import GradScaler
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from minifast.callbacks.progress import ProgressCallback, make_screen
from minifast.errors import OptionError
from minifast.learner import Callback, CancelEpoch, CancelFit, Order
from minifast.learner.callback import takes_part_in_lr_find
from minifast.learner.state import random_state, set_random_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from minifast.callbacks.progress import Screen
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

    The rate grows by the same factor with each batch. Afterwards all is bit for bit
    what it was, also after an error or Ctrl-C: weights, buffers and modes of the model
    and of a loss that is a module, optimizer, random numbers, loaders' generators and
    records. The loader is begun anew as often as needed; there is no validation.
    Callbacks that keep records, stop early or set learning rates do not take part
    (``Callback.in_lr_find``). Parameter groups keep the ratios of their rates.

    Unlike a fit, this waits for the device at each batch, to see the loss. If the
    Learner has a ``ProgressCallback``, it is shown how far this is.

    Args:
        learn: The Learner.
        lr_min: The first learning rate.
        lr_max: The last one, if the loss does not explode before.
        n_steps: How many batches from one to the other.
        stop_factor: When each of the last losses, a twentieth of ``n_steps``, is larger
            than all before, and so many times the smallest mean of as many losses, the
            loss has exploded: stop.

    Raises:
        OptionError: If a number is out of range, the loss is not finite for even three
            batches, or a parameter is lazy and has no value yet.

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
    ramp.screens = [
        make_screen(cb.screen) for cb in idle if isinstance(cb, ProgressCallback)
    ]
    undo = _way_back(learn, [cb for cb in learn.cbs if takes_part_in_lr_find(cb)])
    try:
        try:
            with learn.removed_cbs(*idle):
                learn.fit(n_steps, cbs=[ramp])  # an epoch has a batch at least
        finally:
            undo()
    except KeyboardInterrupt:
        _surely(undo)  # the first time may have been broken off
        raise
    return ramp.curve()


def _way_back(learn: Learner, cbs: Iterable[Callback]) -> Callable[[], None]:
    """Return what puts back all that a fit changes; it may be called repeatedly."""
    attributes, history = dict(vars(learn)), list(learn.history)
    kinds = nn.Module | Optimizer | GradScaler
    parts: list[Any] = [v for v in attributes.values() if isinstance(v, kinds)]
    modules = [
        m for part in parts if isinstance(part, nn.Module) for m in part.modules()
    ]
    if any(is_lazy(p) for m in modules for p in m.parameters(recurse=False)):
        must, got = "Every parameter must have a value.", "a lazy one, without a shape"
        raise OptionError(must, got, "Run a batch first: learn.validate().")
    parts += cbs
    states = copy.deepcopy([part.state_dict() for part in parts])
    modes = [(m, m.training) for m in modules]
    buffers = [  # those that a module does not save, too
        (m, name, buffer.clone())
        for m in modules
        for name, buffer in m.named_buffers(recurse=False)
    ]
    numbers, grad = random_state(learn.dls), torch.is_grad_enabled()

    def undo() -> None:
        vars(learn).update(attributes)
        learn.history[:] = history
        for part, state in zip(parts, states, strict=True):
            part.load_state_dict(state)
        with torch.no_grad():
            for module, name, value in buffers:
                getattr(module, name).copy_(value)
        for module, training in modes:
            module.training = training
        set_random_state(learn.dls, numbers)
        torch.set_grad_enabled(grad)  # an interrupted no_grad may have left it off

    return undo


def _surely(undo: Callable[[], None]) -> None:
    """Undo, however often Ctrl-C breaks it off."""
    try:
        undo()
    except KeyboardInterrupt:
        _surely(undo)
        raise


class _Ramp(Callback):
    """Sets the learning rate for each batch, and notes the loss."""

    order = Order.LAST
    sets = ("lr",)

    def __init__(
        self, lr_min: float, lr_max: float, n_steps: int, stop_factor: float
    ) -> None:
        growth = math.log(lr_max / lr_min) / (n_steps - 1)
        self.planned = [lr_min * math.exp(growth * i) for i in range(n_steps)]
        self.width, self.stop_factor = max(5, n_steps // 20), stop_factor
        self.losses: list[float] = []
        self._best = math.inf
        self.screens: list[Screen] = []

    def before_fit(self, learn: Learner) -> None:
        """Note the ratios of the groups' learning rates, and begin to show."""
        for screen in self.screens:
            screen.begin_pass("lr_find", len(self.planned))
        lrs = [float(group["lr"]) for group in learn.opt.param_groups]
        self.ratios = [lr / max(lrs) if max(lrs) > 0 else 1.0 for lr in lrs]

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
        for screen in self.screens:
            screen.batch(lambda: f"loss {loss:.4g}")
        if len(self.losses) == len(self.planned):
            raise CancelFit("all learning rates tried")
        if self._explodes():
            raise CancelFit("the loss explodes")

    def cleanup_fit(self, learn: Learner) -> None:
        """Show nothing any more."""
        for screen in self.screens:
            screen.end_pass()
            screen.end("")

    def _explodes(self) -> bool:
        before, last = self.losses[: -self.width], self.losses[-self.width :]
        self._best = min(self._best, statistics.fmean(last))
        limit = self._best + (self.stop_factor - 1) * abs(self._best)
        if len(before) <= 2 * self.width:
            return False
        # All of the last ones: the mean of a few noisy losses is soon large by chance.
        return min(last) > max(*before, limit)

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


@dataclass(frozen=True)
class LRCurve:
    """The losses that ``lr_find`` saw at growing learning rates, and suggestions.

    No suggestion is right for sure: look at the curve, with ``viz.plot_lr_curve``. They
    are read off the smoothed losses, and have to stand out from their noise:

    * ``steepest``: the rate at which the loss falls fastest, over the log of the rate;
    * ``valley``: the rate at which half of the fall from the first loss to the smallest
      is done;
    * ``minimum_tenth``: a tenth of the rate at which the loss is smallest; from there
      on it rises, and soon explodes.

    The loss of a model that has already been trained hardly falls within these few
    batches. Where it does not fall by more than its noise, there are no first two, and
    the third is a tenth of the highest rate at which the loss has not risen by more
    than that: it says how far one may go. If the loss rises from the lowest rates on,
    there is none at all.

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
        """
        weights = self._weights()
        averages = []
        for i in range(len(self.losses)):
            near = [(i + d, w) for d, w in weights.items()]
            near = [(j, w) for j, w in near if 0 <= j < len(self.losses)]
            total = sum(self.losses[j] * w for j, w in near)
            averages.append(total / sum(w for _, w in near))
        return tuple(averages)

    @property
    def noise(self) -> float:
        """By how much a smoothed loss may differ from another by chance.

        It is five standard deviations, estimated from the second differences of the
        losses in the first half of the steps, where the rate still changes little.
        """
        calm = self._calm
        bends = [
            a - 2 * b + c for a, b, c in zip(calm, calm[1:], calm[2:], strict=False)
        ]
        variance = statistics.fmean(bend**2 for bend in bends) / 6  # of a single loss
        weights = self._weights().values()
        rounding = 1e-6 * max(map(abs, calm))  # of losses in float32
        share = math.sqrt(sum(w * w for w in weights)) / sum(weights)
        return max(5 * math.sqrt(variance) * share, rounding)

    @property
    def steepest(self) -> float:
        """The rate at which the loss falls fastest, over the log of the rate.

        Raises:
            OptionError: If the loss does not fall by more than its noise.
        """
        return self._get("steepest")

    @property
    def valley(self) -> float:
        """The rate at which half of the way down into the valley is done.

        Raises:
            OptionError: If the loss does not fall by more than its noise.
        """
        return self._get("valley")

    @property
    def minimum_tenth(self) -> float:
        """A tenth of the rate at which the loss is smallest, or has not risen yet.

        Raises:
            OptionError: If the loss rises from the lowest rates on.
        """
        return self._get("minimum_tenth")

    @property
    def suggestions(self) -> dict[str, float]:
        """Those of the three rates that can be suggested, by name."""
        smooth, noise, found = self.smooth, self.noise, {}
        lowest, level = min(smooth), statistics.fmean(self._calm)
        fall = smooth[: smooth.index(lowest) + 1]
        if smooth[0] - lowest > 2 * noise:
            found["steepest"] = self.lrs[self._steepest(fall)]
            half = (smooth[0] + lowest) / 2
            found["valley"] = self.lrs[_last(fall, lambda loss: loss > half)]
            end = len(fall) - 1
        else:
            end = _last(smooth, lambda loss: loss <= level + noise)
        tenth = self.lrs[end] / 10
        if tenth >= self.lrs[0]:
            found["minimum_tenth"] = tenth
        return found

    def __repr__(self) -> str:
        """Say the range and the suggestions."""
        found = self.suggestions
        said = ", ".join(f"{name} {lr:.2g}" for name, lr in found.items()) or "nothing"
        why = "" if "valley" in found else "; the loss does not fall beyond its noise"
        lrs = f"{self.lrs[0]:.2g} to {self.lrs[-1]:.2g} in {len(self.lrs)} steps"
        return f"LRCurve({lrs}; suggested: {said}{why})"

    @property
    def _calm(self) -> tuple[float, ...]:
        return self.losses[: max(3, len(self.losses) // 2)]

    def _steepest(self, fall: tuple[float, ...]) -> int:
        """Return where the fall is largest, over as many steps as a loss is spread."""
        reach = min(2 * self.width, len(fall) - 1)
        falls = [b - a for a, b in zip(fall, fall[reach:], strict=False)]
        return falls.index(min(falls)) + reach // 2

    def _weights(self) -> dict[int, int]:
        return {d: self.width - abs(d) for d in range(1 - self.width, self.width)}

    def _get(self, name: str) -> float:
        found = self.suggestions
        if name in found:
            return found[name]
        if name == "minimum_tenth":
            must = "The loss must be small at some of the rates before it rises."
            got = f"a loss that rises from a rate of {self.lrs[0]:.2g} on"
            raise OptionError(must, got, "Take a smaller lr_min.")
        must = f"The loss must fall by more than its noise to have its {name} rate."
        got = (
            f"a fall of {self.smooth[0] - min(self.smooth):.2g}, noise {self.noise:.2g}"
        )
        raise OptionError(must, got, "If the model is trained: minimum_tenth, or less.")


def _last(values: tuple[float, ...], holds: Callable[[float], bool]) -> int:
    """Return the place of the last value for which something holds."""
    return max(i for i, value in enumerate(values) if holds(value))
