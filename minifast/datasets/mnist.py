"""MNIST as tensors: the handwritten digits, scaled with the training set's statistics.

Book: ch. 00, "The data".
"""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from minifast.datasets.fetching import fetch
from minifast.errors import DataError

if TYPE_CHECKING:
    import os

    from torch import Tensor

    from minifast.datasets.registry import DatasetPath


@dataclass(frozen=True, eq=False, repr=False)
class MNIST:
    """The digits, with images that have mean 0 and standard deviation 1 in training.

    Args:
        train_images: Images to train on.
        train_labels: Their digits.
        test_images: Images that no decision may look at before the end.
        test_labels: Their digits.
        mean: Mean of the raw training pixels, in [0, 1], before it was subtracted.
        std: Their standard deviation, before it was divided by.
        data: The folder that they were read from.

    Shape:
        images: (B, 1, 28, 28) float32; ``images * std + mean`` are the raw pixels.
        labels: (B,) int64 in [0, 10).

    Source: LeCun et al. 1998, "Gradient-based learning applied to document
    recognition", sec. III.

    Book: ch. 00, "The data".
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    mean: float
    std: float
    data: DatasetPath

    def __repr__(self) -> str:
        return (
            f"MNIST(train {len(self.train_images):,} and test "
            f"{len(self.test_images):,} images of 1x28x28 pixels, "
            f"raw mean {self.mean:.4f}, raw std {self.std:.4f}; {self.data!r})"
        )


def load_mnist(data: DatasetPath | None = None, *, normalize: bool = True) -> MNIST:
    """Read MNIST into memory and normalise it.

    Mean and standard deviation are taken from the training images alone: the test
    images are to be as new to the model as tomorrow's letters.

    Args:
        data: What ``fetch("mnist")`` returned; it is fetched if left out.
        normalize: Whether to subtract the mean and divide by the standard deviation;
            otherwise the pixels stay in [0, 1].

    Shape:
        -> images (B, 1, 28, 28) float32 and labels (B,) int64, as in :class:`MNIST`.

    Raises:
        DataError: If the files are not MNIST's.

    Book: ch. 02, "A look at the data".
    """
    data = data or fetch("mnist")
    train_images, train_labels = _read_part(data, "train")
    test_images, test_labels = _read_part(data, "t10k")
    mean = train_images.mean().item()
    std = train_images.std(correction=0).item()
    if normalize:
        for images in (train_images, test_images):
            images.sub_(mean).div_(std)
    return MNIST(train_images, train_labels, test_images, test_labels, mean, std, data)


def _read_part(data: DatasetPath, part: str) -> tuple[Tensor, Tensor]:
    """Return images in [0, 1] and labels."""
    images = read_idx(data / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(data / f"{part}-labels-idx1-ubyte.gz")
    good_sizes = images.shape[1:] == (28, 28) and labels.shape == images.shape[:1]
    if not good_sizes or len(labels) == 0 or labels.max() > 9:
        raise DataError(
            "MNIST must be images of 28x28 pixels with one digit each.",
            f"{part}: images {tuple(images.shape)}, labels {tuple(labels.shape)}",
            "Run minifast data verify; it finds files that have changed.",
        )
    return images.unsqueeze(1).float().div_(255), labels.long()  # (B, 1, H, W), (B,)


DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}


def read_idx(path: str | os.PathLike[str]) -> torch.Tensor:
    """Read a gzip-compressed idx file.

    Args:
        path: The file.

    Shape:
        -> the sizes and the dtype that the file states; for MNIST's images
        (B, H, W) uint8, for its labels (B,) uint8.

    Raises:
        DataError: If it is not such a file, or is cut off.
    """
    try:
        with gzip.open(path) as file:
            content = file.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _not_idx(path, f"it is not a whole gzip file ({error})") from error
    except OSError as error:
        raise _not_idx(path, f"it can't be read ({error.strerror})") from error
    return parse_idx(content, path)


def parse_idx(content: bytes, path: str | os.PathLike[str] = "-") -> torch.Tensor:
    """Return the numbers in the content of an idx file.

    Args:
        content: The whole file, not compressed.
        path: Its name, for the messages.

    Shape:
        -> the sizes and the dtype that the header states.

    Raises:
        DataError: If the header is wrong or does not agree with the size.

    Example:
        >>> header = bytes([0, 0, 0x08, 1]) + (3).to_bytes(4, "big")
        >>> parse_idx(header + bytes([5, 0, 4]))
        tensor([5, 0, 4], dtype=torch.uint8)
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in DTYPES:
        raise _not_idx(path, f"it begins with {content[:4].hex(' ') or 'nothing'}")
    dtype, n_dims = DTYPES[content[2]], content[3]
    start = 4 + 4 * n_dims
    sizes = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    expected = start + math.prod(sizes) * dtype.itemsize
    if len(content) != expected:
        reason = f"it states sizes {sizes}, which take {expected:,} bytes, and has"
        raise _not_idx(path, f"{reason} {len(content):,}")
    numbers = np.frombuffer(content, dtype, offset=start).reshape(sizes)
    return torch.from_numpy(numbers.astype(dtype.newbyteorder("=")))


def _not_idx(path: str | os.PathLike[str], reason: str) -> DataError:
    return DataError(
        "An idx file must be two zero bytes, a type code, the sizes and the numbers.",
        f"{path}: {reason}",
        "Run minifast data verify; it finds files that have changed.",
    )
