"""Unpack a tar archive that may have been made by an enemy.

Only plain files and folders below one root folder are taken, only those the caller
wants, and only up to a size. An archive that holds anything else than files and
folders, or a path that leads out, is refused whole, whether that member is wanted or
not.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from minifast.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAX_MEMBERS = 200_000
CHUNK_BYTES = 2**20
SUFFIXES = (".tgz", ".tar.gz")


def is_archive(name: str) -> bool:
    """Tell by its name whether a file is a gzip-compressed tar archive.

    Example:
        >>> is_archive("imagenette2-160.tgz"), is_archive("train-images.gz")
        (True, False)
    """
    return name.endswith(SUFFIXES)


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
        DataError: If the archive is damaged, too large, or not to be trusted.
    """
    try:
        with (
            _BoundedGzip(archive, max_bytes) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            _unpack_members(tar, archive, folder, keeps, max_bytes)
            # The checksum of the stream stands at its end, behind the last member.
            while stream.read(CHUNK_BYTES):
                pass
    except (gzip.BadGzipFile, EOFError, zlib.error, tarfile.TarError, ValueError) as e:
        raise _refusal(archive, f"it is damaged ({e})") from e
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as e:
        raise _refusal(archive, "one path is both a file and a folder") from e


class _BoundedGzip(gzip.GzipFile):
    """A compressed file that refuses to unpack to more than so many bytes.

    tarfile reads some headers whole, whatever size they claim, so it is not enough to
    add up the sizes of the members.
    """

    def __init__(self, archive: Path, max_bytes: int) -> None:
        super().__init__(archive)
        self.archive, self.left = archive, max_bytes

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        self.left -= len(content)
        if self.left < 0:
            raise _refusal(self.archive, "it unpacks to more bytes than allowed")
        return content


def _unpack_members(
    tar: tarfile.TarFile,
    archive: Path,
    folder: Path,
    keeps: Callable[[str], bool],
    max_bytes: int,
) -> None:
    n_bytes = 0
    for count, member in enumerate(tar, start=1):
        inner = _inner_path(archive, member)
        n_bytes += member.size
        if n_bytes > max_bytes:
            raise _refusal(archive, "it unpacks to more bytes than allowed")
        if count > MAX_MEMBERS:
            raise _refusal(archive, f"it has more than {MAX_MEMBERS:,} members")
        if member.isreg() and keeps(inner):
            wanted = member.replace(name=inner, deep=False)
            tar.extract(wanted, folder, set_attrs=False, filter="data")


def _inner_path(archive: Path, member: tarfile.TarInfo) -> str:
    """Return the member's path below the root folder, if it may be unpacked at all."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name:
        raise _refusal(archive, f"the path {member.name!r} leads out of the folder")
    if not (member.isreg() or member.isdir()):
        kind = "a link" if member.islnk() or member.issym() else "a device"
        raise _refusal(archive, f"{member.name!r} is {kind}")
    return PurePosixPath(*path.parts[1:]).as_posix()


def _refusal(archive: Path, reason: str) -> DataError:
    return DataError(
        "An archive must unpack to plain files inside its folder, within bounds.",
        f"{archive.name}: {reason}",
        "Do not use this archive; take the data set from another place.",
    )
