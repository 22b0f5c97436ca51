"""Mirrors: folders or web addresses that hold data sets, for rooms without a network.

A mirror is any folder with an ``index.json``, as it is or served over HTTP. A teacher
can fill one once and serve it to a class with ``python -m http.server``::

    {"version": 1,
     "datasets": {
       "mnist": {
         "files": [{"path": "mnist/t10k-labels-idx1-ubyte.gz",
                    "bytes": 4542,
                    "sha256": "f7ae60f9..."}, ...],
         "exact_original": true,
         "note": "the four original idx files"}}}

``path`` is relative to the index, and no link leads out of its folder. A ``.tgz`` or
``.tar.gz`` file is unpacked, any other is taken as it is. ``exact_original`` states
that the content is the origin's; it is believed only where the digests that minifast
knows agree.

``MINIFAST_MIRROR`` names the mirrors, in the order of trying, separated by ``|``. (Not
by ``:``, which is part of web addresses, and not by blanks, which occur in paths.)

Book: ch. 00, "The data".
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from minifast.datasets.download import read_url
from minifast.datasets.faults import blame, printable
from minifast.datasets.registry import RemoteFile

if TYPE_CHECKING:
    from minifast.datasets.registry import DatasetInfo, SourceKind

INDEX = "index.json"
MAX_INDEX_BYTES = 2**22


@dataclass(frozen=True)
class Source:
    """A place that offers a data set.

    Args:
        kind: An origin or a mirror.
        base: The address or the folder that the files' paths are relative to.
        files: What to take from there.
        original: True if the content is to be exactly the origin's.
        note: What the content is, in one line.
    """

    kind: SourceKind
    base: str
    files: tuple[RemoteFile, ...]
    original: bool
    note: str


def is_url(place: str) -> bool:
    """Tell a web address from a folder.

    Example:
        >>> is_url("http://10.0.0.1:8000/data"), is_url("/srv/data")
        (True, False)
    """
    return place.lower().startswith(("http://", "https://"))


def locate(base: str, path: str) -> str:
    """Return the address of a file, or where in the base folder it really is.

    Raises:
        ValueError: If a link leads out of the folder.
    """
    if is_url(base):
        return f"{base.rstrip('/')}/{quote(path)}"
    folder = Path(base).resolve()
    place = (folder / path).resolve()
    if not place.is_relative_to(folder):
        raise ValueError(f"{path} leads out of the mirror")
    return str(place)


def mirrors() -> list[str]:
    """Return the mirrors that ``MINIFAST_MIRROR`` names, folders by absolute paths."""
    places = os.environ.get("MINIFAST_MIRROR", "").split("|")
    return [_absolute(place.strip()) for place in places if place.strip()]


def _absolute(place: str) -> str:
    try:
        return place if is_url(place) else str(Path(place).expanduser().absolute())
    except (OSError, RuntimeError):  # the working directory is gone; no such user
        return place


def plain_file(base: str, path: str, max_bytes: int) -> Path:
    """Return where a file of a folder is, once it is sure that reading it has an end.

    Raises:
        ValueError: If it is a pipe or a device, or too large, or out of the folder.
    """
    place = Path(locate(base, path))
    status = place.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > max_bytes:
        raise ValueError(f"{path} is no plain file of at most {max_bytes:,} bytes")
    return place


def offer(place: str, dataset: DatasetInfo) -> Source:
    """Return what one of the set's origins or a mirror offers of it.

    Raises:
        DataError: If a mirror can't be reached, or its index can't be used.
        ValueError: If it does not hold the set, or can't be what it claims to be.
    """
    if place in dataset.origins:
        note = f"the original files from {urlsplit(place).hostname}"
        return Source("origin", place, dataset.files, True, note)
    offered = read_mirror(place)
    if dataset.name not in offered:
        raise ValueError(f"it holds {', '.join(sorted(offered)) or 'nothing'}")
    source = offered[dataset.name]
    if sum(file.bytes or 0 for file in source.files) > dataset.max_bytes:
        raise ValueError(f"its files are larger than {dataset.max_bytes:,} bytes")
    given, known = ({file.sha256 for file in s.files} for s in (source, dataset))
    if source.original and not dataset.content and given != known:
        raise ValueError("it claims to be the original, and its files are not")
    return source


def read_mirror(mirror: str) -> dict[str, Source]:
    """Return what a mirror offers, by the data set's name.

    Raises:
        DataError: If the mirror can't be reached, or its index can't be used.
    """
    with blame(mirror):
        if not (is_url(mirror) or Path(mirror).is_dir()):
            hint = "; separate mirrors by |" if os.pathsep in mirror else ""
            raise ValueError(f"there is no such folder{hint}")
        if is_url(mirror):
            content = read_url(locate(mirror, INDEX), MAX_INDEX_BYTES)
        else:
            content = plain_file(mirror, INDEX, MAX_INDEX_BYTES).read_bytes()
        index = json.loads(content)
        if not isinstance(index, dict) or index.get("version") != 1:
            raise ValueError(f"its {INDEX} is not of version 1")
        return {name: _source(mirror, it) for name, it in index["datasets"].items()}


def _source(mirror: str, entry: dict[str, Any]) -> Source:
    original = entry.get("exact_original") is True
    note = printable(entry.get("note", "no note"))
    return Source(
        kind="mirror",
        base=mirror,
        files=tuple(_file(file) for file in entry["files"]),
        original=original,
        note=note if original else f"differs from the original: {note}",
    )


def _file(entry: dict[str, Any]) -> RemoteFile:
    path, size, sha256 = entry["path"], entry["bytes"], entry["sha256"]
    inner = PurePosixPath(path)
    if not inner.name or inner.is_absolute() or ".." in inner.parts or "\\" in path:
        raise ValueError(f"the path {path!r} leads out of the mirror")
    if not path.isprintable():
        raise ValueError(f"the path {path!r} is not printable")
    if type(size) is not int or size < 0:
        raise ValueError(f"{path}: bytes must be a count, not {size!r}")
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"{path}: sha256 must be 64 hexadecimal digits")
    return RemoteFile(path, size, sha256)
