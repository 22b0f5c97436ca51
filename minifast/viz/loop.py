"""The training loop as nested boxes, with those who listen to its events.

Book: ch. 11, "Who listens to what".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from minifast.callback import EVENTS, handlers_by_event
from minifast.learner.table import depth
from minifast.viz.style import COLORS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from minifast.learner import Learner

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
    rows = len(EVENTS)
    _, ax = plt.subplots(figsize=(7.0, 0.32 * rows + 0.4))
    for level, text in enumerate(_REPEATED):
        inside = [row for row, event in enumerate(EVENTS) if depth(event) >= level]
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
    for row, (event, handlers) in enumerate(handlers_by_event(learn.cbs).items()):
        x = 0.25 * depth(event) + 0.15
        color = COLORS["ink"] if handlers else COLORS["grey"]
        ax.text(x, row, event, va="center", color=color, family="monospace")
        names = ", ".join(type(getattr(h, "__self__", h)).__name__ for h in handlers)
        ax.text(4.4, row, names, va="center", color=COLORS["blue"], weight="bold")
    ax.set(xlim=(-0.05, 13.05), ylim=(rows - 0.45, -0.6))
    ax.set_axis_off()
    return ax
