"""What parts of Sphinx and its extensions forget when only some pages are built.

They are made for builds of all pages, or remember what only reStructuredText has: a
build that reads three pages is to leave the same site as one that reads all of them.
"""

from __future__ import annotations

import copy
import queue
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import myst_nb.sphinx_ext
import sphinx_exercise
import sphinx_sitemap
from sphinx.search import js_index
from sphinx.util.index_entries import split_index_msg
from sphinx_codeautolink.extension import SphinxCodeAutoLink

from minifast_book import icons, mathjax
from minifast_book.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment


def copy_files(app: Sphinx) -> None:
    """Copy files that extensions would copy at the end.

    Pages name a file with a digest if it is there when they are written; so all pages
    name them alike, be it in the first build or later.
    """
    Path(app.outdir, "_static").mkdir(parents=True, exist_ok=True)
    myst_nb.sphinx_ext.add_global_html_resources(app, None)
    sphinx_exercise.copy_asset_files(app, None)
    mathjax.copy_files(app.outdir)
    icons.write_sheet(app.outdir)


def remember_links(app: Sphinx, env: BuildEnvironment) -> None:
    """Keep the code links of all pages, before those without a target are dropped."""
    links = getattr(env, "sphinx_codeautolink_transforms", None)
    if links is not None:
        env.book_links = copy.deepcopy(links)  # type: ignore[attr-defined]


def recall_links(app: Sphinx) -> None:
    """Hand sphinx-codeautolink the links of pages that may not be read again.

    Its own memory looks for the sources of pages under the suffix ``.rst``.
    """
    links = getattr(app.env, "sphinx_codeautolink_transforms", None)
    if links is not None:
        links.update(copy.deepcopy(getattr(app.env, "book_links", {})))


def link_written(app: Sphinx, written: set[str]) -> None:
    """Let sphinx-codeautolink put links into just the pages that were written."""
    for listener in app.events.listeners["build-finished"]:
        owner = getattr(listener.handler, "__self__", None)
        if isinstance(owner, SphinxCodeAutoLink):
            owner.outdated_docs = {str(Path(name)) for name in written}


def list_all_pages(app: Sphinx) -> None:
    """Let the site map name all pages, not just those that were written."""
    links = app.env.app.sitemap_links  # type: ignore[attr-defined]
    while True:
        try:
            links.get_nowait()
        except queue.Empty:
            break
    outdir = Path(app.outdir)
    for page in sorted(outdir.rglob("*.html")):
        if "_static" not in page.relative_to(outdir).parts:
            name = page.relative_to(outdir).with_suffix("").as_posix()
            sphinx_sitemap.add_html_link(app, name, None, None, None)


def complete_index(app: Sphinx, written: set[str]) -> None:
    """Give the search index what Sphinx forgets of the pages that were not written.

    It takes their words from the last index, but not their index entries, and it keeps
    the words that no page has any more.
    """
    indexer = app.builder.indexer  # type: ignore[attr-defined]
    of_pages = app.env.domaindata["index"]["entries"]
    for name in set(of_pages) - written:
        indexer._index_entries[name] = sorted(_spelled_out(of_pages[name]))
    indexer._index_entries = dict(sorted(indexer._index_entries.items()))
    for words in (indexer._mapping, indexer._title_mapping):
        for word in [word for word, pages in words.items() if not pages]:
            del words[word]


def _spelled_out(entries: Iterable[tuple[str, ...]]) -> set[tuple[str, str, str]]:
    """Return index entries as the search index has them: one for each name."""
    found = set()
    for kind, value, target, main, _ in entries:
        with suppress(ValueError):  # no such kind: Sphinx leaves it out, too
            names = split_index_msg(kind, value)
            found |= {(name, target or "", main) for name in names}
    return found


def lacks_index(app: Sphinx) -> bool:
    """Tell whether the last search index is damaged or gone, so that all are needed."""
    try:
        text = Path(app.outdir, "searchindex.js").read_text(encoding="utf-8")
        js_index.loads(text)
    except (OSError, ValueError):
        return True
    return False


def forget_pages(app: Sphinx, names: Iterable[str]) -> None:
    """Forget what was known of pages that are about to be read, all at once.

    Sphinx forgets each just before it reads it. A label that has moved from the end of
    the book to its beginning would be there twice.
    """
    for name in names:
        app.events.emit("env-purge-doc", app.env, name)
        app.env.clear_doc(name)


def remove_pages(app: Sphinx, names: Iterable[str]) -> None:
    """Remove what was built of pages that are no longer there."""
    for name in names:
        Path(app.outdir, f"{name}.html").unlink(missing_ok=True)
        for file in Path(app.outdir, "_sources").glob(f"{name}.*"):
            file.unlink()


def targets(env: BuildEnvironment) -> str:
    """Return a digest of all that a page can show of the others.

    These are titles, numbers, labels, anchors and citations. When one of them changes,
    every page is written again: its links may have become wrong, or right.
    """
    domains = {name: domain.data for name, domain in env.domains.items()}
    std, python, math = domains["std"], domains["py"], domains["math"]
    cite = domains.get("cite", {})
    of = [
        {name: title.astext() for name, title in env.titles.items()},
        env.toc_secnumbers,
        env.toc_fignumbers,
        env.toctree_includes,
        [std[kind] for kind in ("labels", "anonlabels", "terms")],
        sorted(map(str, std["objects"].items())),
        sorted(map(str, python["objects"].items())),
        math.get("objects", {}),
        [(each.citation_id, str(each.entry)) for each in cite.get("citations", [])],
        {name: of.get("myst_slugs", {}) for name, of in env.metadata.items()},
    ]
    return fingerprint(_plain(of))


def _plain(value: object) -> object:
    """Return nested values as JSON can hold and sort them."""
    if isinstance(value, dict):
        return sorted([str(name), _plain(each)] for name, each in value.items())
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return str(value)
