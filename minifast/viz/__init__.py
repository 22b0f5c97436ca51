"""Figures in one visual style: readable on light and dark pages, safe for colour-blind.

``plot_`` is for charts, ``draw_`` for diagrams, ``show_`` for data. All of it needs
matplotlib, which the extra ``minifast[viz]`` brings. No other part of minifast draws
with it; the stand-ins of data sets use its fonts.

Book: ch. 00, "Figures".
"""

from minifast.errors import MissingPackageError

try:
    import matplotlib as _  # noqa: F401
except ImportError as error:
    raise MissingPackageError(
        "minifast.viz must have matplotlib to draw with.",
        str(error),
        "pip install matplotlib; it is the extra viz of minifast.",
    ) from error

from minifast.viz.activations import (
    plot_activations,
    plot_dead_units,
    plot_histograms,
)
from minifast.viz.charts import (
    plot_bars,
    plot_history,
    plot_losses,
    plot_lr_curve,
    plot_schedules,
    plot_spread,
)
from minifast.viz.diagrams import draw_chain, draw_events, draw_graph, draw_roadmap
from minifast.viz.images import show_images
from minifast.viz.style import COLORS, TRAIN, VALID, use_style

__all__ = [
    "COLORS",
    "TRAIN",
    "VALID",
    "draw_chain",
    "draw_events",
    "draw_graph",
    "draw_roadmap",
    "plot_activations",
    "plot_bars",
    "plot_dead_units",
    "plot_histograms",
    "plot_history",
    "plot_losses",
    "plot_lr_curve",
    "plot_schedules",
    "plot_spread",
    "show_images",
    "use_style",
]
