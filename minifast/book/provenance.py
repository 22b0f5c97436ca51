"""At what scale, on what machine and with which versions a page was executed.

Book: ch. 00, "Reading a footer" and "Two sizes of every experiment".
"""

from __future__ import annotations

import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Protocol, TypeVar

from minifast.book.results import leave
from minifast.errors import OptionError

T = TypeVar("T")

_STARTED = time.perf_counter()
_SHOWN = ("minifast", "torch", "numpy", "matplotlib", "pillow")


def scale(*, small: T, full: T) -> T:
    """Choose the size of an experiment by the scale the book is built at.

    ``make book`` builds at the small scale, which a laptop finishes in minutes;
    ``make book SCALE=full`` runs the same code at the sizes that the text argues with.

    Args:
        small: The value for ``MINIFAST_SCALE=small``, the default.
        full: The value for ``MINIFAST_SCALE=full``.

    Raises:
        OptionError: If ``MINIFAST_SCALE`` is neither ``small`` nor ``full``.

    Book: ch. 00, "Two sizes of every experiment".
    """
    return {"small": small, "full": full}[scale_name()]


def scale_name() -> str:
    """Return the scale of this run, ``small`` or ``full``.

    Raises:
        OptionError: If ``MINIFAST_SCALE`` is neither ``small`` nor ``full``.

    Book: ch. 00, "Two sizes of every experiment".
    """
    name = os.environ.get("MINIFAST_SCALE", "small")
    if name not in ("small", "full"):
        raise OptionError(
            "MINIFAST_SCALE must be small or full.", repr(name), "Unset it, or use one."
        )
    return name


class Provenance(Protocol):
    """Anything that can say in one line where it comes from, such as a data set."""

    def provenance(self) -> str:
        """Return that line."""
        ...


def environment() -> dict[str, str]:
    """Describe the machine and the software of this process, in words.

    Returns:
        ``device``, ``cpu``, ``threads``, ``python``, ``platform`` and the version of
        each package that results depend on.

    Book: ch. 00, "Reading a footer".
    """
    import torch

    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else ""
    about = {
        "device": gpu or "CPU",
        "cpu": _cpu_name(),
        "threads": str(torch.get_num_threads()),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    return about | {name: metadata.version(name) for name in _SHOWN}


def stamp(*data: Provenance) -> None:
    """Leave the facts for the page's footer; the last cell of every chapter.

    Args:
        data: The data sets the chapter used.

    Book: ch. 00, "Reading a footer".
    """
    about = environment()
    versions = {name: about.pop(name) for name in ("python", *_SHOWN)}
    leave(
        "provenance",
        "provenance",
        "",
        **about,
        versions=versions,
        commit=_commit(),
        scale=scale_name(),
        data_mode=os.environ.get("MINIFAST_DATA", "auto"),
        data=[each.provenance() for each in data],
        seconds=round(time.perf_counter() - _STARTED, 1),
    )


def _cpu_name() -> str:
    """Return the processor's name as its maker writes it, where that can be found."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


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
