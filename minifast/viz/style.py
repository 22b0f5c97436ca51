"""The colours and the matplotlib style of the book.

The colours are those of Okabe and Ito, chosen to stay apart for every common kind of
colour blindness; the ones too light to read on white paper are left out. A figure keeps
its white ground on a dark page, where the site frames it as a card.

Source: Okabe and Ito, "Color Universal Design", 2008. Book: ch. 00, "Figures".
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
from cycler import cycler

from minifast.book import in_notebook

COLORS = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#007A5A",
    "purple": "#A6588A",
    "ink": "#22303C",
    "grey": "#6B7682",
    "pale": "#E8EDF2",
}
"""Named colours; the first four are the cycle of lines and bars."""

TRAIN, VALID = COLORS["blue"], COLORS["vermilion"]
"""The colours of training and validation, the same on every page."""

_STYLE: dict[Any, Any] = {
    "figure.figsize": (6.4, 3.4),
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.bbox": "tight",
    "font.size": 10.5,
    "text.color": COLORS["ink"],
    "axes.edgecolor": COLORS["grey"],
    "axes.labelcolor": COLORS["ink"],
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=list(COLORS.values())[:4]),
    "grid.color": COLORS["pale"],
    "xtick.color": COLORS["ink"],
    "ytick.color": COLORS["ink"],
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "image.cmap": "gray_r",
    "svg.hashsalt": "minifast",  # the same figure gives the same file in every build
}


def use_style() -> None:
    """Make matplotlib draw in the style of the book; in a notebook, as SVG and PNG.

    The pages show SVG. Jupyter shows it only in notebooks that one trusts, which none
    is that one has downloaded; there it takes the PNG.

    Book: ch. 00, "Figures".
    """
    plt.rcParams.update(_STYLE)
    if not in_notebook():
        return
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats(  # type: ignore[no-untyped-call]
        "svg", "png2x", metadata={"Date": None}
    )
