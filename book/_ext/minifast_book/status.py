"""The directive ``{execution-table}``: all executed pages in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

    from minifast_book.harvest import Page

COLUMNS = {
    "Page": 30,
    "Executed (UTC)": 16,
    "Run time": 10,
    "Device": 20,
    "Data": 14,
    "Claims": 10,
}


class execution_table(nodes.General, nodes.Element):
    """Marks where the table goes, until all pages are read."""


class ExecutionTable(SphinxDirective):
    """A table of the executed pages: when, how long, on what, how many claims."""

    def run(self) -> list[nodes.Node]:
        """Leave a mark; the facts are not known before every page is read."""
        tables = vars(self.env).setdefault("book_tables", set())  # kept with the pages
        tables.add(self.env.docname)
        return [execution_table()]


def pages_with_table(env: BuildEnvironment) -> set[str]:
    """Return the pages that change whenever another page was executed."""
    return set(getattr(env, "book_tables", set())) & set(env.found_docs)


def fill_tables(
    app: Sphinx, doctree: nodes.document, docname: str, pages: Iterable[Page]
) -> None:
    """Put the table where a page asks for it."""
    for mark in list(doctree.findall(execution_table)):
        executed = [page for page in pages if page.notebook]
        mark.replace_self(_table(app, docname, executed))


def _table(app: Sphinx, docname: str, pages: list[Page]) -> nodes.table:
    group = nodes.tgroup(cols=len(COLUMNS))
    group += [nodes.colspec(colwidth=width) for width in COLUMNS.values()]
    group += nodes.thead("", _row([nodes.Text(name) for name in COLUMNS]))
    body = nodes.tbody()
    for page in pages:
        link = nodes.reference(
            "",
            page.title,
            internal=True,
            refuri=app.builder.get_relative_uri(docname, page.name),
        )
        body += _row([link, *(nodes.Text(text) for text in _texts(page))])
    group += body
    return nodes.table("", group, classes=["execution-table"])


def _texts(page: Page) -> list[str]:
    facts = page.provenance or {}
    data = facts.get("data", [])
    kinds = {"stand-in" if "stand-in" in each else "real" for each in data}
    return [
        f"{page.executed:%Y-%m-%d %H:%M}" if page.executed else "",
        f"{page.seconds:.1f} s",
        facts.get("device", "not stated"),
        " and ".join(sorted(kinds)) or "none",
        str(len(page.left("claim"))),
    ]


def _row(cells: list[nodes.Node]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        row += nodes.entry("", nodes.paragraph("", "", cell))
    return row
