"""Small stand-ins to look at, and a way to compare two folders."""

import hashlib

import pytest


@pytest.fixture
def tree():
    """Return a function that gives the sha256 of each file below a folder, by path."""

    def read(root):
        return {
            path.relative_to(root).as_posix(): hashlib.sha256(
                path.read_bytes()
            ).hexdigest()
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }

    return read


@pytest.fixture
def folders(tmp_path):
    """Two empty folders."""
    pair = tmp_path / "one", tmp_path / "two"
    for folder in pair:
        folder.mkdir()
    return pair
