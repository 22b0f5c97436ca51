import gzip
import struct

import pytest
import torch

from minifast.data.idx import parse_idx, read_idx
from minifast.errors import DataError


def pack_idx(code, sizes, numbers):
    header = bytes([0, 0, code, len(sizes)])
    return header + struct.pack(f">{len(sizes)}I", *sizes) + numbers


@pytest.mark.parametrize(
    ("code", "letter", "dtype"),
    [
        (0x08, "B", torch.uint8),
        (0x09, "b", torch.int8),
        (0x0B, "h", torch.int16),
        (0x0C, "i", torch.int32),
        (0x0D, "f", torch.float32),
        (0x0E, "d", torch.float64),
    ],
)
def test_each_type_of_number(code, letter, dtype):
    numbers = struct.pack(f">6{letter}", 1, 2, 3, 4, 5, 127)
    expected = torch.tensor([[1, 2, 3], [4, 5, 127]], dtype=dtype)
    found = parse_idx(pack_idx(code, (2, 3), numbers))
    assert found.dtype == dtype
    assert torch.equal(found, expected)


def test_result_may_be_changed_in_place():
    found = parse_idx(pack_idx(0x08, (2,), b"\1\2"))
    found.mul_(2)
    assert found.tolist() == [2, 4]


def test_no_dimensions_is_one_number():
    assert parse_idx(pack_idx(0x08, (), b"\7")).item() == 7


def test_no_rows():
    assert parse_idx(pack_idx(0x08, (0, 28, 28), b"")).shape == (0, 28, 28)


def test_file(tmp_path):
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(pack_idx(0x08, (3,), bytes([5, 0, 4]))))
    assert read_idx(path).tolist() == [5, 0, 4]


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "it begins with nothing"),
        (b"\0\0\x08", "it begins with 00 00 08"),
        (b"GIF89a", "it begins with 47 49 46 38"),
        (b"\0\0\x07\1" + bytes(8), "it begins with 00 00 07 01"),
        (pack_idx(0x08, (3,), b"\1\2"), "it states sizes [3], which take 11 bytes"),
        (pack_idx(0x08, (1,), b"\1\2"), "which take 9 bytes, and has 10"),
        (pack_idx(0x0C, (2,), b"\1\2"), "it states sizes [2], which take 16 bytes"),
        (b"\0\0\x08\2\0\0", "and has 6"),
        (pack_idx(0x08, (2**31, 2**31), b""), "which take 4,611,686,018,427,387,916"),
    ],
)
def test_content_that_is_no_idx(content, got):
    with pytest.raises(DataError) as caught:
        parse_idx(content, "x.gz")
    must, said, fix = str(caught.value).splitlines()
    assert must == (
        "An idx file must be two zero bytes, a type code, the sizes and the numbers."
    )
    assert said.startswith("  got: x.gz: ")
    assert got in said
    assert fix == "  fix: Run minifast data verify; it finds files that have changed."


@pytest.mark.parametrize("cut", [0, 12, -8, -3])
def test_compressed_file_that_is_cut_off(tmp_path, cut):
    path = tmp_path / "x.gz"
    whole = gzip.compress(pack_idx(0x08, (500,), bytes(range(250)) * 2))
    path.write_bytes(whole[:cut])
    with pytest.raises(DataError, match=r"x\.gz: it (is not a whole|begins)"):
        read_idx(path)


def test_file_that_is_not_compressed(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(pack_idx(0x08, (1,), b"\1"))
    with pytest.raises(DataError, match="not a whole gzip file"):
        read_idx(path)


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="can't be read \\(No such file"):
        read_idx(tmp_path / "x.gz")
