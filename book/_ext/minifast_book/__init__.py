"""The book's own Sphinx extension: what a page shows is what a run produced.

Jupyter Book executes chapters and keeps their outputs. This extension adds what makes
those outputs trustworthy:

- ``fingerprint``, ``reach``, ``available``, ``cache``: outputs are kept under a name
  made of all they depend on, so a change of the package executes just the chapters
  that reach it;
- ``verdicts``, ``incremental``: a build reads only what it must, and leaves the same
  site and the same verdict as one that reads everything; ``unchanged`` tells in a
  moment that nothing need be read;
- ``execution``: runs the cells, and names what ended them;
- ``harvest``: reads the executed notebooks, with what ``minifast.book`` left in them;
- ``provenance``, ``status``: each page says on what it was executed, one page says all;
- ``notebooks``, ``repository``: executed notebooks to download, and to open in Colab;
- ``markdown``, ``references``, ``citations``: their MyST as plain Markdown;
- ``gate``: the build fails on what Sphinx would let through, seen in the executed
  cells (``waivers``) and in the built pages (``markup``, ``links``, ``images``);
- ``appendices``: tables of cited works and labelled equations, idle terms;
- ``letters``, ``oldnames``: the tables of notation and of names old and new;
- ``rooms``: which public names the chapters build, show or use;
- ``edition``: where the whole book is one PDF file;
- ``chapters``: what the API pages show, and their links to the chapters;
- ``report``: ``execution.json``, ``results.json`` and the table printed at the end;
- ``moved``: what ``make diff`` shows; ``partial``: what ``make chapter`` leaves out;
- ``surroundings``: the same conditions everywhere; ``console``: few words;
- ``files``: small files that are never half there;
- ``exercises``, ``mathjax``, ``icons``: repairs of what the book uses.

Environment variables: ``BOOK_CACHE`` (folder of kept outputs), ``BOOK_FINGERPRINT``
(rebuild a published site from its outputs), ``BOOK_EXECUTE=force`` (execute all),
``BOOK_DRAFT=1`` (the gate speaks but does not fail), ``BOOK_PDF=1`` (``book.pdf`` is
going to lie beside the published site).
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minifast_book import (
    appendices,
    chapters,
    edition,
    exercises,
    fingerprint,
    gate,
    icons,
    incremental,
    letters,
    mathjax,
    notebooks,
    oldnames,
    partial,
    provenance,
    report,
    repository,
    rooms,
    status,
    unchanged,
)
from minifast_book.cache import Outputs
from minifast_book.console import Progress
from minifast_book.execution import Executor
from minifast_book.harvest import Page, harvest
from minifast_book.moved import keep_previous, settle_previous
from minifast_book.reach import read_source
from minifast_book.verdicts import Verdicts

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment


class Build:
    """One build of the book: its pages as executed, handed to each part in turn."""

    def __init__(self) -> None:
        self.started = time.time()
        self.began_with = ""
        self.progress = Progress()
        self.outputs = Outputs()
        self.verdicts = Verdicts()
        self.facts: dict[str, dict[str, Any]] = {}  # of the pages being read
        self.executor = Executor()
        self.pages: dict[str, Page] = {}
        self.written: set[str] = set()

    def start(self, app: Sphinx, config: Config) -> None:
        """Wait for other builds, and choose where outputs are kept."""
        self.outputs.choose(app, config)
        self.started = time.time()
        self.began_with = unchanged.state(Path(app.srcdir))
        unchanged.forget(Path(app.outdir).parent)

    def listen(self, app: Sphinx) -> None:
        """Recall what is known of each page."""
        self.verdicts.listen(app)

    def find_outdated(
        self,
        app: Sphinx,
        env: BuildEnvironment,
        added: set[str],
        changed: set[str],
        removed: set[str],
    ) -> set[str]:
        """Name the pages to read although their sources are unchanged."""
        incremental.remove_pages(app, removed)
        return self.verdicts.outdated(app, self.outputs)

    def begin(self, app: Sphinx, env: BuildEnvironment, names: list[str]) -> None:
        """Begin to read pages."""
        incremental.forget_pages(app, names)
        self.verdicts.begin(set(names), set(env.found_docs))

    def begin_page(self, app: Sphinx, docname: str, source: list[str]) -> None:
        """Look for outputs of a page, and show that it is at work."""
        if not read_source(source[0]).cells:
            return
        path = Path(app.env.doc2path(docname))
        of = self.facts[docname] = self.outputs.depends_on(source[0], path.parent)
        kept = self.outputs.offer(docname, of)
        self.progress.begin(docname, "" if kept else self.verdicts.reason(docname, of))
        self.executor.page = os.path.relpath(path)

    def end_page(self, app: Sphinx, doctree: nodes.document) -> None:
        """Keep what it gave, and show how long it took."""
        name = app.env.docname
        if name in self.facts:
            self.outputs.take(app, name, self.facts[name])
            kept = self.outputs.used.get(name)
            self.verdicts.note(app, name, self.facts[name], kept.key if kept else "")
        else:
            self.verdicts.forget(name)
        self.progress.end(name)

    def read(self, app: Sphinx, env: BuildEnvironment) -> None:
        """Collect the executed pages, once all are read and before any is written."""
        self.pages = {page.name: page for page in harvest(app, since=self.started)}
        notebooks.offer_only_executed(app, self.pages.values())
        if app.builder.name == "html":
            incremental.copy_files(app)

    def find_dependent(self, app: Sphinx, env: BuildEnvironment) -> set[str]:
        """Name the pages to write although they were not read."""
        before, self.verdicts.targets = self.verdicts.targets, incremental.targets(env)
        if self.verdicts.targets != before or incremental.lacks_index(app):
            return set(env.found_docs)
        return status.pages_with_table(env) if self.verdicts.read else set()

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
        self.written.add(pagename)
        page = self.pages.get(pagename)
        if page is None or not page.notebook:
            return
        repository.point_colab_at_notebook(pagename, context)
        context["body"] += provenance.footer(page)

    def index(self, app: Sphinx) -> list[tuple[str, dict[str, Any], str]]:
        """Complete the search index before it is written; add no pages."""
        incremental.complete_index(app, self.written)
        return []

    def complete(self, app: Sphinx, error: Exception | None) -> None:
        """Make up for what extensions leave undone when only some pages are written."""
        if not error and app.builder.name == "html":
            incremental.link_written(app, self.written)
            incremental.list_all_pages(app)

    def finish(self, app: Sphinx, error: Exception | None) -> None:
        """Write what goes beside the pages, then let the gate judge."""
        if not error and app.builder.name == "html":
            pages = list(self.pages.values())
            for name, kept in self.outputs.renew(pages).items():
                self.verdicts.note(app, name, kept.facts, kept.key)
            executed = [page.name for page in pages if page.notebook]
            whole = not gate.is_partial(app)
            site = self.outputs.close(self.verdicts.facts(executed), whole=whole)
            notebooks.write_all(app, pages)
            lost = report.lost_claims(app, pages)
            keep_previous(Path(app.outdir))
            report.write(app, pages, *site)
            settle_previous(Path(app.outdir))
            report.print_table(app, pages)
            report.print_lost(lost)
            gate.close(app, pages)
            self.verdicts.save_clean()
            in_order = self.verdicts.all_clean and not app.statuscode
            if in_order and self.began_with == unchanged.state(Path(app.srcdir)):
                unchanged.remember(Path(app.outdir).parent, self.began_with)
        self.verdicts.stop_listening()
        self.outputs.release()


def adapt(app: Sphinx, config: Config) -> None:
    """Adapt the configuration to this build."""
    # Let the templates here stand before the theme's.
    config.templates_path.insert(0, str(Path(__file__).parent / "templates"))
    if gate.is_partial(app):  # references to the pages left out are no fault
        app.add_post_transform(partial.LeaveOutside)
        app.connect("missing-reference", partial.excuse, priority=900)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the parts; Sphinx calls this."""
    build = Build()
    build.executor.install()
    app.setup_extension("sphinx.ext.autodoc")
    app.add_css_file(icons.SHEET)
    app.add_node(status.execution_table)
    app.add_directive("execution-table", status.ExecutionTable)
    app.add_directive("names-table", rooms.NamesTable)
    app.add_directive("letters", letters.LetterTable)
    app.add_directive("old-names", oldnames.OldNames)
    app.add_config_value("pdf_address", "", "env", str)
    app.add_directive("pdf-edition", edition.PdfEdition)
    app.add_directive("cited-works", appendices.CitedWorks)
    app.add_directive("labelled-equations", appendices.LabelledEquations)
    app.connect("config-inited", repository.use_repository, priority=100)
    app.connect("config-inited", edition.note_address, priority=110)
    app.connect("config-inited", build.start, priority=100)
    app.connect("config-inited", adapt, priority=100)
    app.connect("autodoc-process-docstring", chapters.tell_events, priority=400)
    app.connect("autodoc-process-docstring", chapters.link_chapters)
    app.connect("doctree-read", chapters.name_rooms)
    app.connect("autodoc-skip-member", chapters.leave_out)
    app.connect("warn-missing-reference", chapters.forgive_foreign_types, priority=100)
    app.connect("builder-inited", build.listen, priority=100)
    app.connect("builder-inited", incremental.recall_links, priority=900)
    app.connect("env-get-outdated", build.find_outdated)
    app.connect("env-before-read-docs", build.begin, priority=900)
    app.connect("source-read", build.begin_page)
    app.connect("doctree-read", build.end_page, priority=100)
    app.connect("doctree-read", exercises.unnest_sections, priority=100)
    app.connect("env-updated", incremental.remember_links, priority=100)
    app.connect("env-updated", build.read)
    app.connect("env-get-updated", build.find_dependent, priority=900)
    app.connect("doctree-resolved", build.tabulate)
    app.connect("html-page-context", build.offer_notebook, priority=100)
    app.connect("html-page-context", build.dress, priority=900)
    app.connect("html-page-context", mathjax.leave_out, priority=900)
    app.connect("html-collect-pages", build.index)
    app.connect("build-finished", build.complete, priority=100)
    app.connect("build-finished", build.finish, priority=900)
    parallel = {"parallel_read_safe": False, "parallel_write_safe": False}
    return {"version": "1", "env_version": fingerprint.version(), **parallel}
