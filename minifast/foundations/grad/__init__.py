"""Gradients from scratch: layers with a backward by hand, a tape, and their check.

Book: ch. 03.
"""

from minifast.foundations.grad.check import finite_difference, gradcheck
from minifast.foundations.grad.graph import topological_order
from minifast.foundations.grad.layers import MSE, Linear, ReLU
from minifast.foundations.grad.module import Module, Sequential, add_grad
from minifast.foundations.grad.tape import Var

__all__ = [
    "MSE",
    "Linear",
    "Module",
    "ReLU",
    "Sequential",
    "Var",
    "add_grad",
    "finite_difference",
    "gradcheck",
    "topological_order",
]
