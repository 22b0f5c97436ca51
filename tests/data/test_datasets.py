import numpy as np
import pytest
import torch

from minifast.data.datasets import MapDataset, TensorDataset, count_rows
from minifast.errors import DTypeError, ShapeError


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
