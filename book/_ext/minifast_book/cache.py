"""Keep the outputs of executed pages, each in one file named by what it depends on.

``_build/.jupyter_cache/pages`` holds a file a page. It begins with a digest of the rest
and is replaced as a whole, so that builds side by side don't disturb each other, and
what is damaged or edited by hand is not believed but executed again. A folder beside
it, named by the fingerprint of a whole build, says with which outputs that was made.

jupyter-cache, in which myst-nb looks for outputs, gets what it may use page by page, in
a folder that is emptied each time.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from filelock import FileLock, Timeout
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn

from minifast_book.available import describe
from minifast_book.console import say
from minifast_book.files import read_json, write_json, write_whole
from minifast_book.fingerprint import facts, fingerprint, sources
from minifast_book.reach import digest, read_source
from minifast_book.surroundings import settle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nbformat import NotebookNode
    from sphinx.application import Sphinx
    from sphinx.config import Config

    from minifast_book.harvest import Page

KEPT = 6  # sites whose outputs are kept, so that going back to a branch is quick
UNNAMED = 200  # outputs of no such site: those of single chapters, of broken builds
FACTS = "facts.json"


@dataclass(frozen=True)
class Kept:
    """The outputs of a page and how they came about.

    Attributes:
        key: Short name of the facts.
        facts: All that the outputs depend on.
        executed: When the page was executed, in seconds since the epoch.
        seconds: How long that took.
        notebook: The executed notebook, as in its file.
    """

    key: str
    facts: dict[str, Any]
    executed: float
    seconds: float
    notebook: dict[str, Any]


class Outputs:
    """The outputs of one build's pages: those kept earlier, and those it keeps."""

    def __init__(self) -> None:
        self.shared: dict[str, str] = {}
        self.site: dict[str, Any] = {}  # the site that is rebuilt, if one is
        self.used: dict[str, Kept] = {}  # of the pages that this build has read
        self.lock: FileLock | None = None

    def choose(self, app: Sphinx, config: Config) -> None:
        """Choose the folders, and settle the surroundings in which pages run."""
        build = Path(app.outdir).parent
        self.lock = wait_for(build)
        settle(build)
        named = os.environ.get("BOOK_CACHE") or build / ".jupyter_cache"
        self.base = Path(named).absolute()
        self.staging = build.absolute() / ".running"
        shutil.rmtree(self.staging, ignore_errors=True)
        config.nb_execution_cache_path = str(self.staging)
        self.shared, self.sources = facts(), sources()
        if rebuilding():
            self.site = read_json(self.base / os.environ["BOOK_FINGERPRINT"] / FACTS)

    def depends_on(self, text: str, folder: Path) -> dict[str, Any]:
        """Return all that the outputs of a page depend on.

        Args:
            text: The page.
            folder: Where it lies.
        """
        source = read_source(text)
        of: dict[str, Any] = {**self.shared, "cells": source.digest}
        if not rebuilding():
            of["reaches"] = self.sources.of(source, folder)
            of["real data"] = describe("\n".join(source.cells), of["reaches"])
        return of

    def key(self, of: dict[str, Any]) -> str:
        """Return the name under which a page with these facts is kept."""
        if rebuilding():
            return str(self.site.get("pages", {}).get(of["cells"], "none"))
        return fingerprint(of)

    def offer(self, name: str, of: dict[str, Any]) -> Kept | None:
        """Let myst-nb find the outputs that are kept for a page, before it reads it."""
        self.used.pop(name, None)
        shutil.rmtree(self.staging, ignore_errors=True)
        kept = None if forced() else self.read(self.key(of))
        if kept:
            self.used[name] = kept
            notebook = nbformat.reads(json.dumps(kept.notebook), as_version=4)
            seconds = {"execution_seconds": kept.seconds}
            bundle = CacheBundleIn(notebook, name, data=seconds)
            get_cache(self.staging).cache_notebook_bundle(bundle, check_validity=False)
        return kept

    def take(self, app: Sphinx, name: str, of: dict[str, Any]) -> None:
        """Keep the outputs of the page that was just read, and complete its notebook.

        myst-nb leaves it without outputs if they were kept, and else without what was
        recorded. A page that failed is not kept, nor one that was executed while
        somebody edited the package: nobody knows which state it shows.
        """
        done = getattr(app.env, "nb_metadata", {}).get(name, {}).get("exec_data")
        if not done:
            return
        path = executed_notebook(app, name)
        notebook = nbformat.read(path, as_version=4)
        kept = self.used.pop(name, None)
        try:
            _, whole = get_cache(self.staging).merge_match_into_notebook(notebook)
        except KeyError:
            return
        text = nbformat.writes(whole)
        write_whole(path, text)
        if kept and not was_executed(notebook):
            self.used[name] = kept
            done["mtime"], done["runtime"] = kept.executed, kept.seconds
        elif not rebuilding() and not self.sources.has_changed():
            when, seconds = done["mtime"], done["runtime"] or 0.0
            self.used[name] = Kept(self.key(of), of, when, seconds, json.loads(text))
            self.write(self.used[name])

    def file(self, key: str) -> Path:
        """Return where outputs of this name are kept."""
        return self.base / "pages" / f"{key}.json"

    def read(self, key: str) -> Kept | None:
        """Return kept outputs; None if there are none, or not as they were written."""
        path = self.file(key)
        try:
            seal, body = path.read_text(encoding="utf-8").split("\n", 1)
            kept = Kept(**json.loads(body))
            intact = seal == digest(body.encode()) and kept.key == key
            os.utime(path)
        except (OSError, ValueError, TypeError):
            return None
        return kept if intact else None

    def write(self, kept: Kept) -> None:
        """Keep outputs."""
        body = json.dumps(asdict(kept))
        write_whole(self.file(kept.key), f"{digest(body.encode())}\n{body}")

    def renew(self, pages: Iterable[Page]) -> dict[str, Kept]:
        """Keep outputs under new names if executing has brought data to this machine.

        The first build fetches real data; without this, the second would find other
        facts than the first began with, and execute everything again. Pages that show
        stand-ins are left out: with the data there, they will be others.
        """
        renewed = {}
        for page in pages:
            kept = self.used.get(page.name)
            data = (page.provenance or {}).get("data", [])
            if rebuilding() or not kept or any("stand-in" in each for each in data):
                continue
            cells = read_source(page.source.read_text(encoding="utf-8")).cells
            now = describe("\n".join(cells), kept.facts["reaches"])
            if now != kept.facts["real data"]:
                of = {**kept.facts, "real data": now}
                renewed[page.name] = replace(kept, key=fingerprint(of), facts=of)
                self.write(renewed[page.name])
        return renewed

    def close(
        self, pages: dict[str, dict[str, Any]], *, whole: bool
    ) -> tuple[str, dict[str, str]]:
        """Note with which outputs the site was made, and forget the oldest.

        Args:
            pages: What the outputs of each page depend on.
            whole: Whether these are all pages; of single chapters nothing is noted.

        Returns:
            The site's fingerprint, and what all its pages depend on.
        """
        if rebuilding():
            return os.environ["BOOK_FINGERPRINT"], self.site.get("depends_on", {})
        now = {of["cells"]: fingerprint(of) for of in pages.values()}
        name = fingerprint([self.shared, now])
        if whole:
            site = {"depends_on": self.shared, "pages": now}
            write_json(self.base / name / FACTS, site)
        self.prune()
        return name, self.shared

    def prune(self) -> None:
        """Forget the oldest sites, and outputs that belong to none of the others."""
        sites = by_age(self.base.glob(f"*/{FACTS}"))
        for site in sites[:-KEPT]:
            shutil.rmtree(site.parent, ignore_errors=True)
        recent = [read_json(site).get("pages", {}) for site in sites[-KEPT:]]
        named = {key for pages in recent for key in pages.values()}
        files = by_age(self.base.glob("pages/*.json"))
        for file in [file for file in files if file.stem not in named][:-UNNAMED]:
            file.unlink(missing_ok=True)

    def release(self) -> None:
        """Let the next build begin."""
        if self.lock:
            shutil.rmtree(self.staging, ignore_errors=True)
            self.lock.release()


def wait_for(build: Path) -> FileLock:
    """Wait until no other build writes to this folder, and hold it."""
    build.mkdir(parents=True, exist_ok=True)
    lock = FileLock(build / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"Another build is at work in {os.path.relpath(build)}; waiting for it.")
        lock.acquire()
    return lock


def executed_notebook(app: Sphinx, name: str) -> Path:
    """Return where the executed notebook of a page is."""
    return Path(app.outdir).parent / "jupyter_execute" / f"{name}.ipynb"


def was_executed(notebook: NotebookNode) -> bool:
    """Whether cells of a notebook were executed since it was parsed."""
    return any(cell.get("execution_count") for cell in notebook.cells)


def rebuilding() -> bool:
    """Tell whether a published site is rebuilt from its outputs."""
    return bool(os.environ.get("BOOK_FINGERPRINT"))


def forced() -> bool:
    """Tell whether all pages are to be executed, whatever is kept."""
    return os.environ.get("BOOK_EXECUTE") == "force"


def by_age(files: Iterable[Path]) -> list[Path]:
    """Return files, the one written or used last at the end."""

    def age(file: Path) -> float:
        try:
            return file.stat().st_mtime
        except OSError:  # another build has just removed it
            return 0.0

    return sorted(files, key=age)
