"""Figures in one visual style: readable on light and dark pages, safe for colour-blind.

This is the only part of minifast that imports matplotlib.

Book: ch. 00, "Figures".
"""

from minifast.viz.charts import bars, draw_schedules, spread
from minifast.viz.diagrams import draw_chain, draw_events, draw_graph, roadmap
from minifast.viz.images import show_images
from minifast.viz.style import COLORS, TRAIN, VALID, use_style

__all__ = [
    "COLORS",
    "TRAIN",
    "VALID",
    "bars",
    "draw_chain",
    "draw_events",
    "draw_graph",
    "draw_schedules",
    "roadmap",
    "show_images",
    "spread",
    "use_style",
]
