"""Tell what the build did: two files at the site's root, and a table at its end."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minifast.book import table
from minifast_book.console import say
from minifast_book.images import weigh

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from minifast_book.harvest import Page


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
    _write_json(Path(app.outdir, "execution.json"), execution)
    _write_json(Path(app.outdir, "results.json"), results)


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
    if not os.environ.get("BOOK_PARTIAL"):
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


def _write_json(path: Path, content: object) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")
