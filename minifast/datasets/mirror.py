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

``path`` is relative to the index. A ``.tgz`` or ``.tar.gz`` file is unpacked, any other
is taken as it is. ``exact_original`` states that the content is the origin's; where
minifast knows the digest of that, it checks the statement.

``MINIFAST_MIRROR`` names the mirrors, in the order of trying, separated by ``|``. (Not
by ``:``, which is part of web addresses, and not by blanks, which occur in paths.)

Book: ch. 00, "The data".
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from minifast.datasets.download import read_url
from minifast.datasets.registry import RemoteFile
from minifast.errors import DataError

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

    @property
    def is_remote(self) -> bool:
        """True if the files come over HTTP, false if they are in a folder."""
        return is_url(self.base)

    def url(self, file: RemoteFile) -> str:
        """Return the address of a file; only for a remote source."""
        return f"{self.base.rstrip('/')}/{quote(file.path)}"


def is_url(place: str) -> bool:
    """Tell a web address from a folder.

    Example:
        >>> is_url("http://10.0.0.1:8000/data"), is_url("/srv/data")
        (True, False)
    """
    return place.startswith(("http://", "https://"))


def origins(dataset: DatasetInfo) -> list[Source]:
    """Return the places that the registry names for a data set."""
    return [
        Source(
            kind="origin",
            base=base,
            files=dataset.files,
            original=True,
            note=f"the original files from {urlsplit(base).hostname}",
        )
        for base in dataset.origins
    ]


def mirrors() -> list[str]:
    """Return the mirrors that ``MINIFAST_MIRROR`` names."""
    places = os.environ.get("MINIFAST_MIRROR", "").split("|")
    return [place.strip() for place in places if place.strip()]


def read_mirror(mirror: str) -> dict[str, Source]:
    """Return what a mirror offers, by the data set's name.

    Raises:
        DataError: If the mirror can't be reached, or its index can't be used.
    """
    index = _parse_index(mirror, _read_index(mirror))
    try:
        return {name: _source(mirror, entry) for name, entry in index.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _bad_mirror(mirror, f"its {INDEX} is broken ({error!r})") from error


def _read_index(mirror: str) -> bytes:
    if is_url(mirror):
        return read_url(f"{mirror.rstrip('/')}/{INDEX}", MAX_INDEX_BYTES)
    folder = Path(mirror).expanduser()
    if not folder.is_dir():
        hint = "; separate mirrors by |" if os.pathsep in mirror else ""
        raise _bad_mirror(mirror, f"there is no such folder{hint}")
    try:
        return (folder / INDEX).read_bytes()
    except OSError as error:
        reason = f"its {INDEX} can't be read ({error.strerror})"
        raise _bad_mirror(mirror, reason) from error


def _parse_index(mirror: str, content: bytes) -> dict[str, Any]:
    try:
        index = json.loads(content)
        version, datasets = index["version"], index["datasets"]
    except (ValueError, KeyError, TypeError) as error:
        raise _bad_mirror(mirror, f"its {INDEX} is broken ({error!r})") from error
    if version != 1 or not isinstance(datasets, dict):
        raise _bad_mirror(mirror, f"its {INDEX} is of version {version!r}, not 1")
    return datasets


def _source(mirror: str, entry: dict[str, Any]) -> Source:
    original = entry.get("exact_original") is True
    note = " ".join(str(entry.get("note", "no note")).split())
    base = mirror if is_url(mirror) else str(Path(mirror).expanduser())
    return Source(
        kind="mirror",
        base=base,
        files=tuple(_file(file) for file in entry["files"]),
        original=original,
        note=note if original else f"differs from the original: {note}",
    )


def _file(entry: dict[str, Any]) -> RemoteFile:
    path, size, sha256 = entry["path"], entry["bytes"], entry["sha256"]
    inner = PurePosixPath(path)
    if not path or inner.is_absolute() or ".." in inner.parts or "\\" in path:
        raise ValueError(f"the path {path!r} leads out of the mirror")
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"{path}: bytes must be a count, not {size!r}")
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError(f"{path}: sha256 must be 64 hexadecimal digits")
    return RemoteFile(path, size, sha256)


def _bad_mirror(mirror: str, reason: str) -> DataError:
    return DataError(
        f"A mirror must be a folder or an http address with an {INDEX} in it.",
        f"mirror {mirror}: {reason}",
        "Correct MINIFAST_MIRROR or the mirror; minifast doctor checks it.",
    )
