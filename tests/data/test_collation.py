from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from minifast.data.collation import collate
from minifast.errors import DTypeError, ShapeError


class Box(NamedTuple):
    corner: torch.Tensor
    label: int


def same(ours, theirs):
    """Whether two batches agree in structure, types, dtypes and values."""
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, torch.Tensor):
        return ours.dtype == theirs.dtype and torch.equal(ours, theirs)
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(
            same(ours[key], theirs[key]) for key in ours
        )
    if isinstance(ours, list | tuple):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == theirs


X = torch.arange(24.0).reshape(4, 2, 3)


@pytest.mark.parametrize(
    "samples",
    [
        list(X),
        [torch.tensor(n) for n in range(3)],
        [np.arange(6).reshape(2, 3), np.ones((2, 3), dtype=np.int64)],
        [3, 1, 4],
        [True, False],
        [np.int32(3), np.int32(5)],
        [np.bool_(True), np.bool_(False)],
        ["red", "blue"],
        [b"red", b"blue"],
        [{"a": 1, "b": [X[0], "x"]}, {"b": [X[1], "y"], "a": 2}],
        [Box(X[0], 3), Box(X[1], 4)],
        [[1, "a"], [3, "b"], [5, "c"]],
        [((X[0], 1), {"m": X[1]}), ((X[2], 2), {"m": X[3]})],
    ],
    ids=lambda samples: type(samples[0]).__name__,
)
def test_batches_are_torchs(samples):
    assert same(collate(samples), as_tuples(default_collate(samples), samples[0]))


def as_tuples(batch, sample):
    """Undo what torch does to tuples, which come out of it as lists."""
    if isinstance(sample, dict):
        return {key: as_tuples(batch[key], sample[key]) for key in sample}
    if isinstance(sample, str | bytes):
        return list(batch)
    if not isinstance(sample, list | tuple):
        return batch
    columns = [as_tuples(*pair) for pair in zip(batch, sample, strict=True)]
    return (
        type(sample)(*columns) if hasattr(sample, "_fields") else type(sample)(columns)
    )


@pytest.mark.parametrize(("sample", "kind"), [((1, 2), tuple), ([1, 2], list)])
def test_a_tuple_stays_a_tuple_and_a_list_a_list(sample, kind):
    batch = collate([sample, sample])
    assert type(batch) is kind
    assert [column.tolist() for column in batch] == [[1, 1], [2, 2]]


def test_floats_get_the_default_dtype():
    assert same(collate([1.5, 2.0]), torch.tensor([1.5, 2.0]))
    assert collate([1.5, 2.0]).dtype == torch.get_default_dtype() == torch.float32
    assert default_collate([1.5, 2.0]).dtype == torch.float64


def test_one_sample_makes_a_batch_of_one():
    batch = collate([(X[0], 5)])
    assert batch[0].shape == (1, 2, 3)
    assert batch[1].tolist() == [5]


def test_a_batch_is_a_copy():
    batch = collate([X[0], X[1]])
    assert batch.data_ptr() != X.data_ptr()


def refusal(samples):
    with pytest.raises((ShapeError, DTypeError)) as caught:
        collate(samples)
    return caught.value


def test_different_shapes_are_named_with_sample_and_place():
    error = refusal(
        [({"image": torch.zeros(3, 28, 28)}, 0)] * 2
        + [({"image": torch.zeros(3, 30, 28)}, 0)]
    )
    assert str(error) == (
        "The samples of a batch must have the same shape.\n"
        "  got: tensor (3, 28, 28) float32 on cpu in sample 0 at [0]['image'], "
        "tensor (3, 30, 28) float32 on cpu in sample 2 at [0]['image']\n"
        "  fix: Make them alike in the data set, or pass a collate_fn of your own."
    )
    assert isinstance(error.__cause__, RuntimeError)


def test_arrays_of_different_shapes_are_named_too():
    error = refusal([np.zeros(2), np.zeros(3)])
    assert "tensor (2,) float64 on cpu in sample 0, tensor (3,)" in str(error)


def test_tensors_on_different_devices_are_named():
    error = refusal([torch.zeros(2), torch.zeros(2, device="meta")])
    assert "must have the same device" in str(error)
    assert "tensor (2,) float32 on meta in sample 1" in str(error)


@pytest.mark.parametrize(
    ("samples", "got"),
    [
        (
            [(1, 2), (3, 4), (5,)],
            "tuple of length 2 in sample 0, tuple of length 1 in sample 2",
        ),
        (
            [(1, (2, 3)), (1, [4])],
            "tuple of length 2 in sample 0 at [1], list of length 1 in sample 1 at [1]",
        ),
    ],
)
def test_different_lengths_are_named(samples, got):
    assert str(refusal(samples)).splitlines()[:2] == [
        "The samples of a batch must have the same length.",
        f"  got: {got}",
    ]


def test_different_keys_are_named():
    assert str(refusal([{"a": 1}, {"b": 1}])).splitlines()[:2] == [
        "The samples of a batch must have the same keys.",
        "  got: keys ['a'] in sample 0, keys ['b'] in sample 1",
    ]


@pytest.mark.parametrize(
    ("samples", "got"),
    [
        ([1, "two"], "int 1 in sample 0, str of length 3 in sample 1"),
        (["one", 2], "str of length 3 in sample 0, int 2 in sample 1"),
        ([{"a": 1}, 5], "keys ['a'] in sample 0, int 5 in sample 1"),
        ([(1, 2), 4], "tuple of length 2 in sample 0, int 4 in sample 1"),
        (
            [torch.zeros(2), 3],
            "tensor (2,) float32 on cpu in sample 0, int 3 in sample 1",
        ),
        (
            [np.zeros(2), [0, 0]],
            "ndarray (2,) float64 on cpu in sample 0, list of length 2 in sample 1",
        ),
    ],
)
def test_different_types_are_named(samples, got):
    assert str(refusal(samples)).splitlines()[:2] == [
        "The samples of a batch must have the same type.",
        f"  got: {got}",
    ]


def test_what_cannot_be_collated_is_named():
    error = refusal([(torch.zeros(1), Fraction(1, 2))] * 2)
    assert str(error) == (
        "A sample must be made of tensors, arrays, numbers and strings, in tuples, "
        "lists and dictionaries.\n"
        "  got: Fraction in sample 0 at [1]\n"
        "  fix: Convert it in the data set, or pass a collate_fn of your own."
    )


def test_no_samples_are_refused():
    with pytest.raises(ShapeError) as caught:
        collate([])
    assert str(caught.value) == (
        "A batch must hold at least one sample.\n  got: 0 samples\n  fix: Leave it out."
    )


def packed(array):
    """The same numbers as a field of packed records, which torch can't stride over."""
    records = np.zeros(array.shape, dtype=[("number", array.dtype), ("flag", "u1")])
    records["number"] = array
    return records["number"]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = {
    "flipped": lambda array: array[:, ::-1],
    "upside down": lambda array: array[::-1],
    "transposed": lambda array: array.T,
    "every second": lambda array: array[:, ::2],
    "broadcast": lambda array: np.broadcast_to(array[:1], (4, 3)),
    "big-endian": lambda array: array.astype(array.dtype.newbyteorder(">")),
    "little-endian": lambda array: array.astype(array.dtype.newbyteorder("<")),
    "read-only": read_only,
    "packed": packed,
    "empty": lambda array: array[:0],
    "one number": lambda array: array[0, 0, ...],
}


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i8"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_every_layout_in_memory_are_collated(layout, dtype):
    plain = [np.arange(6, dtype=dtype).reshape(2, 3) + n for n in range(2)]
    arrays = [LAYOUTS[layout](array) for array in plain]
    batch = collate(arrays)
    assert same(batch, torch.from_numpy(np.stack(arrays).astype(dtype)))
    before = [array.copy() for array in arrays]
    batch.zero_()
    assert all(map(np.array_equal, arrays, before))


def test_a_file_that_is_mapped_for_reading_is_collated(tmp_path):
    np.save(tmp_path / "numbers.npy", np.arange(6).reshape(2, 3))
    rows = np.load(tmp_path / "numbers.npy", mmap_mode="r")
    assert same(collate(list(rows)), torch.arange(6).reshape(2, 3))


@pytest.mark.parametrize("default", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "numbers",
    [[1.5, 2.0], [np.float64(1.5), np.float64(2)], [2, np.float64(0.5)], [0.5, 2]],
    ids=repr,
)
def test_floats_and_numpys_float64_get_the_default_dtype(numbers, default):
    before = torch.get_default_dtype()
    torch.set_default_dtype(default)
    try:
        assert same(collate(numbers), torch.tensor([float(n) for n in numbers]))
    finally:
        torch.set_default_dtype(before)


def test_complex_numbers_get_the_default_dtype():
    for kind in (complex, np.complex128):
        assert same(collate([kind(1j)]), torch.tensor([1j]))


@pytest.mark.parametrize(
    "kind", [np.float16, np.float32, np.uint8, np.int16, np.int64, np.complex64]
)
def test_other_scalars_of_numpy_keep_their_dtype(kind):
    assert same(collate([kind(1), kind(2)]), torch.from_numpy(np.array([1, 2], kind)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int16])
def test_arrays_keep_their_dtype_as_in_torch(dtype):
    arrays = [np.ones(2, dtype), np.zeros(2, dtype)]
    assert same(collate(arrays), default_collate(arrays))


@pytest.mark.parametrize(
    ("samples", "got"),
    [
        ([np.array(["a"])] * 2, "array of dtype <U1 in sample 0"),
        ([(1, np.zeros(2)), (2, np.array([None]))], "object in sample 1 at [1]"),
        ([np.array(["2020-01-01"], dtype="M8[D]")], "datetime64[D] in sample 0"),
        ([np.timedelta64(1, "s")], "np.timedelta64(1,'s') in sample 0"),
        ([1, 2**70], f"{2**70} in sample 1"),
    ],
)
def test_what_torch_has_no_dtype_for_is_named(samples, got):
    error = refusal(samples)
    assert isinstance(error, DTypeError)
    assert f"{got}\n  fix: Convert it in the data set" in str(error)
    assert error.__cause__ is not None
