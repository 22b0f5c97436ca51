"""Read the executed notebooks back, with what ``minifast.book`` left in them.

``record``, ``claim`` and ``stamp`` leave hidden outputs whose metadata hold a kind and
its facts. They are read from the notebook as it was executed, be it in this build or in
the one whose outputs were kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from minifast_book.reach import read_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbformat import NotebookNode
    from sphinx.application import Sphinx


@dataclass(frozen=True)
class Page:
    """A page of the book, and how it was executed if it has code cells.

    Attributes:
        name: Path of the page below the book's folder, without suffix.
        title: Its title.
        source: Its source file.
        built: The page as built.
        notebook: The executed notebook; None if nothing was executed.
        executed: When, in UTC.
        seconds: How long that took, in seconds.
        fresh: Whether it was in this build.
        error: Kind of the error that ended the execution.
    """

    name: str
    title: str
    source: Path
    built: Path
    notebook: NotebookNode | None = None
    executed: datetime | None = None
    seconds: float = 0.0
    fresh: bool = False
    error: str | None = None

    def code_cells(self) -> Iterator[tuple[int, NotebookNode]]:
        """Yield each code cell with the line of its source at which it begins."""
        for index, cell in enumerate(self.notebook.cells if self.notebook else ()):
            if cell.cell_type == "code":
                yield self.cell_line(index), cell

    def cell_line(self, index: int) -> int:
        """Return the line of the source at which a cell begins."""
        return self.notebook.metadata["source_map"][index] if self.notebook else 1

    def left(self, kind: str) -> list[dict[str, Any]]:
        """Return what the page left of one kind: record, claim or provenance."""
        return [each for _, cell in self.code_cells() for each in left(cell, kind)]

    @property
    def provenance(self) -> dict[str, Any] | None:
        """What the page's last cell said about where it ran."""
        stamps = self.left("provenance")
        return stamps[-1] if stamps else None


def left(cell: NotebookNode, kind: str) -> list[dict[str, Any]]:
    """Return what a code cell left of one kind."""
    facts = [out.get("metadata", {}).get("minifast", {}) for out in cell.outputs]
    return [dict(each) for each in facts if each.get("kind") == kind]


def has_code_cells(text: str) -> bool:
    """Tell whether a page has code cells, beyond examples of how to write them."""
    return bool(read_source(text).cells)


def harvest(app: Sphinx, *, since: float) -> list[Page]:
    """Return the pages of the book, executed or not, in the order of their names.

    Args:
        app: The Sphinx application, when all pages are read.
        since: Start of this build, in seconds since the epoch.
    """
    return [_page(app, name, since) for name in sorted(app.env.found_docs)]


def _page(app: Sphinx, name: str, since: float) -> Page:
    title = app.env.titles[name].astext()
    source = Path(app.env.doc2path(name))
    built = Path(app.outdir, f"{name}.html")
    done = getattr(app.env, "nb_metadata", {}).get(name, {}).get("exec_data")
    if not done:
        return Page(name, title, source, built)
    path = Path(app.outdir).parent / "jupyter_execute" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    executed = datetime.fromtimestamp(done["mtime"], UTC)
    return Page(
        name,
        title,
        source,
        built,
        notebook,
        executed,
        seconds=done["runtime"] or 0.0,
        fresh=executed.timestamp() >= since,
        error=done["error"],
    )
