"""Write the notebooks that readers download or open in Colab: executed and readable.

myst-nb offers a notebook without outputs when they came from its cache, and its
Markdown cells are MyST, of which Jupyter and Colab show the bare markup.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from minifast_book.citations import references
from minifast_book.markdown import Converter
from minifast_book.references import find_references
from minifast_book.repository import install_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nbformat import NotebookNode
    from sphinx.application import Sphinx

    from minifast_book.harvest import Page

HOW_TO_INSTALL = """\
This notebook needs the package `minifast`. In a copy of the book's source code, the
command `pip install '.[viz]'` installs it.
"""
HIDDEN = "application/papermill.record/"
# Fold a cell in JupyterLab and in Colab, each in its own way.
FOLDED = {
    "cellView": "form",
    "jupyter": {"source_hidden": True, "outputs_hidden": True},
}


def offer_only_executed(app: Sphinx, pages: Iterable[Page]) -> None:
    """Keep the theme from looking for the notebook of a page that was not executed.

    It would crash there, before the gate can say what is wrong with the page.
    """
    for page in pages:
        if page.notebook is None:
            app.env.metadata[page.name].pop("kernelspec", None)


def write_all(app: Sphinx, pages: Iterable[Page]) -> None:
    """Put the notebooks of all executed pages beside the site's sources."""
    found = find_references(app)
    for page in pages:
        if page.notebook is None:
            continue
        texts = {each["name"]: each.get("text", "") for each in page.left("record")}
        converter = Converter(
            page.name,
            found,
            app.env.domaindata["cite"]["bibdata"].data,
            texts,
            _macros(app),
        )
        notebook = readable(page.notebook, converter)
        notebook.cells.insert(0, _install_cell())
        _number(notebook)
        path = Path(app.outdir, "_sources", f"{page.name}.ipynb")
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, path)


def readable(notebook: NotebookNode, converter: Converter) -> NotebookNode:
    """Return a page's notebook as readers without Sphinx can read it."""
    plain = nbformat.from_dict(notebook)
    plain.cells = [
        each for cell in plain.cells for each in _readable_cells(cell, converter)
    ]
    if converter.cited:
        listed = references(converter.works, converter.cited)
        plain.cells += _markdown_cells(f"## References\n\n{listed}")
    plain.metadata.pop("source_map", None)
    _number(plain)
    return plain


def _readable_cells(cell: NotebookNode, converter: Converter) -> Iterator[NotebookNode]:
    if cell.cell_type == "markdown":
        yield from _markdown_cells(converter.convert(cell.source))
        return
    if converter.solution:
        cell.metadata.update(FOLDED)
    if cell.cell_type == "code":
        cell.outputs = [out for out in cell.outputs if not _is_hidden(out)]
        for out in cell.outputs:
            _show_untrusted(out)
    yield cell
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    if "caption" in figure:
        caption = converter.caption(figure["caption"], figure.get("name", ""))
        yield from _markdown_cells(converter.convert(caption))


def _markdown_cells(text: str) -> list[NotebookNode]:
    return [nbformat.v4.new_markdown_cell(text)] if text else []


def _number(notebook: NotebookNode) -> None:
    """Give each cell an id that serves on any page and is the same in each build."""
    notebook.nbformat_minor = 5  # the first version whose cells have ids
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index}"


def _install_cell() -> NotebookNode:
    """Install the package, or say how where no repository is known to have it."""
    if command := install_command():
        return nbformat.v4.new_code_cell(command, metadata={"tags": ["install"]})
    return nbformat.v4.new_markdown_cell(HOW_TO_INSTALL)


def _macros(app: Sphinx) -> dict[str, str]:
    """Return the macros without arguments that the site's formulas may use."""
    macros = (app.config.mathjax3_config or {}).get("tex", {}).get("macros", {})
    return {name: tex for name, tex in macros.items() if isinstance(tex, str)}


def _show_untrusted(output: NotebookNode) -> None:
    """Leave a figure its PNG alone: Jupyter hides the SVG of a downloaded notebook."""
    data = output.get("data", {})
    if "image/png" in data:
        data.pop("image/svg+xml", None)


def _is_hidden(output: NotebookNode) -> bool:
    return any(mime.startswith(HIDDEN) for mime in output.get("data", {}))
