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
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, cast, get_args

from minifast.datasets.archive import is_archive, unpack
from minifast.datasets.cache import (
    Content,
    Entry,
    cache_folder,
    discard_work,
    locked,
    parts_folder,
)
from minifast.datasets.checksum import files_below, sha256_of
from minifast.datasets.download import download
from minifast.datasets.mirror import mirrors, origins, read_mirror
from minifast.datasets.registry import find_dataset, matches
from minifast.errors import DataError, OptionError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    if mode == "standin":
        return _standin(dataset)
    failures: list[str] = []
    found = _real(dataset, failures)
    if found is not None:
        return found
    if mode == "real":
        raise DataError(
            f"The real {dataset.name} set must come from a mirror or its origin.",
            "; ".join(failures),
            "Connect to the network or name a mirror in MINIFAST_MIRROR; "
            "MINIFAST_DATA=auto accepts the stand-in.",
        )
    standin = _standin(dataset)
    # On standard output, for on a chapter's page standard error means a fault.
    print(  # noqa: T201
        f"minifast: the real {dataset.name} set can't be had, so this is its stand-in "
        f"({standin.note}). Tried: {'; '.join(failures)}."
    )
    return replace(standin, note=f"{standin.note}; the real set could not be had")


def _standin(dataset: DatasetInfo) -> DatasetPath:
    entry = Entry(dataset.name, real=False)
    if found := entry.read():
        return found
    from minifast.datasets.standin import generate

    with locked(dataset.name):
        # Another process may have made it while this one waited for the lock.
        return entry.read() or entry.write(
            lambda folder: Content("stand-in", generate(dataset.name, folder))
        )


def _real(dataset: DatasetInfo, failures: list[str]) -> DatasetPath | None:
    """Return the real set, or None once every place was tried in vain."""
    entry = Entry(dataset.name, real=True)
    if found := entry.read():
        return found
    with locked(dataset.name):
        if found := entry.read():
            return found
        for source in _sources(dataset, failures):
            try:
                return _get(dataset, source, entry)
            except DataError as error:
                failures.append(error.got)
            except OSError:
                discard_work(dataset.name)  # a full disk needs the room
                raise
    return None


def _sources(dataset: DatasetInfo, failures: list[str]) -> Iterator[Source]:
    """Yield the places to try, in their order."""
    for mirror in mirrors():
        try:
            source = _mirror_source(mirror, dataset.name)
        except DataError as error:
            failures.append(error.got)
        else:
            yield source
    yield from origins(dataset)


def _mirror_source(mirror: str, name: str) -> Source:
    offered = read_mirror(mirror)
    if name not in offered:
        raise DataError(
            f"A mirror must hold the {name} set to give it.",
            f"mirror {mirror}: it holds {', '.join(sorted(offered)) or 'nothing'}",
            f"Add {name} to the mirror.",
        )
    return offered[name]


def _get(dataset: DatasetInfo, source: Source, entry: Entry) -> DatasetPath:
    """Bring what a source offers into the cache."""
    arrived = [_obtain(dataset, source, file) for file in source.files]
    try:
        return entry.write(partial(_install, dataset, source, arrived))
    except DataError:
        # What arrived whole and yet is of no use need not be kept for another try.
        discard_work(dataset.name)
        raise


def _install(
    dataset: DatasetInfo, source: Source, arrived: list[Path], folder: Path
) -> Content:
    """Put a source's files into the folder, in the set's layout."""
    for file, local in zip(source.files, arrived, strict=True):
        plain_name = PurePosixPath(file.path).name
        if is_archive(file.path):
            unpack(local, folder, dataset.keeps, dataset.max_bytes)
        elif dataset.keeps(plain_name):
            shutil.copyfile(local, folder / plain_name)
    paths = files_below(folder)
    for pattern in dataset.layout:
        if not any(matches(path, pattern) for path in paths):
            raise DataError(
                f"The {dataset.name} set must have files like {pattern}.",
                f"{source.kind} {source.base}: nothing in it is like {pattern}",
                "Take the set from another place.",
            )
    return Content(source.kind, source.note, dataset.content if source.original else "")


def _obtain(dataset: DatasetInfo, source: Source, file: RemoteFile) -> Path:
    """Return a checked copy of the file on this machine."""
    if source.is_remote:
        # The checksum is part of the name, so that a part is never gone on with from
        # a place that serves something else under the same name.
        name = f"{file.sha256[:16]}-{PurePosixPath(file.path).name}.part"
        part = parts_folder(dataset.name) / name
        part.parent.mkdir(parents=True, exist_ok=True)
        download(source.url(file), part, file, dataset.max_bytes)
        return part
    local = Path(source.base, file.path)
    try:
        sha256 = sha256_of(local)
    except OSError as error:
        raise _bad_file(local, error.strerror or str(error)) from error
    if sha256 != file.sha256:
        raise _bad_file(local, "its sha256 is not the one in the index")
    return local


def _bad_file(local: Path, reason: str) -> DataError:
    return DataError(
        "A mirror's file must be readable and have the checksum in its index.",
        f"mirror file {local}: {reason}",
        "Copy the file into the mirror again.",
    )


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
