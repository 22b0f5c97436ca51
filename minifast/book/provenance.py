"""At what scale, on what machine and with which versions a page was executed.

Book: ch. 00, "Reading a footer" and "Two sizes of every experiment".
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Protocol, TypeVar

from minifast.book.machine import environment
from minifast.book.results import leave
from minifast.errors import UnknownNameError

T = TypeVar("T")

_STARTED = time.perf_counter()
_MACHINE = ("device", "cpu", "threads", "platform")


def scale(*, small: T, full: T) -> T:
    """Choose the size of an experiment by the scale the book is built at.

    ``make book`` builds at the small scale, which a laptop finishes in minutes;
    ``make book SCALE=full`` runs the same code at the sizes that the text argues with.

    Args:
        small: The value for ``MINIFAST_SCALE=small``, the default.
        full: The value for ``MINIFAST_SCALE=full``.

    Raises:
        UnknownNameError: If ``MINIFAST_SCALE`` is neither ``small`` nor ``full``.

    Book: ch. 00, "Two sizes of every experiment".
    """
    return {"small": small, "full": full}[scale_name()]


def scale_name() -> str:
    """Return the scale of this run, ``small`` or ``full``.

    Raises:
        UnknownNameError: If ``MINIFAST_SCALE`` is neither ``small`` nor ``full``.
    """
    name = os.environ.get("MINIFAST_SCALE", "small")
    scales = ("small", "full")
    if name not in scales:
        fix = "Unset it, which means small."
        raise UnknownNameError.of("MINIFAST_SCALE", name, scales, fix)
    return name


class Provenance(Protocol):
    """Anything that can say in one line where it comes from, such as a data set."""

    def provenance(self) -> str:
        """Return that line."""
        ...


def stamp(*data: Provenance) -> None:
    """Leave the facts for the page's footer; the last cell of every chapter.

    Args:
        data: The data sets the chapter used.

    Book: ch. 00, "Reading a footer".
    """
    versions = environment()
    machine = {name: versions.pop(name) for name in _MACHINE}
    leave(
        "provenance",
        "provenance",
        "",
        **machine,
        versions=versions,
        commit=_commit(),
        scale=scale_name(),
        data_mode=os.environ.get("MINIFAST_DATA", "auto"),
        data=[each.provenance() for each in data],
        seconds=round(time.perf_counter() - _STARTED, 1),
    )


def _commit() -> str:
    """Return the commit of the sources, or an empty string outside a repository."""
    if "GITHUB_SHA" in os.environ:
        return os.environ["GITHUB_SHA"][:12]
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip()
