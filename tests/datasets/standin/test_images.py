"""The stand-in for Imagenette: layout, sizes, modes, labels; colour is no help."""

import csv

import numpy as np
import pytest
from PIL import Image

from minifast.datasets.standin import images
from minifast.datasets.standin.drawings import DRAWINGS

N_TRAIN, N_VAL = 3, 2
CLASS_IDS = (
    *("n01440764", "n02102040", "n02979186", "n03000684", "n03028079"),
    *("n03394916", "n03417042", "n03425413", "n03445777", "n03888257"),
)


def open_image(path):
    with Image.open(path) as image:
        image.load()
        return image


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("imagenette")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "GREY_EVERY", 5)
        note = images.generate(folder, N_TRAIN, N_VAL)
    assert "no photographs" in note
    return folder


def test_folders_and_names_are_those_of_imagenette(root):
    assert tuple(DRAWINGS) == CLASS_IDS
    found = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.JPEG"))
    expected = [f"train/{c}/{c}_{n}.JPEG" for c in CLASS_IDS for n in range(N_TRAIN)]
    expected += [
        f"val/{c}/{c}_{n}.JPEG"
        for c in CLASS_IDS
        for n in range(N_TRAIN, N_TRAIN + N_VAL)
    ]
    assert found == sorted(expected)


def test_every_picture_decodes_and_has_160_pixels_on_its_shorter_side(root):
    aspects = set()
    for path in root.rglob("*.JPEG"):
        image = open_image(path)
        assert image.format == "JPEG"
        assert image.mode in {"RGB", "L"}
        assert min(image.size) == 160
        assert max(image.size) <= 256
        aspects.add(image.width / image.height)
    assert min(aspects) < 0.9
    assert max(aspects) > 1.2
    assert len(aspects) > 10


def test_one_picture_in_so_many_is_grey(root):
    modes = [open_image(path).mode for path in root.rglob("*.JPEG")]
    assert modes.count("L") == len(modes) / 5
    assert images.GREY_EVERY == 50  # 242 of 13,394 in the real set, 1.8 %


def test_pictures_have_contrast_and_none_is_there_twice(root):
    pixels = [np.asarray(open_image(path)) for path in root.rglob("*.JPEG")]
    assert min(values.std() for values in pixels) > 8
    assert len({values.tobytes() for values in pixels}) == len(pixels)


def test_the_table_has_the_columns_and_labels_of_the_real_one(root):
    with (root / "noisy_imagenette.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    levels = [f"noisy_labels_{level}" for level in (0, 1, 5, 25, 50)]
    assert list(rows[0]) == ["path", *levels, "is_valid"]
    assert [row["path"] for row in rows] == sorted(
        path.relative_to(root).as_posix() for path in root.rglob("*.JPEG")
    )
    for row in rows:
        part, label, _ = row["path"].split("/")
        assert row["noisy_labels_0"] == label
        assert row["is_valid"] == str(part == "val")
        assert {row[level] for level in levels} <= set(CLASS_IDS)
        if part == "val":
            assert {row[level] for level in levels} == {label}


def test_labels_are_wrong_as_often_as_the_column_says(tmp_path):
    paths = [f"train/{c}/{c}_{n}.JPEG" for c in CLASS_IDS for n in range(200)]
    images._write_labels(tmp_path / "labels.csv", paths)
    with (tmp_path / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for level in images.NOISE_LEVELS:
        right = [row[f"noisy_labels_{level}"] == row["noisy_labels_0"] for row in rows]
        assert 1 - sum(right) / len(right) == pytest.approx(level / 100, abs=0.03)


def test_two_runs_give_the_same_files(folders, tree):
    for folder in folders:
        images.generate(folder, n_train=1, n_val=1)
    one, two = map(tree, folders)
    assert len(one) == 21
    assert one == two


def test_the_full_sizes_give_120_and_40_of_each_class():
    assert images.generate.__defaults__ == (120, 40)


def test_mean_colour_does_not_tell_the_class():
    """The classes' mean colours differ no more than those of random groups would."""
    means = np.array(
        [
            [
                np.asarray(images.picture(c, np.random.default_rng([9, k, n]))).mean(
                    (0, 1)
                )
                for n in range(12)
            ]
            for k, c in enumerate(CLASS_IDS)
        ]
    )
    between = means.mean(1).var(0).mean()
    by_chance = means.reshape(-1, 3).var(0).mean() / means.shape[1]
    assert between < 3 * by_chance
