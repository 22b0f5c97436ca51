"""Tell in a moment that a whole book is as it was, without starting Sphinx.

A build that ends in order leaves in ``unchanged.json`` what it began with, and what
files it made. What has the same beginning, and still those files, need not be built.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from minifast.datasets import available
from minifast_book import fingerprint, repository
from minifast_book.cache import forced, rebuilding
from minifast_book.files import read_json, write_json
from minifast_book.reach import digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE = "unchanged.json"
SETTINGS = ("BOOK_", "SPHINX", "SOURCE_DATE_EPOCH")


def is_unchanged(sources: Path, build: Path) -> bool:
    """Tell whether a build would find all as the last one left it.

    Args:
        sources: The book's folder.
        build: The folder of all that is built.
    """
    if forced() or rebuilding():
        return False
    known = read_json(build / FILE)
    return bool(known) and known == {"from": state(sources), "made": made(build)}


def remember(build: Path, began_with: str) -> None:
    """Note after a build that found no fault what it began with, and its files."""
    write_json(build / FILE, {"from": began_with, "made": made(build)})


def forget(build: Path) -> None:
    """Note that a build is at work; what it leaves if it breaks off is not known."""
    (build / FILE).unlink(missing_ok=True)


def state(sources: Path) -> str:
    """Return the short name of all that a build of the whole book begins with."""
    root = fingerprint.ROOT
    reached = fingerprint.sources()
    folders = [sources, reached.package, reached.scripts]
    files = [file for folder in folders for file in _files(folder)]
    files += sorted(root.glob("_*.yml"))
    settings = {
        name: value for name, value in os.environ.items() if name.startswith(SETTINGS)
    }
    of = {
        "files": {str(file): digest(file.read_bytes()) for file in files},
        "shared": fingerprint.facts(),
        "extension": fingerprint.version(),
        "data": available(),
        "repository": [repository.known(), repository.install_command()],
        "settings": settings,
    }
    return fingerprint.fingerprint(of)


def made(build: Path) -> str:
    """Return the short name of the files of a site, by their sizes and times."""
    stats = [(str(file), file.stat()) for file in _files(build / "html")]
    return fingerprint.fingerprint([(n, s.st_size, s.st_mtime_ns) for n, s in stats])


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        if "__pycache__" not in file.parts and file.is_file():
            yield file
