"""Tables that a notebook shows as HTML and a terminal as aligned text.

Book: ch. 01, "The ladder".
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minifast.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Sequence


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    n_left: int = 1,
    min_width: int = 0,
    note: str = "",
) -> Table:
    """Lay out rows under a header; everything but the first column stands right.

    Args:
        header: The names of the columns, with units.
        rows: One sequence for each row, as long as the header.
        n_left: How many of the first columns stand left, as words do.
        min_width: How many characters wide the others are at least.
        note: What is written below.

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
    cells = tuple(tuple(str(cell) for cell in row) for row in rows)
    return Table(tuple(header), cells, n_left, min_width, note)


@dataclass(frozen=True)
class Table:
    """Rows of text under a header; see :func:`table`."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    n_left: int = 1
    min_width: int = 0
    note: str = ""

    def line(self, cells: Sequence[str]) -> str:
        """Return cells as a line of text in which the columns of this table align.

        A row that comes later, and is as wide, can so be written below the table.
        """
        texts = [
            cell.ljust(width) if i < self.n_left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, self._widths(), strict=True))
        ]
        return "  ".join(texts).rstrip()

    def _widths(self) -> list[int]:
        columns = zip(self.header, *self.rows, strict=True)
        widest = [max(map(len, column)) for column in columns]
        left, right = widest[: self.n_left], widest[self.n_left :]
        return [*left, *(max(width, self.min_width) for width in right)]

    def __repr__(self) -> str:
        """Write it for a terminal."""
        rows = (self.header, *self.rows) if self.header else ()
        lines = [self.line(row) for row in rows]
        return "\n".join([*lines, self.note] if self.note else lines)

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{html.escape(c)}</th>' for c in self.header)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>"
            for row in self.rows
        )
        page = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        page = f'<table class="table">{page}</table>' if self.header else ""
        note = f"<p>{html.escape(self.note)}</p>" if self.note else ""
        return f'<div class="results">{page}{note}</div>'
