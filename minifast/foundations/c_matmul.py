"""Matrix multiplication as three loops in C, compiled at the first call.

The same loops in the same order as ``matmul_lists`` and ``matmul_loops``: what differs
is only who runs them. The compiler gets no leave to reorder the sums (no
``-ffast-math``), so every c[i, j] is added up one product after the other.

Book: ch. 01, "A fairer opponent".
"""

from __future__ import annotations

import ctypes
import functools
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from minifast.errors import (
    DeviceError,
    DTypeError,
    MinifastError,
    OptionError,
    describe,
)
from minifast.foundations.products import matrix_sizes

if TYPE_CHECKING:
    from torch import Tensor

C_SOURCE = """\
#include <stddef.h>

void matmul(const float *a, const float *b, float *c,
            size_t n, size_t k, size_t m) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) {
            float total = 0;
            for (size_t r = 0; r < k; r++)
                total += a[i * k + r] * b[r * m + j];
            c[i * m + j] = total;
        }
}
"""
"""The whole program; a matrix lies row after row, so a[i, r] is number i * k + r."""


def find_compiler() -> str | None:
    """Return the command of a C compiler: ``$CC`` if it is set, or cc, gcc or clang.

    Returns:
        A command for the shell, or None if there is no compiler.

    Book: ch. 01, "A fairer opponent".
    """
    command = os.environ.get("CC", "").strip()
    if command:
        return command if shutil.which(shlex.split(command)[0]) else None
    paths = (shutil.which(name) for name in ("cc", "gcc", "clang"))
    return next((shlex.quote(path) for path in paths if path), None)


@functools.cache
def _compiled() -> Any:
    compiler = find_compiler()
    if compiler is None:
        raise MinifastError(
            "The rung in C needs a C compiler on this machine.",
            f"no cc, gcc or clang on PATH, CC={os.environ.get('CC', '')!r}",
            "Install the package gcc (Linux) or run xcode-select --install (macOS).",
        )
    # The folder goes as soon as the library is loaded; where an open file can't be
    # deleted (Windows), the system's own cleaning of temporary files takes it.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        source, library = Path(folder, "matmul.c"), Path(folder, "matmul.so")
        source.write_text(C_SOURCE, encoding="utf-8")
        options = ["-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
        command = [*shlex.split(compiler), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MinifastError(
                "The C compiler must compile and link the rung in C.",
                f"{shlex.join(command)} said: {done.stderr.strip() or 'nothing'}",
                "Repair the compiler, or name another one: CC=clang.",
            )
        function = ctypes.CDLL(str(library)).matmul
    function.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_size_t] * 3
    function.restype = None
    return function


def matmul_c(a: Tensor, b: Tensor) -> Tensor:
    """Multiply two matrices with three loops in C.

    The first call compiles. A matrix that does not lie row after row in memory, such as
    a transposed one, is copied first.

    Raises:
        DTypeError: if the matrices are not float32.
        DeviceError: if they are not in the CPU's memory.
        OptionError: if torch is to record gradients, which it can't see in C.
        MinifastError: if there is no compiler, or it fails; with what it said.

    Shape:
        a: (n, k) float32; b: (k, m) float32 -> (n, m) float32, all on the CPU.

    Book: ch. 01, "A fairer opponent".
    """
    n, k, m = matrix_sizes(a, b)
    _check_for_c(a, b)
    a, b, c = a.contiguous(), b.contiguous(), a.new_empty(n, m)
    _compiled()(a.data_ptr(), b.data_ptr(), c.data_ptr(), n, k, m)
    return c


def _check_for_c(a: Tensor, b: Tensor) -> None:
    if a.dtype != torch.float32:
        must, fix = "The rung in C takes float32 only.", "Use a.float() and b.float()."
        raise DTypeError(must, describe(a), fix)
    if not a.is_cpu:
        must = "The rung in C needs its matrices on the CPU."
        raise DeviceError(must, describe(a), "Use a.cpu() and b.cpu().")
    if torch.is_grad_enabled() and (a.requires_grad or b.requires_grad):
        must = "The rung in C takes no matrices that require gradients."
        fix = "Use a.detach() and b.detach(), or torch.no_grad()."
        raise OptionError(must, "requires_grad=True", fix)
