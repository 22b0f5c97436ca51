"""Let chapters run alike on every machine, whatever its user has set up."""

from __future__ import annotations

import os
from pathlib import Path

SEPARATOR = "|"  # between the mirrors in MINIFAST_MIRROR
KERNEL = """\
c = get_config()  # noqa: F821
c.IPKernelApp.log_level = "ERROR"  # else a note on sockets for every chapter
c.HistoryManager.enabled = False
"""


def settle(build: Path) -> None:
    """Set what kernels inherit.

    Args:
        build: The folder of everything that is built.
    """
    ipython = build.absolute() / "ipython"  # instead of the user's own profile
    profile = ipython / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(KERNEL)
    os.environ["IPYTHONDIR"] = str(ipython)
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.environ["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"
    os.environ.pop("MPLBACKEND", None)
    for name in ("MINIFAST_CACHE", "MINIFAST_MIRROR"):
        if os.environ.get(name):
            os.environ[name] = _absolute(os.environ[name])


def _absolute(places: str) -> str:
    """Make folders independent of where a chapter runs; leave web addresses."""
    return SEPARATOR.join(
        place if "://" in place else str(Path(place).expanduser().absolute())
        for place in places.split(SEPARATOR)
    )
