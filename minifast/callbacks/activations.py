"""Statistics of a model's activations while it trains, layer by layer.

Book: ch. 14.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minifast.errors import OptionError, whole_number
from minifast.learner import Callback
from minifast.nn import GeneralReLU, Hook, Hooks, is_activation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from minifast.learner import Learner
    from minifast.nn.hooks import Which

N_SAMPLED = 4_096
"""Of how many values of an activation the histogram and the dead ones are counted."""


class ActivationStats(Callback):
    """Keeps mean, spread, dead units and a histogram of each layer's activations.

    In training batches alone. All of it is computed and kept on the device, and comes
    to the CPU once an epoch. Means and standard deviations are those of all values;
    histograms and the share of dead ones are counted in at most 4,096 of them, evenly
    spread over the samples, channels and positions of the batch.

    Args:
        which: Which modules, as for :class:`minifast.nn.hooks.Hooks`; if left out, the
            activations.
        bins: How many bins the histograms have; 0 for none.
        limits: Where the first bin begins and the last one ends. What lies outside is
            counted in these, and nan in the last one.
        near: Dead is what differs by no more than that from the value that the module
            gives when it is cut off: 0, or the floor of a ``GeneralReLU``.

    Attributes:
        names: The names of the modules.

    Raises:
        OptionError: If the limits are not in order, or, as a fit begins, there is no
            such module.

    Book: ch. 14.
    """

    in_lr_find = False

    def __init__(
        self,
        which: Which = is_activation,
        *,
        bins: int = 40,
        limits: tuple[float, float] = (-4.0, 8.0),
        near: float = 1e-3,
    ) -> None:
        self.which, self.near = which, near
        self.bins = whole_number("bins", bins, 0)
        self.limits = limits
        if not -math.inf < limits[0] < limits[1] < math.inf:
            must = "The limits must be two finite numbers, the smaller one first."
            raise OptionError(must, f"limits={limits}", "Use limits=(-4, 8), say.")
        self.names: list[str] = []
        self.epoch_ends: list[int] = []
        """How many batches had been recorded at the end of each epoch."""
        self._hooks: Hooks | None = None
        self._new: list[Tensor] = []
        self._rows = torch.empty(0, 0, 3 + self.bins)

    # What has been recorded.

    @property
    def means(self) -> Tensor:
        """The mean of each layer's activations in each training batch.

        Shape:
            -> (n_batches, n_layers) float32 on the CPU.
        """
        return self._recorded()[..., 0]

    @property
    def stds(self) -> Tensor:
        """Their standard deviation, of the n values that there are, not n - 1.

        It comes from the mean and the mean square, good to three digits as long as the
        mean is less than thirty times as large.

        Shape:
            -> (n_batches, n_layers) float32 on the CPU.
        """
        mean, root_mean_square = self._recorded()[..., :2].double().unbind(-1)
        return (root_mean_square.square() - mean.square()).clamp_min(0).sqrt().float()

    @property
    def dead(self) -> Tensor:
        """The share of values that are the one of units that are cut off.

        Shape:
            -> (n_batches, n_layers) float32 on the CPU, between 0 and 1.
        """
        return self._recorded()[..., 2]

    @property
    def histograms(self) -> Tensor:
        """The share of values in each bin.

        Shape:
            -> (n_batches, n_layers, bins) float32 on the CPU; a layer's sum to 1.
        """
        return self._recorded()[..., 3:]

    @property
    def edges(self) -> Tensor:
        """Where the bins begin and end.

        Shape:
            -> (bins + 1,) float32.
        """
        return torch.linspace(*self.limits, self.bins + 1)

    def share_in_bin(self, value: float) -> Tensor:
        """Return the share of values in that bin which holds ``value``.

        Raises:
            OptionError: If there are no histograms, or it lies outside of them.

        Shape:
            -> (n_batches, n_layers) float32 on the CPU.
        """
        low, high = self.limits
        if not self.bins or not low <= value <= high:
            must = "The value must lie within the limits of the histograms."
            got = f"{value}, with limits={self.limits} and bins={self.bins}"
            raise OptionError(must, got, "Choose limits around it.")
        # Counted as it was in the batches, so that rounding at an edge is the same.
        return self.histograms[..., int(self._places(torch.tensor([value])))]

    # Recording.

    def before_train(self, learn: Learner) -> None:
        """Hang hooks on the modules."""
        self._hooks = Hooks(learn.model, self._look, self.which)
        if self.names not in ([], self._hooks.names):
            must = "One ActivationStats must keep the statistics of one set of modules."
            got = f"{len(self._hooks)} modules, and before {len(self.names)}"
            self._hooks.remove()
            raise OptionError(must, got, "Use a new one for another model.")
        self.names = self._hooks.names

    def before_batch(self, learn: Learner) -> None:
        """Forget what a batch that was left early has left."""
        for hook in self._hooks or ():
            hook.kept.clear()

    @torch.no_grad()
    def _look(self, hook: Hook, module: nn.Module, _: Any, output: Any) -> None:
        x = (output[0] if isinstance(output, tuple) else output).detach()
        mean = x.mean(dtype=torch.float32)
        root_mean_square = torch.linalg.vector_norm(x, dtype=torch.float32)
        root_mean_square /= math.sqrt(x.numel())
        sample = sampled(x, N_SAMPLED).float()
        above = sample
        if isinstance(module, GeneralReLU) and module.floor:
            above = sample - module.floor
        # One operation makes zero what is near it, and one counts what is left.
        alive = F.hardshrink(above, self.near).count_nonzero()
        row = torch.stack([mean, root_mean_square, 1 - alive / sample.numel()])
        hook.kept.append(torch.cat([row, self._shares(sample)]) if self.bins else row)

    def _shares(self, sample: Tensor) -> Tensor:
        """Return the share of values in each bin: unlike bincount, without waiting."""
        places = self._places(sample)
        one = sample.new_tensor(1 / sample.numel()).expand_as(sample)
        return sample.new_zeros(self.bins).scatter_add_(0, places, one)

    def _places(self, values: Tensor) -> Tensor:
        low, high = self.limits
        places = (values - low).mul_(self.bins / (high - low))
        # A run that has gone wrong is the one to look at: nan must not end it.
        return places.clamp_(0, self.bins - 1).nan_to_num_(nan=self.bins - 1).long()

    def after_batch(self, learn: Learner) -> None:
        """Keep a row for each module: if it ran several times, their mean."""
        if not learn.training or self._hooks is None:
            return
        nothing = learn.loss.new_full((3 + self.bins,), torch.nan, dtype=torch.float32)
        rows = [_mean(hook.kept) if hook.kept else nothing for hook in self._hooks]
        self._new.append(torch.stack(rows))

    def cleanup_pass(self, learn: Learner) -> None:
        """Take the hooks off again."""
        if self._hooks is not None:
            self._hooks.remove()
            self._hooks = None

    def after_epoch(self, learn: Learner) -> None:
        """Fetch the epoch's figures."""
        self.epoch_ends.append(len(self._recorded()))

    def _recorded(self) -> Tensor:
        if self._new:
            new = torch.stack(self._new).cpu()
            self._rows = torch.cat([self._rows, new]) if len(self._rows) else new
            self._new = []
        return self._rows

    def state_dict(self) -> dict[str, Any]:
        """Return all that was recorded."""
        return {
            "names": list(self.names),
            "rows": self._recorded(),
            "epoch_ends": list(self.epoch_ends),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what was recorded."""
        self._new, self._rows = [], state["rows"]
        self.names, self.epoch_ends = list(state["names"]), list(state["epoch_ends"])


def _mean(rows: list[Tensor]) -> Tensor:
    return rows[0] if len(rows) == 1 else torch.stack(rows).mean(0)


def sampled(x: Tensor, n: int) -> Tensor:
    """Return at most ``n`` of a batch's numbers, evenly spread over all of them.

    Every k-th is taken, where k has no divisor in common with the size of a sample: so
    each channel and position has its turn.

    Shape:
        x: (B, ...) -> (at most n,), a view where that can be.

    Example:
        >>> sampled(torch.arange(12).view(2, 6), 3)
        tensor([ 0,  5, 10])

    Book: ch. 14.
    """
    flat = x.flatten()
    step = -(-flat.numel() // n)
    if step <= 1:
        return flat
    size = max(1, x.numel() // len(x))
    while math.gcd(step, size) > 1:
        step += 1
    return flat[::step]
