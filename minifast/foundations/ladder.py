"""List of all matrix products, slowest first; apart, as two modules hold them.

Book: ch. 01, "The ladder".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from minifast.foundations.c_matmul import matmul_c
from minifast.foundations.products import (
    matmul,
    matmul_broadcast,
    matmul_einsum,
    matmul_lists,
    matmul_loops,
    matmul_no_loop,
    matmul_slices,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass(frozen=True)
class Rung:
    """One way to multiply two matrices.

    Args:
        name: What a table calls it.
        multiply: The function, of two matrices.
        takes: What the function's matrices are: tensors, or lists of rows.
    """

    name: str
    multiply: Callable[[Any, Any], Any]
    takes: Literal["lists", "tensors"] = "tensors"

    def operand(self, matrix: Tensor) -> Any:
        """Return the matrix in the form that this rung takes.

        Shape:
            matrix: (n, k) -> the same tensor, or n lists of k numbers.
        """
        return matrix.tolist() if self.takes == "lists" else matrix


LADDER: tuple[Rung, ...] = (
    Rung("three loops, tensors", matmul_loops),
    Rung("three loops, lists", matmul_lists, takes="lists"),
    Rung("two loops, slices", matmul_slices),
    Rung("one loop, broadcasting", matmul_broadcast),
    Rung("no loop, broadcasting", matmul_no_loop),
    Rung("three loops, C", matmul_c),
    Rung("einsum", matmul_einsum),
    Rung("library", matmul),
)
"""Every rung; the one in C needs a compiler, see
:func:`minifast.foundations.c_matmul.find_compiler`."""
