"""The cache folder: finished data sets, and nothing half-made in sight.

Below ``MINIFAST_CACHE`` (``~/.cache/minifast`` if that is not set)::

    real/<name>/                  a real data set
    standin-<version>/<name>/     its stand-in; never taken for the real one
        data/                     what a reader gets
        SHA256SUMS                the checksums of the files in data/
        stamp.json                written last: what the data is, and how large
    tmp/<name>/                   work in progress
    parts/<name>/                 broken downloads, to go on with
    locks/<name>.lock             one process at a time works on a set

A set is built in ``tmp`` under its lock and renamed into place as a whole. What a
killed process left in ``tmp`` is removed by the next one that works on the same set.

Book: ch. 00, "The data".
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from minifast.datasets.checksum import (
    files_below,
    find_damage,
    list_checksums,
    sha256_of_text,
)
from minifast.datasets.registry import DatasetPath
from minifast.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minifast.datasets.registry import SourceKind

DATA, LISTING, STAMP = "data", "SHA256SUMS", "stamp.json"
STAMP_VERSION = 1


@dataclass(frozen=True)
class Content:
    """What was put into a data set's folder.

    Args:
        source: Where it came from.
        note: What it is, in one line.
        sha256: The digest it must have, or an empty string if none is known.
    """

    source: SourceKind
    note: str
    sha256: str = ""


def cache_folder() -> Path:
    """Return the folder that ``MINIFAST_CACHE`` names, or ``~/.cache/minifast``."""
    named = os.environ.get("MINIFAST_CACHE", "")
    folder = Path(named) if named else Path("~/.cache/minifast")
    return folder.expanduser().absolute()


def parts_folder(name: str) -> Path:
    """Return the folder in which the downloads of a data set grow."""
    return cache_folder() / "parts" / name


@dataclass(frozen=True)
class Entry:
    """The place of a data set in the cache, whether there is anything yet or not.

    Args:
        name: The data set.
        real: False for its stand-in.
    """

    name: str
    real: bool

    @property
    def folder(self) -> Path:
        """The folder with the data, its listing and its stamp."""
        if self.real:
            return cache_folder() / "real" / self.name
        from minifast.datasets.standin import VERSION

        return cache_folder() / f"standin-{VERSION}" / self.name

    def read(self) -> DatasetPath | None:
        """Return the cached set, or None if it is not there or has lost bytes.

        This is the quick look that each fetch takes: it reads no file of the data, but
        adds up their sizes. See :meth:`damage` for the thorough one.
        """
        try:
            stamp = json.loads((self.folder / STAMP).read_text(encoding="utf-8"))
            n_files, n_bytes = _extent(self.folder / DATA)
            if stamp["version"] != STAMP_VERSION or stamp["real"] != self.real:
                return None
            # Files that a reader added do no harm.
            if n_files < stamp["files"] or n_bytes < stamp["bytes"]:
                return None
            return self._dataset_path(stamp)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _dataset_path(self, stamp: dict[str, Any]) -> DatasetPath:
        return DatasetPath(
            path=self.folder / DATA,
            name=self.name,
            real=self.real,
            note=stamp["note"],
            sha256=stamp["sha256"],
            source=stamp["source"],
        )

    def write(self, fill: Callable[[Path], Content]) -> DatasetPath:
        """Build the set and put it into place; the caller holds its lock.

        Args:
            fill: Writes the data into the empty folder it is given.

        Raises:
            DataError: If the content's digest is not what it must be.
        """
        workshop = _workshop(self.name)
        shutil.rmtree(workshop, ignore_errors=True)
        new, old = workshop / "new", workshop / "old"
        try:
            (new / DATA).mkdir(parents=True)
            stamp = self._stamp(new, fill(new / DATA))
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            if self.folder.exists():
                self.folder.rename(old)
            new.rename(self.folder)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
        shutil.rmtree(parts_folder(self.name), ignore_errors=True)
        return self._dataset_path(stamp)

    def _stamp(self, new: Path, content: Content) -> dict[str, Any]:
        """Write the listing and, last of all, the stamp."""
        listing = list_checksums(new / DATA)
        sha256 = sha256_of_text(listing)
        if content.sha256 not in ("", sha256):
            raise DataError(
                f"The {self.name} set must have the digest {content.sha256[:12]}.",
                f"{content.source}: the content has the digest {sha256[:12]}",
                "Take the set from another place.",
            )
        (new / LISTING).write_text(listing, encoding="utf-8", newline="\n")
        n_files, n_bytes = _extent(new / DATA)
        stamp = {
            "version": STAMP_VERSION,
            "name": self.name,
            "real": self.real,
            "source": content.source,
            "note": content.note,
            "sha256": sha256,
            "files": n_files,
            "bytes": n_bytes,
        }
        text = json.dumps(stamp, indent=1) + "\n"
        (new / STAMP).write_text(text, encoding="utf-8")
        return stamp

    def damage(self) -> list[str]:
        """Hold every byte of the cached set against its checksums.

        Returns:
            One line for each bad file; none if the set is whole.
        """
        try:
            stamp = json.loads((self.folder / STAMP).read_text(encoding="utf-8"))
            listing = (self.folder / LISTING).read_text(encoding="utf-8")
            if sha256_of_text(listing) != stamp["sha256"]:
                return [f"{LISTING}: its content has changed"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            return [f"{STAMP} or {LISTING}: can't be read ({error})"]
        return find_damage(self.folder / DATA, listing)

    def distrust(self) -> None:
        """Withdraw the stamp, so that the next fetch replaces the set."""
        (self.folder / STAMP).unlink(missing_ok=True)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock of a data set, waiting for another process to let it go."""
    lock = cache_folder() / "locks" / f"{name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        yield


def discard_work(name: str) -> None:
    """Remove everything half-made of a data set, to give back its room on the disk."""
    shutil.rmtree(_workshop(name), ignore_errors=True)
    shutil.rmtree(parts_folder(name), ignore_errors=True)


def _workshop(name: str) -> Path:
    return cache_folder() / "tmp" / name


def _extent(folder: Path) -> tuple[int, int]:
    """Return the count of the files below a folder and their size in bytes."""
    sizes = [path.stat().st_size for path in files_below(folder).values()]
    return len(sizes), sum(sizes)
