"""Which real data sets can be had without asking the network.

A chapter that once ran on stand-ins must run again when the real data is there. So the
name of the outputs' folder says which sets are in the cache of ``minifast.data`` and
which a mirror on this machine holds.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from minifast_book.surroundings import SEPARATOR


def describe() -> str:
    """Name each set that can be had, with the beginning of its checksum."""
    if os.environ.get("MINIFAST_DATA") == "standin":
        return "not asked for"
    places = os.environ.get("MINIFAST_MIRROR", "").split(SEPARATOR)
    sets: dict[str, str] = {}
    for place in reversed([place for place in places if place]):
        sets |= {place: "web"} if "://" in place else _listed(Path(place))
    sets |= _cached(Path(os.environ.get("MINIFAST_CACHE") or "~/.cache/minifast"))
    return ", ".join(f"{name} {checksum}" for name, checksum in sorted(sets.items()))


def _listed(mirror: Path) -> dict[str, str]:
    """Return what the manifest of a mirror lists, and a digest of each entry."""
    try:
        datasets = json.loads((mirror / "index.json").read_text())["datasets"]
    except (OSError, ValueError, KeyError):
        return {}
    entries = {
        name: json.dumps(each, sort_keys=True) for name, each in datasets.items()
    }
    return {
        name: hashlib.sha256(text.encode()).hexdigest()[:12]
        for name, text in entries.items()
    }


def _cached(folder: Path) -> dict[str, str]:
    """Return the real sets in the cache; a stand-in never counts as one."""
    stamps = folder.expanduser().glob("real/*/stamp.json")
    return {stamp.parent.name: _checksum(stamp) for stamp in stamps}


def _checksum(stamp: Path) -> str:
    try:
        return str(json.loads(stamp.read_text())["sha256"])[:12]
    except (OSError, ValueError, KeyError):
        return "damaged"
