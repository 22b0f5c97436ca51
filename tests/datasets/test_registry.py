import os
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from minifast.datasets.registry import DATASETS, DatasetPath, find_dataset
from minifast.errors import UnknownNameError


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=lambda dataset: dataset.name)
class TestEachDataset:
    def test_is_found_by_its_own_name(self, dataset):
        assert find_dataset(dataset.name) is dataset

    def test_everything_taken_from_an_origin_is_checked(self, dataset):
        checked = all(len(file.sha256) == 64 and file.bytes for file in dataset.files)
        assert checked or len(dataset.content) == 64

    def test_says_what_it_is_and_whom_to_thank(self, dataset):
        assert dataset.title
        assert dataset.licence
        assert dataset.citation

    def test_origins_are_folders_over_https(self, dataset):
        assert dataset.origins
        for origin in dataset.origins:
            assert origin.startswith("https://")
            assert origin.endswith("/")

    def test_stated_download_size_is_about_right(self, dataset):
        exact = [file.bytes for file in dataset.files]
        if None not in exact:
            assert dataset.download_mb == round(sum(exact) / 1e6)


@pytest.mark.parametrize(
    ("name", "kept", "left_out"),
    [
        ("mnist", "t10k-labels-idx1-ubyte.gz", "mnist.npz"),
        ("imagenette", "train/n01440764/a.JPEG", "n01440764/a.JPEG"),
        ("imagenette", "noisy_imagenette.csv", "val/.DS_Store"),
        ("imagenette", "val/n01/a.JPEG", "val/n01/._a.JPEG"),
        ("imagenette", "val/n01/b.JPEG", "val/.n01/b.JPEG"),
        ("imdb", "test/neg/12_3.txt", "train/unsup/0_0.txt"),
        ("imdb", "test/neg/1_2.txt", "test/neg/a\nb_1.txt"),
        ("imdb", "test/neg/1_3.txt", "test/neg/\udcff_1.txt"),
        ("imdb", "test/neg/1_4.txt", "test/neg/\x1b[2J_1.txt"),
        ("imdb", "train/urls_pos.txt", "train/labeledBow.feat"),
        ("wikitext-2", "valid.txt", "README"),
        ("fsdd", "recordings/0_theo_1.wav", "recordings/deep/0_theo_1.wav"),
        ("fsdd", "recordings/0_theo_1.wav", "recordings/.0_theo_1.wav"),
    ],
)
def test_layout_keeps_the_data_and_nothing_else(name, kept, left_out):
    dataset = find_dataset(name)
    assert dataset.keeps(kept)
    assert not dataset.keeps(left_out)


def test_unknown_name_gets_the_closest():
    with pytest.raises(UnknownNameError) as caught:
        find_dataset("wikitext2")
    assert str(caught.value).splitlines() == [
        "The data set must be one of: fsdd, imagenette, imdb, mnist, wikitext-2.",
        "  got: 'wikitext2'",
        "  fix: Did you mean 'wikitext-2'?",
    ]


REAL = DatasetPath(
    Path("cache/mnist"), "mnist", True, "the four files", "8d42" * 16, "mirror"
)
STANDIN = replace(REAL, real=False, source="stand-in", note="drawn <digits>")


def test_is_used_like_a_path(tmp_path):
    data = replace(REAL, path=tmp_path)
    (tmp_path / "README").write_text("hello")
    assert data / "README" == tmp_path / "README"
    assert os.fspath(data) == str(data) == f"{data}" == str(tmp_path)
    assert (Path(data) / "README").read_text() == "hello"


def test_provenance_is_one_line():
    assert REAL.provenance() == (
        "mnist: real, mirror, sha256 8d428d428d42; the four files"
    )


def test_standin_is_never_called_real():
    assert STANDIN.provenance() == (
        "mnist: stand-in, not the real data, sha256 8d428d428d42; drawn <digits>"
    )
    assert "stand-in, not the real data" in STANDIN._repr_html_()


def test_page_shows_no_path_of_the_machine():
    assert "cache" not in repr(REAL) + REAL._repr_html_()


def test_html_is_escaped():
    assert "drawn &lt;digits&gt;" in STANDIN._repr_html_()


def test_is_a_value():
    assert replace(REAL) == REAL
    with pytest.raises(FrozenInstanceError):
        REAL.real = False
