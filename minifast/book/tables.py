"""A small table that a notebook shows as HTML and a terminal as text.

Book: ch. 01, "The ladder".
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minifast.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """Lay out rows under a header; everything but the first column stands right.

    Args:
        header: The names of the columns, with units.
        rows: One sequence for each row, as long as the header.

    Raises:
        ShapeError: If a row is not as long as the header.

    Book: ch. 01, "The ladder".

    Example:
        >>> table(["size", "elements"], [["2 x 2", 4], ["3 x 3", 9]])
        size   elements
        2 x 2         4
        3 x 3         9
    """
    for row in rows:
        if len(row) != len(header):
            raise ShapeError(
                "Every row must be as long as the header.",
                f"{len(row)} cells for {len(header)} columns: {row}",
            )
    return Table(tuple(header), tuple(tuple(str(c) for c in row) for row in rows))


@dataclass(frozen=True)
class Table:
    """Rows of text under a header. Book: ch. 01, "The ladder"."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        """Write it for a terminal."""
        widths = [
            max(map(len, column))
            for column in zip(self.header, *self.rows, strict=True)
        ]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if i else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in (self.header, *self.rows)
        )

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(c)}</th>' for c in self.header)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>"
            for row in self.rows
        )
        return (
            '<div class="results"><table class="table">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )
