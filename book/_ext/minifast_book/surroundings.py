"""Let chapters run alike on every machine, whatever its user has set up."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from minifast.datasets import cache_folder, mirrors

# Where a user's backend, start-up code, kernels and their settings come from.
FOREIGN = (
    "MPLBACKEND",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_CONFIG_PATH",
    "JUPYTER_DATA_DIR",
    "JUPYTER_PATH",
    "PYTHONSTARTUP",
)
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
    for name in FOREIGN:
        os.environ.pop(name, None)
    if spec := importlib.util.find_spec("matplotlib"):  # instead of the user's own
        settings = Path(str(spec.origin)).parent / "mpl-data" / "matplotlibrc"
        os.environ["MATPLOTLIBRC"] = str(settings)
    # Folders are to be independent of where a chapter runs.
    os.environ["MINIFAST_MIRROR"] = "|".join(mirrors())
    if os.environ.get("MINIFAST_CACHE"):
        os.environ["MINIFAST_CACHE"] = str(cache_folder())
