"""Small charts that chapters use more than once.

Book: ch. 01, "The ladder".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import torch

from minifast.book import format_count
from minifast.errors import ShapeError
from minifast.optim import sample
from minifast.viz.style import COLORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes

    from minifast.optim import Schedule


def bars(
    values: Mapping[str, float],
    *,
    label: str,
    log: bool = False,
    limit: tuple[str, float] | None = None,
) -> Axes:
    """Draw horizontal bars from top to bottom, each with its value written at its end.

    Args:
        values: Name and length of each bar.
        label: What the lengths mean, with the unit.
        log: Whether the axis is logarithmic; the values must then be above zero.
        limit: Name and place of a dashed line that the bars are held against.

    Raises:
        ShapeError: If there are no values.

    Book: ch. 01, "The ladder".
    """
    if not values:
        raise ShapeError("There must be at least one bar.", "an empty mapping")
    _, ax = plt.subplots(figsize=(6.4, 0.34 * len(values) + 1.0))
    rows = ax.barh(list(values), list(values.values()), color=COLORS["blue"])
    if log:
        ax.set_xscale("log")
    lengths = [format_count(value) for value in values.values()]
    ax.bar_label(rows, lengths, padding=4)
    if limit:
        name, place = limit
        ax.axvline(place, color=COLORS["vermilion"], linestyle="--", linewidth=1.4)
        ax.text(place, -0.75, f"{name} ", color=COLORS["vermilion"], ha="right")
    ax.margins(x=0.16)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(label)
    return ax


def spread(samples: Mapping[str, torch.Tensor], *, label: str) -> Axes:
    """Draw one row of points for each sample, so that its whole spread is seen.

    Args:
        samples: Name and values of each row.
        label: What the values are, with the unit.

    Shape:
        samples: (B,) floats each; the sizes may differ.

    Raises:
        ShapeError: If there are no samples.

    Book: ch. 02, "A hundred draws".
    """
    if not samples:
        raise ShapeError("There must be at least one sample.", "an empty mapping")
    _, ax = plt.subplots(figsize=(6.4, 0.55 * len(samples) + 1.0))
    for row, values in enumerate(samples.values()):
        points = values.detach().cpu().double()
        shift = torch.linspace(-0.2, 0.2, len(points))  # so that points don't hide
        ax.scatter(
            points,
            row + shift,
            s=9 if len(points) > 30 else 30,
            alpha=0.6,
            linewidths=0,
        )
        ax.plot([points.mean()] * 2, [row - 0.32, row + 0.32], color=COLORS["ink"])
    ax.set_yticks(range(len(samples)), list(samples))
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set_xlabel(label)
    return ax


def draw_schedules(schedules: Mapping[str, Schedule], *, label: str) -> Axes:
    """Draw schedules over the position in training.

    Args:
        schedules: Name and schedule of each line.
        label: What the values are, with the unit.

    Raises:
        ShapeError: If there are no schedules.

    Book: ch. 12, "A function of the position".
    """
    if not schedules:
        raise ShapeError("There must be at least one schedule.", "an empty mapping")
    _, ax = plt.subplots()
    for name, schedule in schedules.items():
        values = sample(schedule, 201)
        ax.plot([i / 200 for i in range(201)], values, label=name)
    ax.set(xlabel="position in training", ylabel=label)
    ax.legend()
    return ax
