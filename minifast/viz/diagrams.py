"""Diagrams of boxes and arrows: roadmap, a chain of layers, the graph of a tape.

Book: the introduction; ch. 03, "The chain rule" and "A tape".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.patches import FancyBboxPatch, Rectangle

from minifast.errors import UnknownNameError
from minifast.foundations import Var, topological_order
from minifast.learner.learner import depth, listeners
from minifast.viz.style import COLORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from minifast.learner import Learner


_STEPS = {
    "matmul": "Matrix\nmultiplication",
    "init": "ReLU and\ninitialization",
    "forward": "Forward\npass",
    "backward": "Backward\npass",
    "training": "Training\nloop",
    "convolution": "Convolution",
    "optimizer": "Optimizer",
    "normalization": "Batch\nnormalization",
    "resnet": "Residual\nnetwork",
}


def draw_roadmap(here: str | None = None) -> Axes:
    """Draw the steps from a matrix product to a modern convolutional network.

    Args:
        here: The step the reader is at: ``matmul``, ``init``, ``forward``,
            ``backward``, ``training``, ``convolution``, ``optimizer``,
            ``normalization`` or ``resnet``. Steps before it are drawn as done.

    Raises:
        UnknownNameError: If there is no such step.

    Book: the introduction, "The road".
    """
    names = list(_STEPS)
    if here is not None and here not in names:
        raise UnknownNameError.of("step", here, names)
    position = names.index(here) if here else -1
    ax = _canvas(5.6, 2.7, width=15.4, height=6.6)
    for i, name in enumerate(names):
        x, y = 2.5 + 5.2 * (i % 3), 5.5 - 2.2 * (i // 3)
        done = COLORS["green"] if i < position else COLORS["grey"]
        color = COLORS["vermilion"] if i == position else done
        style = "solid" if i <= position else "dashed"
        _box(ax, x, y, _STEPS[name], color, size=(3.9, 1.45), style=style)
        ax.text(x - 1.8, y + 0.42, str(i + 1), color=color, fontsize=8, weight="bold")
        if i % 3 < 2:
            _arrow(ax, (x + 1.95, y), (x + 3.25, y), COLORS["grey"])
    for y in (5.5, 3.3):  # from the end of a row to the start of the next
        ends = ([12.9, 12.9, 2.5], [y - 0.73, y - 1.1, y - 1.1])
        ax.plot(*ends, color=COLORS["grey"], linewidth=1.2)
        _arrow(ax, (2.5, y - 1.1), (2.5, y - 1.47), COLORS["grey"])
    return ax


def draw_chain(
    boxes: Sequence[str], forward: Sequence[str], backward: Sequence[str]
) -> Axes:
    """Draw functions in a row, what flows forward above and what flows back below.

    Args:
        boxes: The functions, from the input to the loss.
        forward: What enters each function, and last what leaves; one more than boxes.
        backward: The gradients at the same places.

    Book: ch. 03, "The chain rule".
    """
    step = 4.0
    blue, red = COLORS["blue"], COLORS["vermilion"]
    ax = _canvas(6.8, 1.75, width=step * len(boxes) + 2.6, height=4.0)
    for i, box in enumerate(boxes):
        _box(ax, 1.3 + step * (i + 0.5), 2.0, box, COLORS["ink"], size=(2.2, 1.5))
    for i, (above, below) in enumerate(zip(forward, backward, strict=True)):
        x = 1.3 + step * i
        _arrow(ax, (x - 0.9, 2.35), (x + 0.9, 2.35), blue)
        _arrow(ax, (x + 0.9, 1.65), (x - 0.9, 1.65), red)
        ax.text(x, 2.75, above, ha="center", color=blue, fontsize=9.5)
        ax.text(x, 1.35, below, ha="center", va="top", color=red, fontsize=9.5)
    return ax


def draw_graph(output: Var) -> Axes:
    """Draw what a tape recorded: each value, the operation that made it, its parents.

    Args:
        output: The last value, such as a loss.

    Shape:
        output: a ``Var`` of any shape.

    Book: ch. 03, "A tape".
    """
    levels = _levels(topological_order(output))
    wide, high = 4.4, 1.5
    across = max(len(level) for level in levels)
    width, height = wide * across, high * len(levels)
    ax = _canvas(0.62 * width, 0.3 * height, width, height)
    place = {
        node: (wide * (column + 0.5), height - high * (row + 0.5))
        for row, level in enumerate(levels)
        for column, node in enumerate(level)
    }
    for node, (x, y) in place.items():
        text = f"{node.name or node.op}   {tuple(node.shape)}"
        color = COLORS["ink"] if node.parents else COLORS["blue"]
        _box(ax, x, y, text, color, size=(3.6, 0.9))
        for parent in node.parents:
            px, py = place[parent]
            start = (px, py - 0.45) if px == x else (px - 1.8, py)
            end = (x, y + 0.45) if px == x else (x + 1.0, y + 0.45)
            _arrow(ax, start, end, COLORS["grey"])
    return ax


def _levels(order: Sequence[Var]) -> list[list[Var]]:
    """Sort values into levels from inputs to output, as late as users let them."""
    before: dict[Var, int] = {}  # levels between a value and the output
    for node in reversed(order):
        steps = before.setdefault(node, 0)
        for parent in node.parents:
            before[parent] = max(before.get(parent, 0), steps + 1)
    depths = range(max(before.values()), -1, -1)
    return [[node for node in order if before[node] == depth] for depth in depths]


def _canvas(wide_in: float, high_in: float, width: float, height: float) -> Axes:
    _, ax = plt.subplots(figsize=(wide_in, high_in))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.set_axis_off()
    return ax


def _box(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    color: str,
    size: tuple[float, float],
    style: str = "solid",
) -> None:
    corner = (x - size[0] / 2, y - size[1] / 2)
    box = FancyBboxPatch(
        corner,
        *size,
        boxstyle="round,pad=0,rounding_size=0.25",
        facecolor="white",
        edgecolor=color,
        linewidth=1.6,
        linestyle=style,
    )
    ax.add_patch(box)
    ax.text(x, y, text, ha="center", va="center", color=COLORS["ink"], fontsize=9)


def _arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], color: str
) -> None:
    look = {"arrowstyle": "-|>", "color": color, "lw": 1.3, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", xy=end, xytext=start, arrowprops=look)


_REPEATED = [
    "fit",
    "for each epoch",
    "training pass, validation pass",
    "for each batch",
]


def draw_events(learn: Learner) -> Axes:
    """Draw the events of a fit from top to bottom, with the callbacks that listen.

    Args:
        learn: Whose callbacks are drawn; it need not have been trained.

    Book: ch. 11, "Who listens to what".
    """
    called = {e: names for e, names in listeners(learn).items() if "predict" not in e}
    rows = len(called)
    _, ax = plt.subplots(figsize=(7.0, 0.32 * rows + 0.4))
    for level, text in enumerate(_REPEATED):
        inside = [row for row, event in enumerate(called) if depth(event) >= level]
        top, bottom = inside[0] - 0.46 + 0.03 * level, inside[-1] + 0.46 - 0.03 * level
        left, right = 0.25 * level, 13 - 0.15 * level
        ax.add_patch(
            Rectangle(
                (left, top),
                right - left,
                bottom - top,
                facecolor=COLORS["pale"] if level == 3 else "white",
                edgecolor=COLORS["grey"],
            )
        )
        place = (right - 0.15, inside[0])
        ax.text(*place, text, ha="right", va="center", color=COLORS["grey"], size=9)
    for row, (event, names) in enumerate(called.items()):
        x = 0.25 * depth(event) + 0.15
        color = COLORS["ink"] if names else COLORS["grey"]
        ax.text(x, row, event, va="center", color=color, family="monospace")
        who = ", ".join(names)
        ax.text(4.4, row, who, va="center", color=COLORS["blue"], weight="bold")
    ax.set(xlim=(-0.05, 13.05), ylim=(rows - 0.45, -0.6))
    ax.set_axis_off()
    return ax
