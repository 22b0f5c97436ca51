"""Write the notebooks that readers download or open in Colab: executed and readable.

myst-nb offers a notebook without outputs when they came from its cache, and its
Markdown cells still hold roles that only Sphinx understands.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from minifast_book.repository import install_command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbformat import NotebookNode
    from sphinx.application import Sphinx

    from minifast_book.harvest import Page

HIDDEN = "application/papermill.record/"
ROLE = re.compile(r"\{(?P<role>[a-z:]+)\}`(?P<text>[^`]+)`")
TARGET = re.compile(r"^(?P<text>.+?)\s*<[^>]+>$", re.DOTALL)


def offer_only_executed(app: Sphinx, pages: Iterable[Page]) -> None:
    """Keep the theme from looking for the notebook of a page that was not executed.

    It would crash there, before the gate can say what is wrong with the page.
    """
    for page in pages:
        if page.notebook is None:
            app.env.metadata[page.name].pop("kernelspec", None)


def write_all(app: Sphinx, pages: Iterable[Page]) -> None:
    """Put the notebooks of all executed pages beside the site's sources."""
    install = install_command()
    for page in pages:
        if page.notebook is None:
            continue
        path = Path(app.outdir, "_sources", f"{page.name}.ipynb")
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(_readable(page, install), path)


def _readable(page: Page, install: str) -> NotebookNode:
    notebook = nbformat.from_dict(page.notebook)
    cell = nbformat.v4.new_code_cell(install, metadata={"tags": ["install"]})
    first = [cell] if install else []
    notebook.cells = [*first, *map(nbformat.from_dict, notebook.cells)]
    notebook.nbformat_minor = 5  # the first version whose cells have ids
    notebook.metadata.pop("source_map", None)
    texts = {each["name"]: each.get("text", "") for each in page.left("record")}
    for index, cell in enumerate(notebook.cells):
        cell.id = f"{Path(page.name).name}-{index}"
        if cell.cell_type == "markdown":
            cell.source = _plain_markdown(cell.source, texts)
        elif cell.cell_type == "code":
            cell.outputs = [out for out in cell.outputs if not _is_hidden(out)]
    return notebook


def _plain_markdown(text: str, recorded: dict[str, str]) -> str:
    """Replace roles: a recorded value by its text, any other by what it is about."""

    def plain(match: re.Match[str]) -> str:
        role, content = match["role"], match["text"]
        if role.startswith("glue"):
            return recorded.get(content, content)
        titled = TARGET.match(content)
        return titled["text"] if titled else f"`{content.lstrip('~')}`"

    return ROLE.sub(plain, text)


def _is_hidden(output: NotebookNode) -> bool:
    return any(mime.startswith(HIDDEN) for mime in output.get("data", {}))
