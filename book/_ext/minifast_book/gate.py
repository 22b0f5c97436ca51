"""Fail the build for every fault that Sphinx itself lets through.

Sphinx warns when a page fails, once: on the next build it finds the page unchanged and
succeeds. The gate looks at the result instead, and fails as long as the fault is there.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util import logging

from minifast_book import appendices, letters, oldnames, rooms
from minifast_book.cache import rebuilding
from minifast_book.execution import ENDED
from minifast_book.exercises import find_strays
from minifast_book.harvest import has_code_cells, left
from minifast_book.images import find_images, weigh
from minifast_book.links import find_dead, find_faults
from minifast_book.waivers import loads_data, unexplained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbformat import NotebookNode
    from sphinx.application import Sphinx

    from minifast_book.harvest import Page

LOG = logging.getLogger(__name__)
BUDGET = 1_500_000  # bytes of a page with its images
TRACEBACK = "Traceback (most recent call last)"
CLAIM = "This claim must hold: "
AGAINST = "This claim must be false of its counterexample: "
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def close(app: Sphinx, pages: list[Page]) -> None:
    """List the faults of all pages, and let the build fail if there are any."""
    problems = [problem for page in pages for problem in find_problems(app, page)]
    if not is_partial(app):
        problems += [*_orphans(app), *rooms.find_gaps(app)]
        problems += [*appendices.find_gaps(app), *appendices.find_idle_terms(app)]
        problems += [*letters.find_gaps(app), *oldnames.find_gaps(app)]
    if not problems:
        return
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    lines = "\n  ".join(problems)
    LOG.error("The book is not in order, %s:\n  %s", count, lines)
    if not os.environ.get("BOOK_DRAFT"):
        app.statuscode = 1


def find_problems(app: Sphinx, page: Page) -> Iterator[str]:
    """Yield what is wrong with a page, each as one line that begins with the place."""
    place = os.path.relpath(page.source)
    if page.notebook is None:
        yield from _unexecuted(page, place)
    else:
        yield from _failures(page, place)
        yield from _unstamped(page, place)
        yield from _repeated_claims(page, place)
        yield from _unexplained(page, place)
    yield from _images(app, page, place)
    yield from _elements(app, page, place)
    weight = weigh(page.built)
    if weight > BUDGET:
        yield (
            f"{place}: the page weighs {weight / 1e6:.1f} MB with its images and "
            f"downloads; the budget is {BUDGET / 1e6:.1f} MB (fewer points, or PNG "
            "instead of SVG)"
        )


def _orphans(app: Sphinx) -> list[str]:
    """Name the pages that nobody will find: those in no table of contents."""
    folder = Path(app.srcdir)
    files = {file.relative_to(folder) for file in folder.rglob("*.md")}
    listed = {Path(f"{name}.md") for name in app.env.found_docs}
    return [
        f"{os.path.relpath(folder / file)}: is in no table of contents (_toc.yml)"
        for file in sorted(files - listed)
        if not any(part.startswith(("_", ".")) for part in file.parts)
    ]


def _unexecuted(page: Page, place: str) -> Iterator[str]:
    if has_code_cells(page.source.read_text(encoding="utf-8")):
        yield (
            f"{place}: has code cells that were not executed; does its front matter "
            "have jupytext.text_representation.format_name: myst and a kernelspec?"
        )


def _failures(page: Page, place: str) -> Iterator[str]:
    errors = list(_cell_errors(page, place))
    yield from errors
    if page.error and not errors:
        yield f"{place}: the execution broke off: {page.error}"
    if rebuilding() and page.fresh:
        yield f"{place}: was executed, though BOOK_FINGERPRINT asks for kept outputs"


def _cell_errors(page: Page, place: str) -> Iterator[str]:
    for line, cell in page.code_cells():
        tags = cell.metadata.get("tags", [])
        raised = [out for out in cell.outputs if out.output_type == "error"]
        if "raises-exception" in tags and not raised:
            yield f"{place}:{line}: nothing was raised, though the cell's tag says so"
        for error in raised:
            if "raises-exception" not in tags or error.ename in ENDED:
                yield f"{place}:{line}: {_what_failed(error)}"
        for out in cell.outputs:
            if out.get("name") == "stderr" and "remove-stderr" not in tags:
                yield f"{place}:{line}: wrote to stderr: {_last_line(out.text)}"
            if TRACEBACK in out.get("text", ""):
                yield f"{place}:{line}: printed a traceback: {_last_line(out.text)}"


def _what_failed(error: NotebookNode) -> str:
    if error.ename == "ClaimError":
        must = error.evalue.splitlines()[0]
        if must.startswith(AGAINST):
            return f"a counterexample passes this claim's test: {must[len(AGAINST) :]}"
        sentence = must.removeprefix(CLAIM)
        return f"this claim is false in this run: {sentence}"
    if error.ename in ENDED:
        what = "was stopped" if error.ename == "CellTimeoutError" else "lost its kernel"
        return f"the cell {what}: {error.evalue}"
    said = [line.strip() for line in COLOURS.sub("", error.evalue).splitlines()]
    if error.evalue.count("\n  got: ") == 1:  # one of minifast's three lines
        return f"the cell failed: {error.ename}: {said[0]} ({said[1]})"
    return f"the cell failed: {error.ename}: {_last_line(error.evalue)}"


def _last_line(text: str) -> str:
    lines = COLOURS.sub("", text).strip().splitlines()
    return lines[-1].strip() if lines else "(nothing)"


def _unstamped(page: Page, place: str) -> Iterator[str]:
    if page.provenance is None and page.error is None:
        yield f"{place}: has no provenance; end it with a cell that calls stamp()"
    elif page.provenance and not page.provenance.get("data") and _loads_data(page):
        yield f"{place}: takes a data set, but its stamp names none: stamp(data)"
    cells = list(page.code_cells())
    stamped = [i for i, (_, cell) in enumerate(cells) if left(cell, "provenance")]
    if stamped and stamped[-1] < len(cells) - 1 and not page.error:
        line, _ = cells[stamped[-1] + 1]
        yield f"{place}:{line}: this cell comes after the stamp, which ends a page"


def _loads_data(page: Page) -> bool:
    return loads_data(cell.source for _, cell in page.code_cells())


def _repeated_claims(page: Page, place: str) -> Iterator[str]:
    names = Counter(each["name"] for kind in KINDS for each in page.left(kind))
    for name, times in names.items():
        if times > 1:
            yield f"{place}: {times} records or claims are called {name!r}"


KINDS = ("record", "claim")


def _unexplained(page: Page, place: str) -> Iterator[str]:
    for line, cell in page.code_cells():
        for problem in unexplained(cell):
            yield f"{place}:{line}: {problem}"


def _images(app: Sphinx, page: Page, place: str) -> Iterator[str]:
    images = find_images(page.built)
    lines, of_cells = _image_lines(app, page) if images else ({}, set())
    for image in images:
        line = lines.get(image.name)
        where = f"{place}:{line}" if line else place
        if not image.described:
            yield (
                f"{where}: the image {image.name} has no alternative text "
                "(in the cell's header: mystnb: {image: {alt: ...}})"
            )
        # Figures of cells are left to the theme, which gives them the page's width.
        if not image.sized and image.name not in of_cells:
            yield (
                f"{where}: the image {image.name} has no width and height, "
                "so the text jumps when it arrives"
            )


def _image_lines(app: Sphinx, page: Page) -> tuple[dict[str, int], set[str]]:
    """Map the file name of each image to its line, and name those made by cells."""
    images = list(app.env.get_doctree(page.name).findall(nodes.image))
    of_cells = {Path(each["uri"]).name for each in images if _cell(each) is not None}
    return {Path(each["uri"]).name: _line(each, page) for each in images}, of_cells


def _elements(app: Sphinx, page: Page, place: str) -> Iterator[str]:
    yield from (f"{place}: {stray}" for stray in find_strays(app.env, page.name))
    faults = list(find_faults(page.built))
    if not is_partial(app):
        faults += find_dead(page.built)
    source = page.source.read_text(encoding="utf-8").splitlines() if faults else []
    for problem, sought in faults:
        pattern = re.compile(r"(?<![\w:/])" + re.escape(sought or "\n"))
        found = (i for i, line in enumerate(source, 1) if pattern.search(line))
        line = next(found, None)
        yield f"{place}:{line}: {problem}" if line else f"{place}: {problem}"


def is_partial(app: Sphinx) -> bool:
    """Tell whether some pages are left out, so that links to them are no fault.

    The table of contents of such a build is written by ``make chapter`` and lies among
    what is built. No setting says it: left in a shell, it would weaken ``make book``.
    """
    contents = Path(app.srcdir, app.config.external_toc_path)
    return "_build" in Path(os.path.relpath(contents, Path(app.srcdir).parent)).parts


def _cell(image: nodes.image) -> int | None:
    """Return the index of the cell that made an image; None if it is of the prose."""
    owner = image
    while owner is not None:
        if owner.get("cell_index") is not None:
            return int(owner["cell_index"])
        owner = owner.parent
    return None


def _line(image: nodes.image, page: Page) -> int:
    index = _cell(image)
    if index is not None:
        return page.cell_line(index)
    owner = image
    while owner.parent is not None and not owner.line:
        owner = owner.parent
    return owner.line or 0
