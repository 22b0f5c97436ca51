import pytest
import torch

from minifast.foundations.c_matmul import find_compiler
from minifast.foundations.ladder import LADDER, Rung


@pytest.mark.parametrize("rung", LADDER, ids=lambda rung: rung.name)
def test_every_rung_gives_the_same_product(rung):
    if rung.name == "three loops, C" and find_compiler() is None:
        pytest.skip("this machine has no C compiler")
    a, b = torch.randn(3, 5), torch.randn(5, 2)
    product = rung.multiply(rung.operand(a), rung.operand(b))
    torch.testing.assert_close(torch.as_tensor(product), a @ b)


def test_names_tell_the_rungs_apart():
    assert len({rung.name for rung in LADDER}) == len(LADDER)


def test_operands_are_lists_for_a_rung_that_takes_lists():
    matrix = torch.eye(2)
    assert Rung("x", max, takes="lists").operand(matrix) == [[1.0, 0.0], [0.0, 1.0]]
    assert Rung("x", max).operand(matrix) is matrix
