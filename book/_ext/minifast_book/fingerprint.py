"""What the outputs of a page depend on, and a short name for it.

jupyter-cache compares the code cells of a page and nothing else: after a change in the
package it would show old outputs. So outputs are kept under a digest of the rest too:
what all pages share (the versions, the machine, the scale and the data), and what this
page reaches of the package, the scripts and the files beside it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

from minifast.book import cpu_name
from minifast_book.reach import Reach, digest

ROOT = Path(__file__).parents[3]
PACKAGES = ("torch", "numpy", "matplotlib", "pillow", "ipykernel")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def facts() -> dict[str, str]:
    """Return what the outputs of every page depend on."""
    lock = ROOT / "requirements" / "book.txt"
    return {
        "lock": digest(lock.read_bytes()) if lock.exists() else "none",
        "python": platform.python_version(),
        "versions": ", ".join(f"{name} {_version(name)}" for name in PACKAGES),
        "device": f"{cpu_name()}; {_gpus()}",
        "threads": _threads(),
        "scale": os.environ.get("MINIFAST_SCALE", "small"),
        "data": os.environ.get("MINIFAST_DATA", "auto"),
    }


def fingerprint(of: object) -> str:
    """Return the short name of facts, 16 hexadecimal digits."""
    return digest(json.dumps(of, sort_keys=True).encode())


def version() -> int:
    """Return a number for the extension's own code and the packages beside it.

    When one of them changes, pages are no longer what they would make of the sources:
    Sphinx forgets them all and reads them again, with the outputs that were kept.
    """
    files = [file for file in Path(__file__).parent.rglob("*") if file.is_file()]
    own = [file for file in files if file.suffix != ".pyc"]
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    of = [digest(file.read_bytes()) for file in [*sorted(own), *locks]]
    return int(fingerprint(of), 16)


def sources() -> Reach:
    """Return what pages may reach: the package that they import, and the scripts."""
    spec = importlib.util.find_spec("minifast")
    places = spec.submodule_search_locations if spec else None
    package = Path(places[0]) if places else ROOT / "minifast"
    return Reach(package, ROOT / "benchmarks")


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
