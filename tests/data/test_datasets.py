import numpy as np
import pytest
import torch

from minifast.data.datasets import (
    MapDataset,
    TensorDataset,
    count_rows,
    count_samples,
)
from minifast.errors import DTypeError, OptionError, ShapeError


@pytest.fixture
def tensors():
    return torch.randn(7, 2, 3), torch.arange(7)


@pytest.mark.parametrize(
    "index",
    [0, 6, -1, slice(2, 5), slice(None), slice(0, 0), [3, 0, 3], torch.tensor([6, 1])],
    ids=repr,
)
def test_rows_are_those_of_torchs_data_set(tensors, index):
    for ours, theirs in zip(
        TensorDataset(*tensors)[index],
        torch.utils.data.TensorDataset(*tensors)[index],
        strict=True,
    ):
        assert torch.equal(ours, theirs)


def test_a_tensor_without_dimension_is_one_number(tensors):
    image, label = TensorDataset(*tensors)[torch.tensor(4)]
    assert image.shape == (2, 3)
    assert label == 4


def test_an_empty_list_gives_no_rows(tensors):
    images, labels = TensorDataset(*tensors)[[]]
    assert images.shape == (0, 2, 3)
    assert labels.shape == (0,)


def test_going_through_it_ends_after_the_last_sample(tensors):
    assert [label.item() for _, label in TensorDataset(*tensors)] == list(range(7))


def test_a_number_beyond_the_end_is_an_index_error(tensors):
    with pytest.raises(IndexError):
        TensorDataset(*tensors)[7]


def test_it_says_what_it_holds(tensors):
    assert repr(TensorDataset(*tensors)) == (
        "TensorDataset(tensor (7, 2, 3) float32 on cpu, tensor (7,) int64 on cpu)"
    )


def test_lengths_must_agree():
    with pytest.raises(ShapeError) as caught:
        TensorDataset(torch.zeros(5, 2), torch.zeros(4))
    assert str(caught.value) == (
        "The tensors must have the same length, one row a sample.\n"
        "  got: (5, 2), (4,)\n"
        "  fix: Check that inputs and targets come from the same split."
    )


def test_a_tensor_without_rows_is_refused():
    with pytest.raises(ShapeError, match=r"got: \(2,\), \(\)"):
        count_rows(torch.zeros(2), torch.tensor(1.0))


def test_no_tensor_at_all_is_refused():
    with pytest.raises(ShapeError, match="got: no tensor"):
        count_rows()


def test_what_is_not_a_tensor_is_refused():
    with pytest.raises(DTypeError) as caught:
        TensorDataset(torch.zeros(3), [1, 2, 3])
    assert str(caught.value) == (
        "The data must be given as tensors.\n"
        "  got: list of length 3\n"
        "  fix: Convert it with torch.as_tensor."
    )


def test_an_empty_data_set_can_be_made():
    assert len(TensorDataset(torch.zeros(0, 2), torch.zeros(0))) == 0


@pytest.mark.parametrize(
    "thing", [[1, 2], "text", np.zeros(3), TensorDataset], ids=repr
)
def test_length_and_numbers_make_a_data_set(thing):
    assert isinstance(thing, MapDataset)


@pytest.mark.parametrize("thing", [{1, 2}, iter([1]), 3], ids=["set", "iter", "int"])
def test_a_data_set_needs_both(thing):
    assert not isinstance(thing, MapDataset)


ROWS = [
    [np.uint8(3), np.uint8(0)],
    np.array([3, 0], dtype=np.uint8),
    np.array([3, 0], dtype=">i4"),
    np.arange(7)[3::-3],
    torch.tensor([3, 0], dtype=torch.uint8),
    torch.tensor([3, 0], dtype=torch.int16),
]


@pytest.mark.parametrize("rows", ROWS, ids=repr)
def test_numbers_of_any_dtype_are_rows(tensors, rows):
    images, labels = TensorDataset(*tensors)[rows]
    assert torch.equal(images, tensors[0][[3, 0]])
    assert labels.tolist() == [3, 0]


@pytest.mark.parametrize("index", [np.int64(4), np.uint8(4), np.array(4)], ids=repr)
def test_numpys_numbers_are_one_row(tensors, index):
    image, label = TensorDataset(*tensors)[index]
    assert image.shape == (2, 3)
    assert label == 4


def test_a_slice_takes_numpys_numbers(tensors):
    labels = TensorDataset(*tensors)[np.uint8(1) : np.int64(3)][1]
    assert labels.tolist() == [1, 2]


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_a_mask_leaves_rows_out(tensors, kind):
    mask = [number % 3 == 0 for number in range(7)]
    assert TensorDataset(*tensors)[kind(mask)][1].tolist() == [0, 3, 6]


@pytest.mark.parametrize(
    "index",
    [True, np.True_, torch.tensor(True), 1.0, None, "1", [0.5], torch.tensor([1.0])],
    ids=repr,
)
def test_what_is_no_row_is_refused(tensors, index):
    with pytest.raises(OptionError) as caught:
        TensorDataset(*tensors)[index]
    assert str(caught.value) == (
        "index must be a whole number.\n"
        f"  got: index={index!r}\n"
        "  fix: Pass an int, a slice, or a list of ints."
    )


class Unnumbered(torch.utils.data.Dataset):
    """Torch's base class has a __getitem__ that only says there is none."""

    def __len__(self):
        return 3

    def __iter__(self):
        return iter(range(3))


class SizedStream(torch.utils.data.IterableDataset):
    def __len__(self):
        return 3

    def __iter__(self):
        return iter(range(3))


class NumberedStream(SizedStream):
    def __getitem__(self, index):
        return index


class Endless(list):
    def __len__(self):
        raise NotImplementedError("endless")


class Columns:
    """Like a table of pandas: as long as its columns, found by their names."""

    def __init__(self, **columns):
        self.columns = columns

    def __len__(self):
        return 2

    def keys(self):
        return self.columns.keys()

    def __getitem__(self, name):
        return self.columns[name]


class Named(Columns):
    """It has names too, but is read by number."""

    def __getitem__(self, index):
        return list(self.columns)[index]


@pytest.mark.parametrize(
    "thing",
    [
        iter([1]),
        {1, 2},
        {"a": 1}.values(),
        TensorDataset,
        Unnumbered(),
        SizedStream(),
        NumberedStream(),
        Endless(),
        np.array(3),
        torch.tensor(3),
        {"a": 1, "b": 2},
        {1: "a", 2: "b"},
        {0: "a", 7: "b"},
        Columns(a=[1, 2], b=[3, 4]),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_what_has_no_length_or_no_numbered_samples_is_refused(thing):
    with pytest.raises(DTypeError) as caught:
        count_samples(thing)
    lines = str(caught.value).splitlines()
    assert lines[0] == "A data set must have a length and samples numbered from 0."
    assert lines[2].startswith("  fix: Put the samples in a list")


@pytest.mark.parametrize(
    "thing",
    [[1, 2], "ab", np.zeros(2), torch.zeros(2), range(2), {0: "a", 1: "b"}, Named(a=1)],
    ids=lambda thing: type(thing).__name__,
)
def test_numbered_samples_are_counted(thing):
    assert count_samples(thing) == len(thing)


def test_a_dictionary_of_names_is_told_its_cure():
    with pytest.raises(DTypeError) as caught:
        count_samples({"a": 1, "b": 2})
    assert str(caught.value) == (
        "A data set must have a length and samples numbered from 0.\n"
        "  got: dict with keys, but not those from 0\n"
        "  fix: Put the samples in a list: list(x.values())."
    )


def test_a_length_that_fails_says_why():
    with pytest.raises(DTypeError, match=r"got: Endless, whose len\(\) says: endless"):
        count_samples(Endless())


def test_no_sample_is_read_to_count_them():
    class Unreadable(list):
        def __getitem__(self, index):
            raise AssertionError("read")

    assert count_samples(Unreadable([1, 2])) == 2
