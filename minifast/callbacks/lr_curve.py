"""Loss against learning rate, and which rate that suggests.

Book: ch. 12, "Finding a learning rate".
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass


@dataclass(frozen=True)
class LRCurve:
    """What ``lr_find`` saw, step by step.

    No suggestion is right for sure: look at the curve. They are read off the smoothed
    losses from their beginning to their minimum; what comes after is the explosion.

    Args:
        lrs: The learning rates, each a constant factor above the last.
        losses: The loss of the batch at each.
        width: Over how many steps to each side the losses are smoothed.

    Book: ch. 12, "Finding a learning rate".
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
        """The rate at which the loss falls fastest, over the log of the rate.

        Book: ch. 12, "Finding a learning rate".
        """
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
        """A tenth of the rate at which the loss is smallest.

        Book: ch. 12, "Finding a learning rate".
        """
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
