"""The book's own Sphinx extension: what a page shows is what a run produced.

Jupyter Book executes chapters and keeps their outputs. This extension adds what makes
those outputs trustworthy:

- ``fingerprint``, ``available``, ``cache``: outputs are kept in a folder named by all
  they depend on, so a change of the package executes every chapter again;
- ``execution``: runs the cells, and names what ended them;
- ``harvest``: reads the executed notebooks, with what ``minifast.book`` left in them;
- ``provenance``, ``status``: each page says on what it was executed, one page says all;
- ``notebooks``, ``repository``: executed notebooks to download, and to open in Colab;
- ``markdown``, ``references``, ``citations``: their MyST as plain Markdown;
- ``gate``: the build fails on what Sphinx would let through, seen in the executed
  cells (``waivers``) and in the built pages (``markup``, ``links``, ``images``);
- ``chapters``: what the API pages show, and their links to the chapters;
- ``report``: ``execution.json``, ``results.json`` and the table printed at the end;
- ``surroundings``, ``console``: the same conditions everywhere, and few words;
- ``exercises``, ``mathjax``: two repairs of extensions that the book uses.

Environment variables: ``BOOK_CACHE`` (folder of kept outputs), ``BOOK_FINGERPRINT``
(rebuild a published site from its outputs), ``BOOK_EXECUTE=force`` (execute all),
``BOOK_DRAFT=1`` (the gate speaks but does not fail).
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minifast_book import (
    cache,
    chapters,
    exercises,
    gate,
    mathjax,
    notebooks,
    provenance,
    report,
    repository,
    status,
)
from minifast_book.console import Progress
from minifast_book.execution import Executor
from minifast_book.harvest import Page, harvest, has_code_cells

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment


class Build:
    """One build of the book: its pages as executed, handed to each part in turn."""

    def __init__(self) -> None:
        self.started = time.time()
        self.progress = Progress()
        self.executor = Executor()
        self.pages: dict[str, Page] = {}

    def begin_page(self, app: Sphinx, docname: str, source: list[str]) -> None:
        """Show that a page with code cells is at work."""
        if has_code_cells(source[0]):
            self.progress.begin(docname)
            self.executor.page = os.path.relpath(app.env.doc2path(docname))

    def end_page(self, app: Sphinx, doctree: nodes.document) -> None:
        """Show how long it took."""
        self.progress.end(app.env.docname)

    def read(self, app: Sphinx, env: BuildEnvironment) -> None:
        """Collect the executed pages, once all are read and before any is written."""
        self.pages = {page.name: page for page in harvest(app, since=self.started)}
        notebooks.offer_only_executed(app, self.pages.values())

    def tabulate(self, app: Sphinx, doctree: nodes.document, docname: str) -> None:
        """Fill in the tables of executed pages."""
        status.fill_tables(app, doctree, docname, self.pages.values())

    def offer_notebook(
        self,
        app: Sphinx,
        pagename: str,
        templatename: str,
        context: dict[str, Any],
        doctree: nodes.document | None,
    ) -> None:
        """Let the theme offer the notebook; of itself it does so beside Colab alone."""
        page = self.pages.get(pagename)
        if page is not None and page.notebook:
            context["ipynb_source"] = f"{pagename}.ipynb"

    def dress(
        self,
        app: Sphinx,
        pagename: str,
        templatename: str,
        context: dict[str, Any],
        doctree: nodes.document | None,
    ) -> None:
        """Add the footer of a page and the links to its notebook."""
        page = self.pages.get(pagename)
        if page is None or not page.notebook:
            return
        repository.point_colab_at_notebook(pagename, context)
        context["body"] += provenance.footer(page)

    def finish(self, app: Sphinx, error: Exception | None) -> None:
        """Write what goes beside the pages, then let the gate judge."""
        if error or app.builder.name != "html":
            return
        pages = list(self.pages.values())
        cache.keep(app)
        cache.forget(app, pages)
        mathjax.copy_files(app.outdir)
        notebooks.write_all(app, pages)
        lost = report.lost_claims(app, pages)
        report.write(app, pages)
        report.print_table(app, pages)
        report.print_lost(lost)
        gate.close(app, pages)


def adapt(app: Sphinx, config: Config) -> None:
    """Adapt the configuration to this build."""
    # Let the templates here stand before the theme's.
    config.templates_path.insert(0, str(Path(__file__).parent / "templates"))
    if gate.is_partial(app):  # references to the pages left out are no fault
        config.suppress_warnings += ["ref", "myst.xref_missing"]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the parts; Sphinx calls this."""
    build = Build()
    build.executor.install()
    app.setup_extension("sphinx.ext.autodoc")
    app.add_node(status.execution_table)
    app.add_directive("execution-table", status.ExecutionTable)
    app.connect("config-inited", repository.use_repository, priority=100)
    app.connect("config-inited", cache.choose, priority=100)
    app.connect("config-inited", adapt, priority=100)
    app.connect("autodoc-process-docstring", chapters.tell_events, priority=400)
    app.connect("autodoc-process-docstring", chapters.link_chapters)
    app.connect("doctree-read", chapters.name_rooms)
    app.connect("autodoc-skip-member", chapters.leave_out)
    app.connect("warn-missing-reference", chapters.forgive_foreign_types, priority=100)
    app.connect("source-read", build.begin_page)
    app.connect("doctree-read", build.end_page, priority=100)
    app.connect("doctree-read", exercises.unnest_sections, priority=100)
    app.connect("env-updated", build.read)
    app.connect("doctree-resolved", build.tabulate)
    app.connect("html-page-context", build.offer_notebook, priority=100)
    app.connect("html-page-context", build.dress, priority=900)
    app.connect("build-finished", build.finish, priority=900)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": False}
