"""Safe unpacking of tar archives, which may have been made by an enemy.

Only plain files and folders below one root folder are taken, only those the caller
wants, and only up to a size. An archive that holds anything else than files and
folders, or a path that leads out, is refused whole, whether that member is wanted or
not.
"""

from __future__ import annotations

import gzip
import tarfile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAX_MEMBERS = 200_000
MAX_HEADER_BYTES = 4096
CHUNK_BYTES = 2**20
MEMBERS = {tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE}
HEADERS = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME}


def is_archive(name: str) -> bool:
    """Tell by its name whether a file is a gzip-compressed tar archive.

    Example:
        >>> is_archive("imagenette2-160.tgz"), is_archive("train-images.gz")
        (True, False)
    """
    return name.endswith((".tgz", ".tar.gz"))


class _Member(tarfile.TarInfo):
    """A header that is looked at before tarfile acts on it.

    tarfile reads the headers that hold long names whole, whatever size they claim, and
    some versions take a time that grows with the square of it.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        header = super().frombuf(buf, encoding, errors)
        if header.type not in MEMBERS | HEADERS:
            raise ValueError(f"{header.name!r} is a link, a device or the like")
        if header.type in HEADERS and header.size > MAX_HEADER_BYTES:
            raise ValueError(f"a header has more than {MAX_HEADER_BYTES:,} bytes")
        return header


def unpack(
    archive: Path, folder: Path, keeps: Callable[[str], bool], max_bytes: int
) -> None:
    """Unpack the wanted files of a ``.tar.gz`` archive, less its root folder.

    Args:
        archive: The archive: all its members are below one root folder, whose name
            does not matter and is dropped.
        folder: An existing folder, into which the files go.
        keeps: Is asked for each file, by its path below the root folder.
        max_bytes: Upper bound on the unpacked archive, wanted or not.

    Raises:
        ValueError: If the archive is too large, or not to be trusted. If it is damaged,
            what gzip, tarfile or the system say (see
            :func:`minifast.datasets.faults.blame`).
    """
    n_bytes = 0
    with (
        gzip.open(archive) as stream,
        tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as tar,
    ):
        for count, member in enumerate(tar, start=1):
            inner = _inner_path(member)
            n_bytes += member.size
            if member.size < 0 or n_bytes > max_bytes or count > MAX_MEMBERS:
                raise ValueError("it unpacks to more bytes or files than allowed")
            if member.isreg() and keeps(inner):
                wanted = member.replace(name=inner, deep=False)
                tar.extract(wanted, folder, set_attrs=False, filter="data")
        # The checksum of the stream stands at its end, behind the last member.
        while n_bytes <= max_bytes and (rest := stream.read(CHUNK_BYTES)):
            n_bytes += len(rest)
    if n_bytes > max_bytes:
        raise ValueError("it unpacks to more bytes or files than allowed")


def _inner_path(member: tarfile.TarInfo) -> str:
    """Return the member's path below the root folder, if it may be unpacked at all."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name:
        raise ValueError(f"the path {member.name!r} leads out of the folder")
    if member.issparse():
        raise ValueError(f"{member.name!r} is no plain file")
    return PurePosixPath(*path.parts[1:]).as_posix()
