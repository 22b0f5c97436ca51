import pytest

from minifast.data.datasets import DATASETS, find_dataset
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
        ("imdb", "test/neg/12_3.txt", "train/unsup/0_0.txt"),
        ("imdb", "train/urls_pos.txt", "train/labeledBow.feat"),
        ("wikitext-2", "valid.txt", "README"),
        ("fsdd", "recordings/0_theo_1.wav", "recordings/deep/0_theo_1.wav"),
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
