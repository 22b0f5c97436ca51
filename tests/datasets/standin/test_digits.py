"""The stand-in for MNIST has MNIST's files, sizes and statistics."""

import gzip

import pytest
import torch

from minifast.datasets.mnist import read_idx
from minifast.datasets.standin import digits

COUNT = 600


@pytest.fixture(scope="module")
def drawn():
    return digits.draw_digits(COUNT, digits.FACES, seed=0)


def test_writes_the_four_files_of_mnist(tmp_path):
    note = digits.generate(tmp_path, n_train=40, n_test=20)
    shapes = {p.name: tuple(read_idx(p).shape) for p in tmp_path.iterdir()}
    assert shapes == {
        "train-images-idx3-ubyte.gz": (40, 28, 28),
        "train-labels-idx1-ubyte.gz": (40,),
        "t10k-images-idx3-ubyte.gz": (20, 28, 28),
        "t10k-labels-idx1-ubyte.gz": (20,),
    }
    assert all(read_idx(p).dtype == torch.uint8 for p in tmp_path.iterdir())
    assert "18 font faces" in note
    assert "not handwriting" in note


def test_the_full_sizes_are_those_of_mnist():
    assert digits.generate.__defaults__ == (60_000, 10_000)


def test_two_runs_give_the_same_bytes(folders, tree):
    for folder in folders:
        digits.generate(folder, n_train=30, n_test=20)
    one, two = map(tree, folders)
    assert len(one) == 4
    assert one == two


def test_the_global_seed_and_state_play_no_part():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, _ = digits.draw_digits(20, digits.FACES, seed=3)
    assert torch.get_rng_state().equal(before)
    torch.manual_seed(2)
    assert digits.draw_digits(20, digits.FACES, seed=3)[0].equal(first)


def test_batches_are_joined_in_order(monkeypatch):
    monkeypatch.setattr(digits, "BATCH", 7)
    images, labels = digits.draw_digits(20, digits.FACES, seed=0)
    assert images.shape == (20, 28, 28)
    assert labels.shape == (20,)
    assert (images.flatten(1).amax(1) > 0).all()


def test_classes_are_balanced_and_mixed(drawn):
    _, labels = drawn
    assert labels.bincount().tolist() == [COUNT // 10] * 10
    assert (labels[1:] >= labels[:-1]).float().mean() < 0.7


def test_digits_are_fitted_and_centred_as_in_mnist(drawn):
    ink = drawn[0].float()
    at = torch.arange(28) + 0.5
    off = []
    for axis in (1, 2):
        profile = ink.sum(axis)
        off.append(((profile * at).sum(1) / profile.sum(1) - 14).abs())
    # A few lopsided digits reach over the edge, as a few of MNIST's do.
    assert torch.stack(off).quantile(0.98) < 0.3
    assert torch.stack(off).max() < 1.5
    inked = [(ink.amax(axis) > 127).sum(1) for axis in (1, 2)]
    longer = torch.maximum(*inked).float()
    assert longer.median() == 20
    assert longer.quantile(0.01) >= 18
    assert longer.quantile(0.98) <= 21


def test_light_on_dark_with_mnist_like_statistics(drawn):
    values = drawn[0].float() / 255
    # MNIST has 0.1307 and 0.3081; these are 0.133 and 0.301 over the full set.
    assert values.mean() == pytest.approx(0.1307, abs=0.015)
    assert values.std() == pytest.approx(0.3081, abs=0.015)
    assert values[:, 0].mean() < 0.002
    assert values.amax((1, 2)).min() > 0.5


def test_no_two_pictures_are_the_same_within_or_between_the_parts(drawn):
    test, _ = digits.draw_digits(300, digits.FACES + digits.TEST_ONLY_FACES, seed=1)
    pictures = [image.numpy().tobytes() for image in [*drawn[0], *test]]
    assert len(set(pictures)) == len(pictures)


def test_some_faces_are_kept_for_testing():
    assert not set(digits.FACES) & set(digits.TEST_ONLY_FACES)


def test_a_linear_model_finds_the_classes_but_not_all(drawn):
    images, labels = drawn
    x = torch.cat([images.flatten(1).double() / 255, torch.ones(COUNT, 1)], 1)
    train, valid = slice(0, 500), slice(500, None)
    one_hot = torch.eye(10, dtype=torch.float64)[labels.long()]
    ridge = x[train].T @ x[train] + 10 * torch.eye(x.shape[1])
    weights = torch.linalg.solve(ridge, x[train].T @ one_hot[train])
    accuracy = ((x[valid] @ weights).argmax(1) == labels[valid]).double().mean()
    assert 0.5 < accuracy < 0.97


def test_write_idx_is_what_gzip_and_read_idx_undo(tmp_path):
    values = torch.arange(24, dtype=torch.uint8).view(2, 3, 4)
    path = tmp_path / "x.gz"
    digits.write_idx(path, values)
    assert read_idx(path).equal(values)
    header = gzip.decompress(path.read_bytes())[:16]
    assert header.hex() == "00000803000000020000000300000004"
    assert path.read_bytes()[4:8] == bytes(4), "the time stamp must be 0"
