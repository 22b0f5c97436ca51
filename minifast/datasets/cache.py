"""The cache folder: finished data sets, and nothing half-made in sight.

Below ``MINIFAST_CACHE`` (the system's folder for caches if that is not set:
``~/.cache/minifast`` on Linux)::

    real/<name>/                  a real data set
    standin-<version>/<name>/     its stand-in; never taken for the real one
        data/                     what a reader gets
        SHA256SUMS                the checksums of the files in data/
        stamp.json                written last: what the data is, and how large
    tmp/<name>/<process>/         work in progress, and broken downloads to go on with
    locks/<name>.lock             one process at a time works on a set

A set is built in a folder of the process's own, under the set's lock, and renamed into
place as a whole. What a killed process left is taken over by the next one.

Book: ch. 00, "The data".
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
from filelock import FileLock, Timeout

from minifast.datasets.checksum import (
    files_below,
    find_damage,
    list_checksums,
    sha256_of_text,
)
from minifast.datasets.faults import describe_fault, printable
from minifast.datasets.registry import DATASETS, DatasetPath
from minifast.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from minifast.datasets.registry import SourceKind

DATA, LISTING, STAMP = "data", "SHA256SUMS", "stamp.json"
STAMP_VERSION = 1
PATIENCE_S = 10.0


def cache_folder() -> Path:
    """Return the folder that ``MINIFAST_CACHE`` names, or the system's for caches.

    Raises:
        DataError: If there is none, as for a user without a home folder.
    """
    named = os.environ.get("MINIFAST_CACHE", "")
    try:
        folder = named or platformdirs.user_cache_dir("minifast", appauthor=False)
        return Path(folder).expanduser().absolute()
    except (OSError, RuntimeError) as error:
        raise DataError(
            "There must be a folder to keep data in.",
            f"MINIFAST_CACHE is {named!r} ({describe_fault(error)})",
            "Set MINIFAST_CACHE to a folder that can be written to.",
        ) from error


@contextmanager
def workshop(name: str) -> Iterator[Path]:
    """Hold the lock of a data set, and yield a folder that only this process uses.

    ``*.part`` files stay in it for the next process; all else is removed in the end.
    """
    lock = cache_folder() / "locks" / f"{name}.lock"
    place = cache_folder() / "tmp" / name
    for folder in (lock.parent, place):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(lock).acquire(timeout=PATIENCE_S)
    except Timeout:
        print(f"minifast: waiting for another process to get {name}.")  # noqa: T201
        held = FileLock(lock).acquire()
    with held:
        work = Path(tempfile.mkdtemp(dir=place))
        try:
            for left in place.iterdir():
                if left != work:
                    _take_over(left, work)
            yield work
        except OSError:
            shutil.rmtree(work, ignore_errors=True)  # a full disk needs the room
            raise
        finally:
            with suppress(OSError):
                for path in work.iterdir():
                    if path.suffix != ".part":
                        shutil.rmtree(path, ignore_errors=True)
                    elif not path.stat().st_size:
                        path.unlink()
                work.rmdir()


def _take_over(left: Path, work: Path) -> None:
    """Go on with the downloads of a process that is gone, and remove the rest.

    Should it be alive, because the cache was removed with its lock while it worked,
    then renaming its folder makes it fail: what it has begun is never put into place.
    """
    with suppress(OSError):
        taken = left.rename(work / left.name)
        for part in taken.glob("*.part"):
            part.rename(work / part.name)
        shutil.rmtree(taken, ignore_errors=True)


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
        if (stamp := self.stamp()) is None:
            return None
        with suppress(OSError):
            n_files, n_bytes = _extent(self.folder / DATA)
            # Files that a reader added do no harm.
            if n_files >= stamp["files"] and n_bytes >= stamp["bytes"]:
                return self._dataset_path(stamp)
        return None

    def stamp(self) -> dict[str, Any] | None:
        """Return what was noted of the set, or None if it is not to be trusted."""
        path = self.folder / STAMP
        try:
            stamp: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            original = stamp.get("original", stamp["source"] == "origin")
            expected = DATASETS[self.name].content if original else ""
            trusted = (
                (stamp["version"], stamp["real"]) == (STAMP_VERSION, self.real)
                and all(type(stamp[key]) is int for key in ("files", "bytes"))
                and all(type(stamp[k]) is str for k in ("note", "source", "sha256"))
                and expected in ("", stamp["sha256"])
            )
        except Exception:  # there is none, or it is damaged in one of many ways
            return None
        return stamp if trusted else None

    def _dataset_path(self, stamp: dict[str, Any]) -> DatasetPath:
        path, note = self.folder / DATA, printable(stamp["note"])
        sha256, source = stamp["sha256"], stamp["source"]
        return DatasetPath(path, self.name, self.real, note, sha256, source)

    def write(
        self,
        work: Path,
        fill: Callable[[Path], str],
        source: SourceKind = "stand-in",
        original: bool = False,
    ) -> DatasetPath:
        """Build the set and put it into place.

        Args:
            work: What :func:`workshop` gave.
            fill: Writes the data into the empty folder it is given, and returns what it
                is, in one line.
            source: Where it comes from.
            original: True if it is to be exactly what the origin serves.

        Raises:
            ValueError: If the content is not the original's that it is to be.
        """
        new = work / "new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        (new / DATA).mkdir()
        note = fill(new / DATA)
        listing = list_checksums(new / DATA)
        sha256 = sha256_of_text(listing)
        expected = DATASETS[self.name].content if original else ""
        if expected not in ("", sha256):
            raise ValueError(f"its digest is {sha256[:12]}, not {expected[:12]}")
        n_files, n_bytes = _extent(new / DATA)
        stamp = {"version": STAMP_VERSION, "name": self.name, "real": self.real}
        stamp |= {"source": source, "note": note, "original": original}
        stamp |= {"sha256": sha256, "files": n_files, "bytes": n_bytes}
        (new / LISTING).write_text(listing, encoding="utf-8", newline="\n")
        (new / STAMP).write_text(json.dumps(stamp, indent=1) + "\n", encoding="utf-8")
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        if self.folder.exists():
            self.folder.rename(work / "old")
        new.rename(self.folder)
        for part in work.glob("*.part"):
            part.unlink()
        return self._dataset_path(stamp)

    def damage(self) -> list[str]:
        """Hold every byte of the cached set against its checksums.

        Returns:
            One line for each bad file; none if the set is whole.
        """
        if (stamp := self.stamp()) is None:
            return [f"{STAMP}: it can't be read, or its content is not the original's"]
        try:
            listing = (self.folder / LISTING).read_text(encoding="utf-8")
            if sha256_of_text(listing) != stamp["sha256"]:
                return [f"{LISTING}: its content has changed"]
            return find_damage(self.folder / DATA, listing)
        except (OSError, ValueError) as error:
            file = getattr(error, "filename", None) or LISTING
            return [f"{file}: can't be read ({describe_fault(error)})"]

    def distrust(self) -> None:
        """Withdraw the stamp, so that the next fetch replaces the set."""
        with suppress(OSError):  # nothing can be replaced on a disk that is read-only
            (self.folder / STAMP).unlink()


def _extent(folder: Path) -> tuple[int, int]:
    """Return the count of the files below a folder and their size in bytes."""
    sizes = [path.stat().st_size for path in files_below(folder).values()]
    return len(sizes), sum(sizes)
