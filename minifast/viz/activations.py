"""Pictures of a model's activations over a training run.

Book: ch. 14 and 15.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import torch
from matplotlib.ticker import MaxNLocator

from minifast.errors import OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from minifast.callbacks import ActivationStats


def plot_activations(stats: ActivationStats) -> tuple[Axes, Axes]:
    """Plot mean and standard deviation of each layer, batch by batch.

    Args:
        stats: What the callback has recorded.

    Raises:
        OptionError: If it has recorded nothing.

    Book: ch. 14.
    """
    _check(stats)
    figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.0), sharex=True)
    for ax, values, label in zip(
        axes, (stats.means, stats.stds), ("mean", "standard deviation"), strict=True
    ):
        for i, name in enumerate(stats.names):
            ax.plot(values[:, i], label=name, color=_shade(i, len(stats.names)))
        ax.set_xlabel("training batch")
        ax.set_title(label)
    axes[1].legend(fontsize=9)
    figure.tight_layout()
    return axes[0], axes[1]


def plot_histograms(stats: ActivationStats, *, columns: int = 2) -> list[Axes]:
    """Show each layer's histograms side by side, a column of pixels for each batch.

    Darker is more: the colour is the logarithm of one and the count, so that the few
    values far out are seen beside the pile at the floor.

    Args:
        stats: What the callback has recorded.
        columns: How many layers in a row.

    Raises:
        OptionError: If it has recorded nothing, or no histograms.

    Book: ch. 14.
    """
    _check(stats)
    if not stats.bins:
        must = "Histograms must have been recorded."
        raise OptionError(must, "bins=0", "Use ActivationStats(bins=40).")
    rows = math.ceil(len(stats.names) / columns)
    figure, grid = plt.subplots(
        rows,
        columns,
        figsize=(6.4, 2.0 * rows),
        squeeze=False,
        sharex=True,
        sharey=True,
    )
    axes = list(grid.flat)
    for i, (ax, name) in enumerate(zip(axes, stats.names, strict=False)):
        shares = stats.histograms[:, i].T
        ax.imshow(
            torch.log1p(shares * 1e4).numpy(),
            origin="lower",
            aspect="auto",
            interpolation="nearest",
            cmap="Blues",
            extent=(0, shares.shape[1], *stats.limits),
        )
        ax.set_title(name)
        ax.grid(visible=False)
    for ax in axes[len(stats.names) :]:
        ax.set_axis_off()
    for ax in grid[-1]:
        ax.set_xlabel("training batch")
    for ax in grid[:, 0]:
        ax.set_ylabel("activation")
        ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    figure.tight_layout()
    return axes[: len(stats.names)]


def plot_dead_units(stats: ActivationStats) -> Axes:
    """Plot for each layer which share of its activations is cut off, batch by batch.

    Args:
        stats: What the callback has recorded.

    Raises:
        OptionError: If it has recorded nothing.

    Book: ch. 14.
    """
    _check(stats)
    _, ax = plt.subplots(figsize=(6.4, 3.0))
    for i, name in enumerate(stats.names):
        ax.plot(100 * stats.dead[:, i], label=name, color=_shade(i, len(stats.names)))
    ax.set_ylim(0, 100)
    ax.set_xlabel("training batch")
    ax.set_ylabel("cut off, % of activations")
    ax.legend(fontsize=9, ncols=2)
    return ax


def _shade(i: int, n: int) -> tuple[float, float, float, float]:
    """Return a colour from dark to light along the depth of the model."""
    color: tuple[float, float, float, float] = plt.get_cmap("viridis")(
        0.85 * i / max(n - 1, 1)
    )
    return color


def _check(stats: ActivationStats) -> None:
    if not len(stats.means):
        raise OptionError(
            "There must be statistics of at least one batch.",
            "an ActivationStats that has recorded nothing",
            "Train with it: learn.fit(1, cbs=[stats]).",
        )
