"""The code from scratch: matrix products, gradients by hand, convolutions.

Nothing here uses ``torch.nn`` or torch's own gradients: tensors are arrays of numbers
that can be indexed, added and multiplied, and the rest is built on that.

Book: ch. 01 to ch. 03, and ch. 13.
"""

from minifast.foundations.autograd import Var, topological_order
from minifast.foundations.c_matmul import C_SOURCE, find_compiler, matmul_c
from minifast.foundations.convolution import (
    conv2d_loops,
    conv2d_matrix,
    conv2d_unfold,
    conv_size,
    unfold,
)
from minifast.foundations.gradients import finite_difference, gradcheck
from minifast.foundations.ladder import LADDER, Rung
from minifast.foundations.modules import (
    MSE,
    Linear,
    Module,
    ReLU,
    Sequential,
    add_grad,
)
from minifast.foundations.products import (
    Matrix,
    matmul,
    matmul_broadcast,
    matmul_einsum,
    matmul_lists,
    matmul_loops,
    matmul_no_loop,
    matmul_slices,
)

__all__ = [
    "C_SOURCE",
    "LADDER",
    "MSE",
    "Linear",
    "Matrix",
    "Module",
    "ReLU",
    "Rung",
    "Sequential",
    "Var",
    "add_grad",
    "conv2d_loops",
    "conv2d_matrix",
    "conv2d_unfold",
    "conv_size",
    "find_compiler",
    "finite_difference",
    "gradcheck",
    "matmul",
    "matmul_broadcast",
    "matmul_c",
    "matmul_einsum",
    "matmul_lists",
    "matmul_loops",
    "matmul_no_loop",
    "matmul_slices",
    "topological_order",
    "unfold",
]
