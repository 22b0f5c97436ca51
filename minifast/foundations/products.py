"""Matrix multiplication, from three Python loops down to one call of the library.

Every function computes the same c = a b: c[i, j] is the sum over r of a[i, r] b[r, j].
Letters: ``n, k, m`` are sizes, (n, k) times (k, m) is (n, m); ``i, j, r`` are indices
below n, m and k. The rung written in C is in :mod:`minifast.foundations.c_matmul`, and
:mod:`minifast.foundations.ladder` lists all rungs.

Book: ch. 01.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from minifast.errors import DeviceError, DTypeError, ShapeError, describe, named

Matrix: TypeAlias = Sequence[Sequence[float]]
"""A matrix without tensors, as a list of rows, each a list of numbers."""

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def _check_rows(name: str, rows: Matrix) -> None:
    nested = isinstance(rows, list | tuple)
    if not (nested and all(isinstance(row, list | tuple) for row in rows)):
        must = f"The matrix {name} must be a list of rows, each a list of numbers."
        raise DTypeError(must, describe(rows), "Of a tensor x, x.tolist() makes one.")
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1:
        must = f"All rows of {name} must have the same length."
        raise ShapeError(must, f"row lengths {lengths}", "Fill up or cut the rows.")


def list_sizes(a: Matrix, b: Matrix) -> tuple[int, int, int]:
    """Check that two lists of lists can be multiplied, and return n, k and m.

    Lists can't say all sizes of an empty matrix: without rows, ``b`` is (0, 0).

    Raises:
        DTypeError: if a matrix is not a list of lists.
        ShapeError: if rows of one matrix differ in length, or the inner sizes differ.

    Shape:
        a: n lists of k numbers; b: k lists of m numbers -> three integers.
    """
    _check_rows("a", a)
    _check_rows("b", b)
    n, k, m = len(a), len(b), len(b[0]) if b else 0
    if a and len(a[0]) != k:
        must = "Each row of a must have as many numbers as b has rows."
        got = f"{len(a[0])} numbers in a row of a, {k} rows in b"
        raise ShapeError(must, got, "Transpose one of them: list(zip(*b)).")
    return n, k, m


def matrix_sizes(a: Tensor, b: Tensor) -> tuple[int, int, int]:
    """Check that two matrices can be multiplied, and return n, k and m.

    Raises:
        DTypeError: if one is no tensor, the dtypes differ, or the dtype is not one that
            every rung of the ladder can multiply.
        ShapeError: if one has not exactly two dimensions, or the inner sizes differ.
        DeviceError: if they are on two devices.

    Shape:
        a: (n, k); b: (k, m), the same dtype: float16, bfloat16, float32, float64, on a
        CPU also int64 -> three integers.

    Example:
        >>> matrix_sizes(torch.zeros(5, 784), torch.zeros(784, 10))
        (5, 784, 10)
    """
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        must, fix = "Both matrices must be tensors.", "torch.tensor(x) makes one."
        raise DTypeError(must, named(a=a, b=b), fix)
    if a.ndim != 2 or b.ndim != 2:
        must = "Both matrices must have two dimensions, (n, k) and (k, m)."
        fix = "A vector x becomes a row with x[None, :], a column with x[:, None]."
        raise ShapeError(must, named(a=a, b=b), fix)
    if a.shape[1] != b.shape[0]:
        must = "The rows of b must be as many as the columns of a."
        raise ShapeError(must, named(a=a, b=b), _transpose_hint(a, b))
    if a.dtype != b.dtype:
        must, fix = "Both matrices must have the same dtype.", "Use b.to(a.dtype)."
        raise DTypeError(must, named(a=a, b=b), fix)
    if a.device != b.device:
        must, fix = "Both matrices must be on one device.", "Use b.to(a.device)."
        raise DeviceError(must, named(a=a, b=b), fix)
    if a.dtype not in _FLOATS and not (a.dtype == torch.int64 and a.is_cpu):
        must = "The matrices must hold floating-point numbers (on a CPU also int64)."
        raise DTypeError(must, named(a=a, b=b), "Use a.float() and b.float().")
    return *a.shape, b.shape[1]


def _transpose_hint(a: Tensor, b: Tensor) -> str:
    if a.shape[1] == b.shape[1]:
        return "Did you mean b.T?"
    if a.shape[0] == b.shape[0]:
        return "Did you mean a.T?"
    return "Print both shapes where the matrices are made."


def matmul_lists(a: Matrix, b: Matrix) -> list[list[float]]:
    """Multiply two matrices kept as lists of rows, with three loops.

    Shape:
        a: n lists of k numbers; b: k lists of m numbers -> n lists of m numbers.

    Example:
        >>> matmul_lists([[1.0, 2.0]], [[3.0], [4.0]])
        [[11.0]]

    Book: ch. 01, "Whose fault is it?".
    """
    n, k, m = list_sizes(a, b)
    c = [[0.0] * m for _ in range(n)]
    for i in range(n):
        for j in range(m):
            for r in range(k):
                c[i][j] += a[i][r] * b[r][j]
    return c


def matmul_loops(a: Tensor, b: Tensor) -> Tensor:
    """Multiply two matrices with three loops over the elements of tensors.

    Shape:
        a: (n, k); b: (k, m), of one dtype -> (n, m) of the same dtype.

    Book: ch. 01, "Three loops".
    """
    n, k, m = matrix_sizes(a, b)
    c = a.new_zeros(n, m)
    for i in range(n):
        for j in range(m):
            for r in range(k):
                c[i, j] += a[i, r] * b[r, j]
    return c


def matmul_slices(a: Tensor, b: Tensor) -> Tensor:
    """Multiply two matrices with two loops: row times column, summed by the library.

    Shape:
        a: (n, k); b: (k, m), of one dtype -> (n, m) of the same dtype.

    Book: ch. 01, "A row times a column".
    """
    n, _, m = matrix_sizes(a, b)
    c = a.new_zeros(n, m)
    for i in range(n):
        for j in range(m):
            c[i, j] = (a[i, :] * b[:, j]).sum()
    return c


def matmul_broadcast(a: Tensor, b: Tensor) -> Tensor:
    """Multiply two matrices with one loop: a row, stood up, scales the rows of ``b``.

    Shape:
        a: (n, k); b: (k, m), of one dtype -> (n, m) of the same dtype.

    Book: ch. 01, "One loop".
    """
    n, _, m = matrix_sizes(a, b)
    c = a.new_zeros(n, m)
    for i in range(n):
        c[i] = (a[i, :, None] * b).sum(0)  # (k, 1) * (k, m) -> (k, m) -> (m,)
    return c


def matmul_no_loop(a: Tensor, b: Tensor) -> Tensor:
    """Multiply two matrices without a loop, at the price of n*k*m numbers in memory.

    All products exist at once before they are summed. For 50,000 images of 784 pixels
    and 10 classes in float32 that is 1.6 GB, where the result itself takes 2 MB.

    Shape:
        a: (n, k); b: (k, m), of one dtype -> (n, m) of the same dtype.

    Book: ch. 01, "No loop, and what it costs".
    """
    matrix_sizes(a, b)
    return (a[:, :, None] * b).sum(1)  # (n, k, 1) * (k, m) -> (n, k, m) -> (n, m)


def matmul_einsum(a: Tensor, b: Tensor) -> Tensor:
    """Multiply two matrices by naming their axes: k, missing on the right, is summed.

    Shape:
        a: (n, k); b: (k, m), of one dtype -> (n, m) of the same dtype.

    Book: ch. 01, "Saying what we mean: einsum".
    """
    matrix_sizes(a, b)
    return torch.einsum("ik,kj->ij", a, b)


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Multiply two matrices with the library's own product, after checking them.

    Shape:
        a: (n, k); b: (k, m), of one dtype -> (n, m) of the same dtype.

    Example:
        >>> matmul(torch.ones(2, 3), torch.ones(3, 4)).shape
        torch.Size([2, 4])
        >>> matmul(torch.ones(2, 3), torch.ones(4, 3))
        Traceback (most recent call last):
        ...
        minifast.errors.ShapeError: The rows of b must be as many as the columns of a.
          got: a: tensor (2, 3) float32 on cpu; b: tensor (4, 3) float32 on cpu
          fix: Did you mean b.T?

    Book: ch. 01, "One character".
    """
    matrix_sizes(a, b)
    return a @ b
