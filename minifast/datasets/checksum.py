"""The sha256 of files and folders; apart, as mirrors, cache and archives ask for it.

A folder's digest is the sha256 of its listing, and the listing is what the command
``sha256sum`` would print for all its files, sorted by path. So anybody can check a data
set with standard tools: ``sha256sum --check SHA256SUMS`` for the files, and
``sha256sum SHA256SUMS`` for the digest.

Book: ch. 00, "The data".
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_text(text: str) -> str:
    """Return the sha256 of a text's UTF-8 bytes.

    Example:
        >>> sha256_of_text("")[:16]
        'e3b0c44298fc1c14'
    """
    return hashlib.sha256(text.encode()).hexdigest()


def files_below(folder: Path) -> dict[str, Path]:
    """Return the files in a folder and below by their path in it, sorted by that.

    Names that start with a dot are skipped, folders too: file managers and notebooks
    leave such files anywhere, and no data set has one.
    """
    found: dict[str, Path] = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(parent, name) for name in names if not name.startswith("."))
        found |= {path.relative_to(folder).as_posix(): path for path in paths}
    return dict(sorted(found.items()))


def list_checksums(folder: Path) -> str:
    """Return a folder's listing: one line of sha256 and path for each file."""
    files = files_below(folder).items()
    return "".join(f"{sha256_of(path)}  {inner}\n" for inner, path in files)


def find_damage(folder: Path, listing: str) -> list[str]:
    """Hold a folder against its listing.

    Returns:
        One line for each file that is missing, changed or unexpected; none if all is
        as it was listed.
    """
    expected, there = (
        {line[66:]: line[:64] for line in text.splitlines()}
        for text in (listing, list_checksums(folder))
    )
    return [
        f"{inner}: missing"
        if inner not in there
        else f"{inner}: does not belong there"
        if inner not in expected
        else f"{inner}: its content has changed"
        for inner in sorted(expected | there)
        if expected.get(inner) != there.get(inner)
    ]
