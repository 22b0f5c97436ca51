"""Charts: losses and figures of a training, learning rates, bars, spreads.

Book: ch. 01, "The ladder"; ch. 12, "Finding a learning rate".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import torch
from matplotlib.ticker import MaxNLocator

from minifast.book import format_count
from minifast.errors import ShapeError, UnknownNameError
from minifast.optim import sample
from minifast.viz.style import COLORS, TRAIN, VALID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from minifast.callbacks import LRCurve, Recorder
    from minifast.optim import Schedule


def plot_bars(
    values: Mapping[str, float],
    *,
    label: str,
    log: bool = False,
    limit: tuple[str, float] | None = None,
) -> Axes:
    """Plot horizontal bars from top to bottom, each with its value written at its end.

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


def plot_spread(samples: Mapping[str, torch.Tensor], *, label: str) -> Axes:
    """Plot one row of points for each sample, so that its whole spread is seen.

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


def plot_schedules(schedules: Mapping[str, Schedule], *, label: str) -> Axes:
    """Plot schedules over the position in training.

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


def plot_lr_curve(curve: LRCurve, *, label: str = "loss") -> Axes:
    """Plot the losses of a learning rate finder, and mark its suggestions.

    The explosion at the end is cut off.

    Args:
        curve: What ``lr_find`` returned.
        label: What the loss is, with the unit.

    Book: ch. 12, "Finding a learning rate".
    """
    _, ax = plt.subplots()
    grey = COLORS["grey"]
    ax.plot(curve.lrs, curve.losses, color=grey, linewidth=0.8, label="batches")
    ax.plot(curve.lrs, curve.smooth, color=TRAIN, label="smoothed")
    looks = {
        "steepest": ("vermilion", "--"),
        "valley": ("green", "-."),
        "minimum_tenth": ("purple", ":"),
    }
    for name, lr in curve.suggestions.items():
        color, style = looks[name]
        ax.axvline(lr, color=COLORS[color], linestyle=style, label=f"{name}: {lr:.2g}")
    low, high = min(curve.losses), max(curve.losses[: len(curve.losses) // 2 + 1])
    span = (high - low) or 1.0
    ax.set_ylim(low - 0.1 * span, high + 1.4 * span)  # room for the legend
    ax.set(xscale="log", xlabel="learning rate", ylabel=label)
    ax.legend(loc="upper left")
    return ax


def plot_losses(
    recorder: Recorder,
    history: Sequence[Mapping[str, float]] = (),
    *,
    label: str = "loss",
) -> Axes:
    """Plot the training loss of each batch, smoothed too, and where epochs end.

    Args:
        recorder: What recorded the batches.
        history: ``learn.history``, for the validation loss at the end of each epoch.
        label: What the loss is, with the unit.

    Raises:
        ShapeError: If no batch was recorded.

    Book: ch. 12, "Recording".
    """
    losses = recorder.losses
    if not len(losses):
        fix = "Give the recorder to the fit: cbs=[recorder]."
        raise ShapeError("There must be at least one batch.", "an empty recorder", fix)
    _, ax = plt.subplots()
    grey = COLORS["grey"]
    reach = len(losses) // 50  # to each side
    smooth = torch.nn.functional.avg_pool1d(
        losses[None, None], 2 * reach + 1, 1, padding=reach, count_include_pad=False
    )
    batches = range(1, len(losses) + 1)
    for end in recorder.epoch_ends:
        ax.axvline(end, color=grey, linestyle=":", linewidth=1)
    ax.plot(batches, losses, color=grey, linewidth=0.5, alpha=0.6, label="each batch")
    ax.plot(batches, smooth[0, 0], color=TRAIN, label="training, smoothed")
    # The recorder may have come later than the first epoch: the last ones are common.
    pairs = zip(reversed(recorder.epoch_ends), reversed(history), strict=False)
    known = [(end, row["valid_loss"]) for end, row in pairs if "valid_loss" in row]
    if known:
        ax.plot(*zip(*known, strict=True), "o-", color=VALID, label="validation")
    ax.set(xlabel="batch", ylabel=label)
    ax.legend()
    return ax


def plot_history(
    history: Sequence[Mapping[str, float]], name: str = "loss", *, label: str = ""
) -> Axes:
    """Plot a figure after each epoch, for training and for validation.

    Args:
        history: The rows of all epochs: ``learn.history``.
        name: Which figure: ``"loss"``, or that of a metric such as ``"accuracy"``.
        label: What the figure is, with the unit; its name if left out.

    Raises:
        UnknownNameError: If there is no such figure in any epoch.

    Book: ch. 12, "Knowing when to stop".
    """
    valid = "valid_loss" if name == "loss" else name
    parts = [(f"train_{name}", "training", TRAIN), (valid, "validation", VALID)]
    known = {key for row in history for key in row}
    if not known & {key for key, _, _ in parts}:
        names = {key.removeprefix("train_").removeprefix("valid_") for key in known}
        raise UnknownNameError.of("figure", name, names)
    _, ax = plt.subplots()
    for key, part, color in parts:
        found = [(epoch, row[key]) for epoch, row in enumerate(history) if key in row]
        if found:
            marker = "o" if len(found) < 20 else ""
            ax.plot(*zip(*found, strict=True), color=color, marker=marker, label=part)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="epoch", ylabel=label or name)
    ax.legend()
    return ax
