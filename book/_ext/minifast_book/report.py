"""Tell what the build did: two files at the site's root, and a table at its end."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minifast.book import table
from minifast_book.console import say
from minifast_book.files import read_json, write_json
from minifast_book.gate import is_partial
from minifast_book.images import weigh

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from minifast_book.harvest import Page

RESULTS = "results.json"
NUMBER = re.compile(r"\d[\d.,]*(?:e[+-]?\d+)?")


def write(
    app: Sphinx, pages: list[Page], fingerprint: str, depends_on: dict[str, str]
) -> None:
    """Write ``execution.json`` and ``results.json``.

    Neither says when the site was built, so that rebuilding it from kept outputs gives
    the same bytes.

    Args:
        app: The Sphinx application.
        pages: All pages.
        fingerprint: Short name of all that the site depends on.
        depends_on: What all its pages depend on.
    """
    executed = [page for page in pages if page.notebook]
    execution = {
        "fingerprint": fingerprint,
        "depends_on": depends_on,
        "seconds": round(sum(page.seconds for page in executed), 1),
        "pages": {page.name: _execution(page) for page in executed},
    }
    results = {
        page.name: {
            "records": {
                each["name"]: {"value": each["value"], "text": each["text"]}
                for each in page.left("record")
            },
            "claims": [each["sentence"] for each in page.left("claim")],
        }
        for page in executed
    }
    write_json(Path(app.outdir, "execution.json"), execution)
    write_json(Path(app.outdir, RESULTS), results)


def lost_claims(app: Sphinx, pages: list[Page]) -> list[str]:
    """Name the claims that the last build of a page made and this one did not.

    To be asked before ``write``. It is told and fails nothing, since a claim may be
    taken away on purpose; the next build has forgotten it. Numbers in a sentence don't
    count, they are measured anew. A page that broke off is told by the gate.
    """
    before = read_json(Path(app.outdir, RESULTS))
    lost = []
    for page in pages:
        if page.notebook and not page.error:
            now = {_wording(each["sentence"]) for each in page.left("claim")}
            then = before.get(page.name, {}).get("claims", [])
            place = os.path.relpath(page.source)
            lost += [f"{place}: {each}" for each in then if _wording(each) not in now]
    return lost


def print_lost(claims: list[str]) -> None:
    """Print them below the table."""
    if claims:
        lines = "\n  ".join(claims)
        say(f"The last build claimed what this one does not:\n  {lines}\n")


def print_table(app: Sphinx, pages: list[Page]) -> None:
    """Print what each page took and weighs, and where the site is."""
    executed = [page for page in pages if page.notebook]
    rows = [
        (
            page.name,
            f"{page.seconds:.1f} s",
            f"{weigh(page.built) / 1000:.0f} KB",
            "executed" if page.fresh else "kept",
        )
        for page in executed
    ]
    seconds = sum(page.seconds for page in executed if page.fresh)
    root = Path(app.outdir, f"{app.config.root_doc}.html")
    note = f"executed now: {seconds:.1f} s"
    if not is_partial(app):
        note += f"\nThe site: {os.path.relpath(root)}"
    header = ["page", "time", "weight", "outputs"]
    say(f"\n{table(header, rows, min_width=8, note=note)}\n")


def _execution(page: Page) -> dict[str, Any]:
    executed = page.executed.isoformat(timespec="seconds") if page.executed else ""
    return {
        "title": page.title,
        "executed": executed,
        "seconds": round(page.seconds, 2),
        "succeeded": page.error is None,
        "error": page.error,
        "bytes": weigh(page.built),
        "provenance": page.provenance,
    }


def _wording(sentence: str) -> str:
    return NUMBER.sub("#", sentence)
