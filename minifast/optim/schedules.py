"""Schedules of the learning rate, or of another setting: linear, cosine, one cycle.

A schedule is a function of the position in [0, 1], from the first step to the last. It
knows nothing of epochs and batches, so the same one fits a short and a long training.

Book: ch. 12.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeAlias

from minifast.errors import OptionError

Schedule: TypeAlias = Callable[[float], float]
"""From the position in training, 0 to 1, to the value there."""


def _checked(position: float) -> float:
    if not 0 <= position <= 1:
        must = "The position in training must be from 0 to 1."
        raise OptionError(must, f"{position}", "Use step / (n_steps - 1).")
    return position


@dataclass(frozen=True, repr=False)
class Ramp:
    """Schedule of one phase, from ``start`` to ``end`` along a curve.

    :func:`linear`, :func:`cosine`, :func:`exponential` and :func:`constant` make it.

    A class and not a closure, so that it can be printed, compared and pickled.

    Attributes:
        curve: From start, end and position to the value.
        start: The value at position 0.
        end: The value at position 1.

    Book: ch. 12.
    """

    curve: Callable[[float, float, float], float]
    start: float
    end: float

    def __post_init__(self) -> None:
        """Keep numbers of NumPy as Python's, which print as they were written."""
        for name in ("start", "end"):
            object.__setattr__(self, name, float(getattr(self, name)))

    def __call__(self, position: float) -> float:
        """Return the value at a position.

        Raises:
            OptionError: If the position is not from 0 to 1.
        """
        return float(self.curve(self.start, self.end, _checked(position)))

    def __repr__(self) -> str:
        if self.start == self.end:
            return f"constant({self.start})"
        return f"{self.curve.__name__.removeprefix('_')}({self.start}, {self.end})"


@dataclass(frozen=True, repr=False)
class Phases:
    """Schedule of several phases in turn; :func:`combine` makes and checks it.

    Attributes:
        fractions: Which part of the training each one takes.
        schedules: Each sees positions from 0 to 1.

    Book: ch. 12.
    """

    fractions: tuple[float, ...]
    schedules: tuple[Schedule, ...]

    def __call__(self, position: float) -> float:
        """Return the value at a position; where two phases meet, the later one's.

        Raises:
            OptionError: If the position is not from 0 to 1.
        """
        # The last phase ends at 1, whatever rounding makes of the sum.
        borders = [0.0, *accumulate(self.fractions[:-1]), 1.0]
        phase = bisect_right(borders, _checked(position), hi=len(self.fractions)) - 1
        start, end = borders[phase], borders[phase + 1]
        return float(self.schedules[phase]((position - start) / (end - start)))

    def __repr__(self) -> str:
        return f"combine({list(self.fractions)}, {list(self.schedules)})"


def _linear(start: float, end: float, position: float) -> float:
    # From the nearer end, so that both ends are exact.
    if position < 0.5:
        return start + (end - start) * position
    return end - (end - start) * (1 - position)


def _cosine(start: float, end: float, position: float) -> float:
    return _linear(start, end, (1 - math.cos(math.pi * position)) / 2)


def _exponential(start: float, end: float, position: float) -> float:
    size = abs(start) ** (1 - position) * abs(end) ** position
    return math.copysign(size, start)


def linear(start: float, end: float) -> Ramp:
    """Linear schedule: a straight line from start to end.

    Example:
        >>> linear(0.0, 1.0)(0.25)
        0.25

    Book: ch. 12.
    """
    return Ramp(_linear, start, end)


def cosine(start: float, end: float) -> Ramp:
    """Cosine schedule: half a wave from start to end; slow, fast, slow.

    Example:
        >>> schedule = cosine(0.4, 0.0)
        >>> [round(schedule(position), 3) for position in (0, 0.25, 0.5, 0.75, 1)]
        [0.4, 0.341, 0.2, 0.059, 0.0]

    Source: Loshchilov and Hutter 2017, "SGDR: Stochastic gradient descent with warm
    restarts", sec. 3, eq. 5.
    Book: ch. 12.
    """
    return Ramp(_cosine, start, end)


def exponential(start: float, end: float) -> Ramp:
    """Exponential schedule: from start to end by the same factor at each step.

    Raises:
        OptionError: If one of them is 0, or their signs differ: no factor leads there.

    Example:
        >>> schedule = exponential(1.0, 0.01)
        >>> [round(schedule(position), 3) for position in (0, 0.5, 1)]
        [1.0, 0.1, 0.01]

    Book: ch. 12.
    """
    if not start * end > 0:
        must = "An exponential schedule goes between two numbers of the same sign."
        fix = "To end near zero, end at a small number such as 1e-5."
        raise OptionError(must, f"from {start:g} to {end:g}", fix)
    return Ramp(_exponential, start, end)


def constant(value: float) -> Ramp:
    """Constant schedule: the same value throughout.

    Book: ch. 12.
    """
    return linear(value, value)


def combine(fractions: Sequence[float], schedules: Sequence[Schedule]) -> Phases:
    """Combine schedules: one after the other, each for its fraction of the training.

    Args:
        fractions: One for each schedule, all positive; they sum to 1.
        schedules: Any number of them.

    Raises:
        OptionError: If the counts differ, or the fractions don't sum to 1 within
            rounding, or one is not positive.

    Example:
        >>> up, stay, down = linear(0, 1), constant(1), linear(1, 0)
        >>> sample(combine([0.25, 0.25, 0.5], [up, stay, down]), 9)
        [0.0, 0.5, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]

    Book: ch. 12.
    """
    phases = Phases(tuple(map(float, fractions)), tuple(schedules))
    n_fractions, n_schedules = len(phases.fractions), len(phases.schedules)
    if n_fractions != n_schedules or not n_schedules:
        must = "There must be one fraction for each schedule, and at least one."
        got = f"{n_fractions} fractions, {n_schedules} schedules"
        raise OptionError(must, got, "combine([0.3, 0.7], [cosine(...), cosine(...)])")
    total = math.fsum(phases.fractions)
    if min(phases.fractions) <= 0 or not math.isclose(total, 1, abs_tol=1e-6):
        must = "The fractions must be positive and sum to 1."
        got = f"{list(phases.fractions)}, which sum to {total:g}"
        raise OptionError(must, got, "Divide each by their sum; leave out the zeros.")
    return phases


def one_cycle(
    lr_max: float,
    *,
    warmup: float = 0.3,
    start_div: float = 25.0,
    end_div: float = 250_000.0,
) -> Phases:
    """One-cycle schedule: the learning rate warms up, then falls almost to zero.

    Args:
        lr_max: The highest learning rate.
        warmup: The fraction of the training until it is reached.
        start_div: It starts at ``lr_max / start_div``,
        end_div: and ends at ``lr_max / end_div``.

    Raises:
        OptionError: If ``warmup`` is not between 0 and 1.

    Example:
        >>> one_cycle(0.5, warmup=0.25)
        combine([0.25, 0.75], [cosine(0.02, 0.5), cosine(0.5, 2e-06)])

    Source: Smith 2018, "A disciplined approach to neural network hyper-parameters:
    part 1", sec. 4.1.
    Book: ch. 12.
    """
    up, down = cosine(lr_max / start_div, lr_max), cosine(lr_max, lr_max / end_div)
    return combine([warmup, 1 - warmup], [up, down])


def one_cycle_momentum(
    high: float = 0.95, low: float = 0.85, *, warmup: float = 0.3
) -> Phases:
    """One-cycle momentum: low while the learning rate of :func:`one_cycle` is high.

    Args:
        high: The momentum at the start and at the end.
        low: The momentum where the learning rate is highest.
        warmup: The same as for the learning rate.

    Raises:
        OptionError: If ``warmup`` is not between 0 and 1.

    Source: Smith 2018, "A disciplined approach to neural network hyper-parameters:
    part 1", sec. 4.3.
    Book: ch. 12.
    """
    return combine([warmup, 1 - warmup], [cosine(high, low), cosine(low, high)])


def sample(schedule: Schedule, n: int = 101) -> list[float]:
    """Sample a schedule at ``n`` evenly spaced positions, to look at or to plot.

    Args:
        schedule: Any function of the position.
        n: How many positions, at least 2; the first is 0 and the last is 1.

    Raises:
        OptionError: If there are fewer than 2.

    Example:
        >>> sample(linear(0, 10), 5)
        [0.0, 2.5, 5.0, 7.5, 10.0]

    Book: ch. 12.
    """
    if n < 2:
        must, fix = "A schedule is sampled at both ends, at least.", "Use n=2 or more."
        raise OptionError(must, f"n={n}", fix)
    return [schedule(step / (n - 1)) for step in range(n)]
