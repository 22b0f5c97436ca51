"""What `make book` shows while it works: the chapter it is at, and how long it took.

Written past Sphinx's own messages, which are many and which `make book` turns off.
"""

from __future__ import annotations

import sys
import time


def say(text: str, end: str = "\n") -> None:
    """Show a piece of text at once."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


class Progress:
    """Shows one line for each page with code cells."""

    def __init__(self) -> None:
        self.started: dict[str, float] = {}

    def begin(self, page: str, why: str = "") -> None:
        """Say which page is being read, and why it is executed if it is."""
        self.started[page] = time.perf_counter()
        say(f"  {page} ({why}) " if why else f"  {page} ", end="")

    def end(self, page: str) -> None:
        """Say how long that took."""
        if page in self.started:
            say(f"{time.perf_counter() - self.started.pop(page):.1f} s")
