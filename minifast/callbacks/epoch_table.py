"""The figures of epochs, laid out for a terminal and for a page.

Book: ch. 12, "Progress".
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def cells(row: Mapping[str, float], names: Sequence[str]) -> list[str]:
    """Return the figures of a row as text, a dash where one is missing.

    Args:
        row: Figures by name.
        names: Which of them, in which order.

    Example:
        >>> cells({"epoch": 3, "loss": 0.25, "time_s": 7.123}, ["epoch", "loss", "x"])
        ['3', '0.2500', '-']

    Book: ch. 12, "Progress".
    """
    return [_figure(name, row[name]) if name in row else "-" for name in names]


def line(row: Mapping[str, float] | None, names: Sequence[str]) -> str:
    """Return a row as a line for a terminal, or the names if there is no row.

    Args:
        row: Figures by name.
        names: Which of them, in which order.

    Example:
        >>> print(line(None, ["epoch", "valid_loss"]))
        epoch  valid_loss
        >>> print(line({"epoch": 0, "valid_loss": 1.5}, ["epoch", "valid_loss"]))
        0          1.5000

    Book: ch. 12, "Progress".
    """
    texts = list(names) if row is None else cells(row, names)
    first, *rest = [
        (name, text, max(len(name), 8)) for name, text in zip(names, texts, strict=True)
    ]
    columns = [text.rjust(width) for _, text, width in rest]
    return "  ".join([first[1].ljust(len(first[0])), *columns]).rstrip()


class EpochTable:
    """Rows that grow from epoch to epoch, with a note below.

    Book: ch. 12, "Progress".
    """

    def __init__(self) -> None:
        self.rows: list[Mapping[str, float]] = []
        self.note = ""

    @property
    def names(self) -> list[str]:
        """The names of all figures, in the order in which they came up.

        Book: ch. 12, "Progress".
        """
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def __repr__(self) -> str:
        """Write it for a terminal."""
        rows = [line(row, self.names) for row in (None, *self.rows) if self.rows]
        return "\n".join(rows + [self.note] * bool(self.note))

    def _repr_html_(self) -> str:
        names = self.names
        head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{c}</td>" for c in cells(row, names)) + "</tr>"
            for row in self.rows
        )
        table = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        note = f"<p>{html.escape(self.note)}</p>" if self.note else ""
        table = f'<table class="table">{table}</table>' if self.rows else ""
        return f'<div class="results">{table}{note}</div>'


def _figure(name: str, value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if name.endswith("_s"):
        return f"{value:.1f}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.3g}"
