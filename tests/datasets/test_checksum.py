import hashlib
import shutil
import subprocess

import pytest

from minifast.datasets.checksum import (
    files_below,
    find_damage,
    list_checksums,
    sha256_of,
    sha256_of_text,
)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "data"
    (root / "b").mkdir(parents=True)
    (root / "b" / "two.txt").write_bytes(b"two")
    (root / "a.txt").write_bytes(b"one")
    return root


def test_file_digest_is_hashlibs(folder):
    assert sha256_of(folder / "a.txt") == hashlib.sha256(b"one").hexdigest()


def test_text_digest_is_of_utf8():
    assert sha256_of_text("é") == hashlib.sha256(b"\xc3\xa9").hexdigest()


def test_files_are_sorted_and_hidden_ones_skipped(folder):
    (folder / ".DS_Store").write_text("noise")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "x.txt").write_text("noise")
    assert list(files_below(folder)) == ["a.txt", "b/two.txt"]


def test_listing_is_what_sha256sum_prints(folder):
    tool = shutil.which("sha256sum")
    if not tool:
        pytest.skip("the command sha256sum is not installed")
    said = subprocess.run(
        [tool, "a.txt", "b/two.txt"], cwd=folder, capture_output=True, text=True
    )
    assert list_checksums(folder) == said.stdout


def test_whole_folder_has_no_damage(folder):
    assert find_damage(folder, list_checksums(folder)) == []


def test_each_kind_of_damage_is_named(folder):
    listing = list_checksums(folder)
    (folder / "a.txt").write_bytes(b"0ne")
    (folder / "b" / "two.txt").unlink()
    (folder / "c.txt").write_bytes(b"three")
    assert find_damage(folder, listing) == [
        "a.txt: its content has changed",
        "b/two.txt: missing",
        "c.txt: does not belong there",
    ]
