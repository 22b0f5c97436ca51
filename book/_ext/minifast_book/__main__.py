"""Succeed if nothing has changed since the last build: ``make book`` asks this first.

``PYTHONPATH=book/_ext python -m minifast_book BOOK BUILD``
"""

import sys
from pathlib import Path

from minifast_book.console import say
from minifast_book.unchanged import is_unchanged

if __name__ == "__main__":
    sources, build = map(Path, sys.argv[1:])
    if not is_unchanged(sources.absolute(), build.absolute()):
        sys.exit(1)
    say("Nothing has changed since the last build, which found the book in order.")
    say(f"The site: {build / 'html' / 'index.html'}")
