import gzip
import struct

import pytest
import torch

from minifast.datasets.mnist import load_mnist, read_idx
from minifast.datasets.registry import DatasetPath
from minifast.errors import DataError


@pytest.fixture
def write_mnist(tmp_path):
    """Return a function that writes the four files and gives their folder."""

    def write(train, train_labels, test, test_labels):
        arrays = {
            "train-images-idx3-ubyte": train,
            "train-labels-idx1-ubyte": train_labels,
            "t10k-images-idx3-ubyte": test,
            "t10k-labels-idx1-ubyte": test_labels,
        }
        for name, array in arrays.items():
            header = bytes([0, 0, 8, array.ndim])
            header += struct.pack(f">{array.ndim}I", *array.shape)
            content = header + bytes(array.flatten().tolist())
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
        return DatasetPath(tmp_path, "mnist", True, "tiny", "0" * 64, "mirror")

    return write


def images(n):
    return torch.randint(256, (n, 28, 28))


def labels(n):
    return torch.arange(n) % 10


def test_shapes_and_dtypes(write_mnist):
    mnist = load_mnist(write_mnist(images(12), labels(12), images(5), labels(5)))
    assert mnist.train_images.shape == (12, 1, 28, 28)
    assert mnist.test_images.shape == (5, 1, 28, 28)
    assert mnist.train_images.dtype == mnist.test_images.dtype == torch.float32
    assert mnist.train_labels.tolist() == labels(12).tolist()
    assert mnist.test_labels.dtype == torch.int64


def test_statistics_are_of_the_training_images_alone(write_mnist):
    train, test = images(20), images(10) // 3
    mnist = load_mnist(write_mnist(train, labels(20), test, labels(10)))
    raw = train.double() / 255
    assert mnist.mean == pytest.approx(raw.mean().item(), rel=1e-5)
    assert mnist.std == pytest.approx(raw.std(correction=0).item(), rel=1e-5)
    expected = ((test.double() / 255 - raw.mean()) / raw.std(correction=0)).float()
    torch.testing.assert_close(mnist.test_images.squeeze(1), expected)


def test_raw_pixels_can_be_had_back(write_mnist):
    train = images(6)
    mnist = load_mnist(write_mnist(train, labels(6), images(2), labels(2)))
    pixels = (mnist.train_images * mnist.std + mnist.mean) * 255
    assert torch.equal(pixels.round().long().squeeze(1), train)


def test_raw_pixels_are_left_alone_on_request(write_mnist):
    train = images(6)
    data = write_mnist(train, labels(6), images(2), labels(2))
    raw = load_mnist(data, normalize=False)
    scaled = load_mnist(data)
    assert raw.train_images.min() >= 0
    assert raw.train_images.max() <= 1
    assert (raw.mean, raw.std) == (scaled.mean, scaled.std)
    back = scaled.test_images * scaled.std + scaled.mean
    torch.testing.assert_close(back, raw.test_images)


def test_says_what_it_is(write_mnist):
    mnist = load_mnist(write_mnist(images(12), labels(12), images(5), labels(5)))
    assert "train 12 and test 5 images of 1x28x28 pixels" in repr(mnist)
    assert "mnist: real, mirror" in repr(mnist)


def test_is_fetched_if_no_folder_is_given(write_mnist, monkeypatch):
    data = write_mnist(images(3), labels(3), images(2), labels(2))
    monkeypatch.setattr("minifast.datasets.mnist.fetch", {"mnist": data}.__getitem__)
    assert load_mnist().data is data


@pytest.mark.parametrize(
    ("train", "train_labels"),
    [
        (images(3), labels(4)),
        (torch.zeros(3, 28, 27), labels(3)),
        (torch.zeros(3, 784), labels(3)),
        (images(3), labels(3) + 8),
        (images(0), labels(0)),
        (images(3), torch.zeros(3, 1)),
    ],
)
def test_files_that_are_not_mnists(write_mnist, train, train_labels):
    data = write_mnist(train.long(), train_labels.long(), images(2), labels(2))
    with pytest.raises(DataError) as caught:
        load_mnist(data)
    must, got, fix = str(caught.value).splitlines()
    assert must == "MNIST must be images of 28x28 pixels with one digit each."
    assert got.startswith(f"  got: train: images ({len(train)}, ")
    assert fix == "  fix: Run minifast data verify; it finds files that have changed."


def pack_idx(sizes, numbers, code=8):
    header = bytes([0, 0, code, len(sizes)])
    return header + struct.pack(f">{len(sizes)}I", *sizes) + numbers


@pytest.fixture
def read(tmp_path):
    """Return a function that reads an idx file of the given content."""

    def run(content):
        path = tmp_path / "x.gz"
        path.write_bytes(gzip.compress(content))
        return read_idx(path)

    return run


def test_sizes_and_bytes_of_a_file(read):
    found = read(pack_idx((2, 3), bytes([1, 2, 3, 4, 5, 255])))
    assert found.dtype == torch.uint8
    assert found.tolist() == [[1, 2, 3], [4, 5, 255]]


def test_result_may_be_changed_in_place(read):
    found = read(pack_idx((2,), b"\1\2"))
    found.mul_(2)
    assert found.tolist() == [2, 4]


def test_no_dimensions_is_one_number(read):
    assert read(pack_idx((), b"\7")).item() == 7


def test_no_rows(read):
    assert read(pack_idx((0, 28, 28), b"")).shape == (0, 28, 28)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"", "it begins with nothing"),
        (b"\0\0\x08", "IndexError"),
        (b"GIF89a", "it begins with 47 49 46"),
        (pack_idx((1,), b"\1\2\3\4", code=12), "it begins with 00 00 0c"),
        (pack_idx((3,), b"\1\2"), "it states sizes [3] and has 2 bytes"),
        (pack_idx((1,), b"\1\2"), "it states sizes [1] and has 2 bytes"),
        (b"\0\0\x08\2\0\0", "buffer is smaller than requested size"),
        (pack_idx((2**31, 2**31), b""), "[2147483648, 2147483648] and has 0 bytes"),
    ],
)
def test_content_that_is_no_idx(read, tmp_path, content, got):
    with pytest.raises(DataError) as caught:
        read(content)
    must, said, fix = str(caught.value).splitlines()
    assert must == (
        "An idx file must be 00 00 08, the sizes and the bytes, in a gzip file."
    )
    assert said.startswith(f"  got: {tmp_path / 'x.gz'}: ")
    assert got in said
    assert fix == "  fix: Run minifast data verify; it finds files that have changed."


@pytest.mark.parametrize("cut", [0, 12, -8, -3])
def test_compressed_file_that_is_cut_off(tmp_path, cut):
    path = tmp_path / "x.gz"
    whole = gzip.compress(pack_idx((500,), bytes(range(250)) * 2))
    path.write_bytes(whole[:cut])
    with pytest.raises(DataError, match=r"x\.gz: (it begins|EOFError)"):
        read_idx(path)


def test_file_that_is_not_compressed(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(pack_idx((1,), b"\1"))
    with pytest.raises(DataError, match="Not a gzipped file"):
        read_idx(path)


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"x\.gz: No such file"):
        read_idx(tmp_path / "x.gz")
