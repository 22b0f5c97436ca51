"""Succeed if nothing has changed since the last build: ``make book`` asks this first.

``PYTHONPATH=book/_ext python -m minifast_book BOOK BUILD``; without the two folders it
prints the short name of all that a build of the book depends on.
"""

import sys
from pathlib import Path

from minifast_book.console import say
from minifast_book.fingerprint import ROOT
from minifast_book.unchanged import is_unchanged, state


def main(*folders: str) -> int:
    """Return 0 if nothing has changed, else 1."""
    if not folders:
        say(state(ROOT / "book"))
        return 0
    sources, build = (Path(folder).absolute() for folder in folders)
    if not is_unchanged(sources, build):
        return 1
    say("Nothing has changed since the last build, which found the book in order.")
    say(f"The site: {build / 'html' / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
