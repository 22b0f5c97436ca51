"""The idx format: a header that says type and sizes, then the numbers.

An idx file begins with two zero bytes, a code for the type of the numbers and the count
of dimensions; then come the size of each dimension and the numbers, all big-endian.

Book: ch. 00, "The data".
"""

from __future__ import annotations

import gzip
import math
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from minifast.errors import DataError

if TYPE_CHECKING:
    import os

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

    Book: ch. 00, "The data".
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
