"""MNIST as tensors: the handwritten digits, scaled with the training set's statistics.

Book: ch. 00, "The data".
"""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from minifast.datasets.faults import describe_fault
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


def read_idx(path: str | os.PathLike[str]) -> torch.Tensor:
    """Read a gzip-compressed idx file of bytes.

    Args:
        path: The file.

    Shape:
        -> the sizes that the file states, uint8; for MNIST's images (B, H, W), for its
        labels (B,).

    Raises:
        DataError: If it is not such a file, or is cut off.
    """
    try:
        with gzip.open(path) as file:
            content = file.read()
        if content[:3] != b"\0\0\x08":  # 8 is the code of unsigned bytes
            raise ValueError(f"it begins with {content[:3].hex(' ') or 'nothing'}")
        sizes = np.frombuffer(content, ">u4", count=content[3], offset=4).tolist()
        numbers = bytearray(content[4 + 4 * content[3] :])
        if len(numbers) != math.prod(sizes):
            raise ValueError(f"it states sizes {sizes} and has {len(numbers):,} bytes")
    except (OSError, EOFError, IndexError, ValueError, zlib.error) as error:
        raise DataError(
            "An idx file must be 00 00 08, the sizes and the bytes, in a gzip file.",
            f"{path}: {describe_fault(error)}",
            "Run minifast data verify; it finds files that have changed.",
        ) from error
    return torch.from_numpy(np.frombuffer(numbers, np.uint8).reshape(sizes))
