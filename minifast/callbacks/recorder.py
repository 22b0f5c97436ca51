"""Recorder of the loss and the hyper-parameters of each training batch.

Book: ch. 12, "Recording".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from minifast.learner import Callback
from minifast.optim import get_hyper

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from minifast.learner import Learner


class Recorder(Callback):
    """Keeps the loss and the hyper-parameters of each training batch, over all fits.

    Losses stay on the device during an epoch, so that no batch waits for one. The
    figures of whole epochs are in ``learn.history``.

    Args:
        hypers: The names of the hyper-parameters to keep; ``"momentum"`` is the first
            of the ``betas`` where an optimizer has those.

    Book: ch. 12, "Recording".
    """

    in_lr_find = False

    def __init__(self, *hypers: str) -> None:
        self.hypers = hypers or ("lr",)
        self.epoch_ends: list[int] = []
        """How many batches had been recorded at the end of each epoch."""
        self._new: list[Tensor] = []
        self._losses = torch.empty(0)
        self._values: dict[str, list[tuple[float, ...]]] = {n: [] for n in self.hypers}
        self._now: dict[str, tuple[float, ...]] = {}

    @property
    def losses(self) -> Tensor:
        """The loss of each training batch that was not left early.

        Shape:
            -> (n_batches,) float32 on the CPU.

        Book: ch. 12, "Recording".
        """
        if self._new:
            new = torch.stack(self._new).float().cpu()
            self._losses, self._new = torch.cat([self._losses, new]), []
        return self._losses

    def values(self, name: str) -> Tensor:
        """Return a hyper-parameter at each of those batches, for each parameter group.

        Args:
            name: One of ``hypers``.

        Shape:
            -> (n_batches, n_groups) float64; nan where a group was not there yet.

        Book: ch. 12, "Recording".
        """
        rows = self._values[name]
        n_groups = max(map(len, rows), default=0)
        full = [(*row, *[math.nan] * (n_groups - len(row))) for row in rows]
        return torch.tensor(full, dtype=torch.float64)

    def after_loss(self, learn: Learner) -> None:
        """Look at the hyper-parameters, before a scheduler goes on to the next."""
        if learn.training:
            groups = learn.opt.param_groups
            for name in self.hypers:
                self._now[name] = tuple([get_hyper(group, name) for group in groups])

    def after_batch(self, learn: Learner) -> None:
        """Keep the loss, which no other callback will change any more, and those."""
        if learn.training:
            self._new.append(learn.loss.detach())
            for name, values in self._now.items():
                self._values[name].append(values)

    def after_epoch(self, learn: Learner) -> None:
        """Note where the epoch ended."""
        self.epoch_ends.append(len(self.losses))

    def state_dict(self) -> dict[str, Any]:
        """Return all that was recorded."""
        return {
            "losses": self.losses,
            "values": {name: list(values) for name, values in self._values.items()},
            "epoch_ends": list(self.epoch_ends),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what was recorded."""
        self._new, self._losses = [], state["losses"]
        self._values = {name: list(values) for name, values in state["values"].items()}
        self.epoch_ends = list(state["epoch_ends"])
