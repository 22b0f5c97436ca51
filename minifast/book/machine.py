"""Facts about this process and its machine: notebook or not, CPU, GPU, versions.

Each is found out here and nowhere else. Nothing imports torch before it has to.

Book: ch. 00, "Reading a footer".
"""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("minifast", "torch", "numpy", "matplotlib", "pillow")


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook, which can show HTML."""
    ipython: Any = sys.modules.get("IPython")  # a kernel has imported it
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def cpu_name() -> str:
    """Return the processor's name as its maker writes it, where that can be found."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.processor() or platform.machine()


def gpu_name() -> str:
    """Return the name of the GPU that torch uses, or an empty string without one."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    found = torch.accelerator.current_accelerator(check_available=True)
    return f"{found.type.upper()} accelerator" if found else ""


def wait_for_gpu() -> None:
    """Wait until the GPU has done all it was told to; do nothing if none is in use.

    A GPU works on while Python goes on: a clock that is read without waiting measures
    how long it took to hand out the work.
    """
    torch = sys.modules.get("torch")  # no GPU work can be under way before the import
    if torch is None or not torch.accelerator.is_available():
        return
    if torch.cuda.is_available() and not torch.cuda.is_initialized():
        return  # to wait would take memory of a GPU that nobody uses
    torch.accelerator.synchronize()


def environment() -> dict[str, str]:
    """Describe the machine and the software of this process, in words.

    Returns:
        ``device``, ``cpu``, ``threads``, ``python``, ``platform`` and the version of
        each package that results depend on.

    Book: ch. 00, "Reading a footer".
    """
    import torch

    about = {
        "device": gpu_name() or "CPU",
        "cpu": cpu_name(),
        "threads": str(torch.get_num_threads()),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    return about | {name: _version(name) for name in _PACKAGES}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # an extra, say
        return "not installed"
