"""What the outputs of a page depend on, and a short name for it.

jupyter-cache compares the code cells of a page and nothing else: after a change in the
package it would show old outputs. So outputs are kept in a folder named by a digest of
the rest: the package, the versions, the machine, the scale and the data.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from minifast.book import cpu_name
from minifast_book import available

ROOT = Path(__file__).parents[3]
PACKAGES = ("torch", "numpy", "matplotlib", "pillow", "ipykernel")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def facts() -> dict[str, str]:
    """Return everything that a cell's output can depend on, apart from the cell."""
    return {
        "package": package_digest(),
        "lock": _digest([ROOT / "requirements" / "book.txt"], ROOT),
        "python": platform.python_version(),
        "versions": ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
        "device": f"{cpu_name()}; {_gpus()}",
        "threads": _threads(),
        "scale": os.environ.get("MINIFAST_SCALE", "small"),
        "data": os.environ.get("MINIFAST_DATA", "auto"),
        "real data": available.describe(),
    }


def fingerprint(of: dict[str, str]) -> str:
    """Return the short name of those facts, 16 hexadecimal digits."""
    text = json.dumps(of, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def package_digest() -> str:
    """Digest the sources of the package that the chapters import."""
    spec = importlib.util.find_spec("minifast")
    if spec is None or not spec.submodule_search_locations:
        return "not installed"
    folder = Path(spec.submodule_search_locations[0])
    return _digest(sorted(folder.rglob("*.py")), folder)


def _digest(files: list[Path], folder: Path) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(folder).as_posix().encode())
        digest.update(file.read_bytes() if file.exists() else b"")
    return digest.hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _gpus() -> str:
    """Name the GPUs and their driver; asking torch would take seconds."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    if not shutil.which("nvidia-smi"):
        return "no GPU"
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, check=False)
    return f"{done.stdout.strip()} (visible: {visible})"


def _threads() -> str:
    usable = getattr(os, "sched_getaffinity", None)
    cores = len(usable(0)) if usable else os.cpu_count()
    limits = [f"{name}={os.environ[name]}" for name in THREADS if name in os.environ]
    return " ".join([f"{cores} cores", *limits])
