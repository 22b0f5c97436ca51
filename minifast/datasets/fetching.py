"""Get a data set: from the cache, a mirror or its origin, or else make its stand-in.

``MINIFAST_DATA`` says what a reader accepts:

- ``auto`` (the default): the real set if it can be had, else its stand-in, and a
  printed line that says so. A later call that finds a network gets the real set again.
- ``real``: the real set, or an error that lists what was tried.
- ``standin``: the stand-in. No connection is opened and no mirror is read.

Book: ch. 00, "The data".
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, cast, get_args

from minifast.datasets.archive import is_archive, unpack
from minifast.datasets.cache import Entry, cache_folder, workshop
from minifast.datasets.checksum import files_below, sha256_of, sha256_of_text
from minifast.datasets.download import download
from minifast.datasets.faults import blame, describe_fault
from minifast.datasets.mirror import (
    is_url,
    locate,
    mirrors,
    offer,
    plain_file,
    read_mirror,
)
from minifast.datasets.registry import DATASETS, find_dataset, matches
from minifast.errors import DataError, OptionError, did_you_mean

if TYPE_CHECKING:
    from minifast.datasets.mirror import Source
    from minifast.datasets.registry import DatasetInfo, DatasetPath, RemoteFile


DataMode = Literal["auto", "real", "standin"]


def fetch(name: str) -> DatasetPath:
    """Return the folder of a data set, getting or making it if it is not cached.

    What a reader finds in the folder is the same wherever it came from:

    - ``mnist``: ``{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz``
    - ``imagenette``: ``{train,val}/<class id>/*.JPEG``, ``noisy_imagenette.csv``
    - ``imdb``: ``{train,test}/{pos,neg}/<id>_<rating>.txt``; the real set also has its
      word lists and its ``README``, but not the 50,000 unlabelled reviews
    - ``wikitext-2``: ``train.txt``, ``valid.txt``, ``test.txt``
    - ``fsdd``: ``recordings/<digit>_<speaker>_<index>.wav``

    Args:
        name: One of ``DATASETS``.

    Raises:
        UnknownNameError: If there is no data set of that name.
        OptionError: If ``MINIFAST_DATA`` has a value that is not allowed.
        DataError: If the set can't be had, or the cache folder can't be used.

    Book: ch. 00, "The data".
    """
    dataset, mode = find_dataset(name), data_mode()
    try:
        return _fetch(dataset, mode)
    except DataError:
        raise
    except OSError as error:
        raise DataError(
            "The cache folder must be writable and have room for the data.",
            f"{error.strerror or error} ({error.filename or cache_folder()})",
            "Free some space there, or set MINIFAST_CACHE to another folder.",
        ) from error


def data_mode() -> DataMode:
    """Return what ``MINIFAST_DATA`` asks for.

    Raises:
        OptionError: If its value is not allowed.
    """
    value = os.environ.get("MINIFAST_DATA", "") or "auto"
    allowed = get_args(DataMode)
    if value not in allowed:
        raise OptionError(
            f"MINIFAST_DATA must be one of: {', '.join(allowed)}.",
            repr(value),
            did_you_mean(value, allowed) or "Unset it, which means auto.",
        )
    return cast("DataMode", value)


def _fetch(dataset: DatasetInfo, mode: DataMode) -> DatasetPath:
    name = dataset.name
    if mode == "standin":
        return _standin(name)
    if found := Entry(name, real=True).read():
        return found
    tried: list[str] = []
    try:
        if found := _real(dataset, tried):
            return found
    except OSError as error:
        # A cache that can't be written to may still hold the stand-in.
        if mode == "real" or not Entry(name, real=False).read():
            raise
        tried.append(f"the cache: {describe_fault(error)}")
    if mode == "real":
        raise DataError(
            f"The real {name} set must come from a mirror or its origin.",
            "; ".join(tried),
            "Connect to the network or name a mirror in MINIFAST_MIRROR; "
            "MINIFAST_DATA=auto accepts the stand-in.",
        )
    standin = _standin(name)
    # On standard output, for on a chapter's page standard error means a fault.
    print(  # noqa: T201
        f"minifast: the real {name} set can't be had, so this is its stand-in "
        f"({standin.note}). Tried: {'; '.join(tried)}."
    )
    return replace(standin, note=f"{standin.note}; the real set could not be had")


def _standin(name: str) -> DatasetPath:
    entry = Entry(name, real=False)
    if found := entry.read():
        return found
    from minifast.datasets.standin import generate

    with workshop(name) as work:
        # Another process may have made it while this one waited for the lock.
        return entry.read() or entry.write(work, partial(generate, name))


def _real(dataset: DatasetInfo, tried: list[str]) -> DatasetPath | None:
    """Return the real set, or None once every place was tried in vain."""
    entry = Entry(dataset.name, real=True)
    with workshop(dataset.name) as work:
        if found := entry.read():
            return found
        for place in (*mirrors(), *dataset.origins):
            try:
                with blame(place):
                    return _get(dataset, offer(place, dataset), entry, work)
            except DataError as error:
                tried.append(error.got)
    return None


def _get(dataset: DatasetInfo, source: Source, entry: Entry, work: Path) -> DatasetPath:
    """Bring what a source offers into the cache."""
    arrived = [_obtain(dataset, source, file, work) for file in source.files]
    fill = partial(_install, dataset, source, arrived)
    try:
        return entry.write(work, fill, source.kind, source.original)
    except Exception:
        # What arrived whole and yet is of no use need not be kept for another try.
        for path in arrived:
            if path.parent == work:
                path.unlink(missing_ok=True)
        raise


def _obtain(dataset: DatasetInfo, source: Source, file: RemoteFile, work: Path) -> Path:
    """Return where a checked copy of the file is on this machine."""
    place = locate(source.base, file.path)
    with blame(place):
        if is_url(place):
            # The checksum is part of the name, so that a part is never gone on with
            # from a place that serves something else under the same name.
            part = work / f"{file.sha256[:16]}-{PurePosixPath(place).name[-80:]}.part"
            download(place, part, file, dataset.max_bytes)
            return part
        local = plain_file(source.base, file.path, dataset.max_bytes)
        if (local.stat().st_size, sha256_of(local)) != (file.bytes, file.sha256):
            raise ValueError("its size or sha256 is not the one in the index")
        return local


def _install(
    dataset: DatasetInfo, source: Source, arrived: list[Path], folder: Path
) -> str:
    """Put a source's files into the folder, in the set's layout."""
    for file, local in zip(source.files, arrived, strict=True):
        plain_name = PurePosixPath(file.path).name
        if is_archive(plain_name):
            unpack(local, folder, dataset.keeps, dataset.max_bytes)
        elif dataset.keeps(plain_name):
            shutil.copyfile(local, folder / plain_name)
    paths = files_below(folder)
    for pattern in dataset.patterns:
        if not any(matches(path, pattern) for path in paths):
            raise ValueError(f"nothing in it is like {pattern}")
    return source.note


def available() -> dict[str, str]:
    """Tell which real data can be had without asking the network.

    Returns:
        For each real set in the cache or in a mirror on this machine the beginning of a
        digest, which changes with its content. A mirror on the web is not asked, and
        counts under a name that does not tell its address. What is damaged is left out.
    """
    found = {}
    for mirror in reversed(mirrors()):
        if is_url(mirror):
            found[f"mirror {sha256_of_text(mirror)[:12]}"] = "web"
            continue
        with suppress(DataError):
            for name, source in read_mirror(mirror).items():
                if name in DATASETS:
                    offered = repr((source.files, source.note))
                    found[name] = sha256_of_text(offered)[:12]
    with suppress(DataError):
        for name in DATASETS:
            if stamp := Entry(name, real=True).stamp():
                found[name] = stamp["sha256"][:12]
    return found


def cached_entries(name: str) -> list[Entry]:
    """Return what the cache holds of a data set: the real one, its stand-in or both."""
    dataset = find_dataset(name)
    both = (Entry(dataset.name, real=True), Entry(dataset.name, real=False))
    return [entry for entry in both if entry.folder.exists()]


def verify(name: str) -> list[str]:
    """Check every byte of a cached data set.

    A set that is found damaged is not trusted any more: the next fetch replaces it.

    Args:
        name: One of ``DATASETS``.

    Returns:
        One line for each bad file; none if all is well.

    Raises:
        UnknownNameError: If there is no data set of that name.
        DataError: If it is not in the cache.
    """
    entries = cached_entries(name)
    if not entries:
        raise DataError(
            f"The {name} set must be in the cache to be verified.",
            f"nothing of it in {cache_folder()}",
            f"Fetch it first: minifast data fetch {name}",
        )
    bad = []
    for entry in entries:
        damage = entry.damage()
        if damage:
            entry.distrust()
        bad += [f"{entry.folder.parent.name}/{name}: {line}" for line in damage]
    return bad
