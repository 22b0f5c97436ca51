"""Hold the cached data sets against their checksums, byte for byte.

Book: ch. 00, "The data".
"""

from __future__ import annotations

from minifast.data.cache import Entry, cache_folder
from minifast.data.datasets import find_dataset
from minifast.errors import DataError


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
