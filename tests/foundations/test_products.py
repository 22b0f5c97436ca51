import pytest
import torch

from minifast.errors import DeviceError, DTypeError, ShapeError
from minifast.foundations.products import (
    list_sizes,
    matmul,
    matmul_broadcast,
    matmul_einsum,
    matmul_lists,
    matmul_loops,
    matmul_no_loop,
    matmul_slices,
    matrix_sizes,
)

RUNGS = [
    matmul_loops,
    matmul_slices,
    matmul_broadcast,
    matmul_no_loop,
    matmul_einsum,
    matmul,
]
SIZES = [(2, 3, 4), (1, 1, 1), (5, 1, 2), (1, 7, 1), (3, 0, 2), (0, 3, 2), (2, 3, 0)]
TOLERANCE = {torch.float16: 1e-2, torch.bfloat16: 5e-2, torch.float32: 1e-5}


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("dtype", [*TOLERANCE, torch.float64, torch.int64])
@pytest.mark.parametrize("sizes", SIZES)
def test_every_rung_agrees_with_torch(rung, dtype, sizes):
    n, k, m = sizes
    a, b = (10 * torch.randn(n, k)).to(dtype), torch.randn(k, m).to(dtype)
    tolerance = TOLERANCE.get(dtype, 1e-12)
    torch.testing.assert_close(rung(a, b), a @ b, rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("rung", RUNGS)
def test_matrices_need_not_lie_row_after_row(rung):
    a, b = torch.randn(3, 2).T, torch.randn(4, 6)[:3, ::2]
    torch.testing.assert_close(rung(a, b), a @ b)


@pytest.mark.parametrize("rung", RUNGS)
def test_inputs_stay_as_they_are(rung):
    a, b = torch.randn(2, 3), torch.randn(3, 4)
    before = a.clone(), b.clone()
    rung(a, b)
    assert torch.equal(a, before[0])
    assert torch.equal(b, before[1])


@pytest.mark.parametrize("rung", RUNGS)
def test_gradients_flow_through_every_rung(rung):
    a, b = torch.randn(2, 3, requires_grad=True), torch.randn(3, 4)
    rung(a, b).sum().backward()
    torch.testing.assert_close(a.grad, torch.ones(2, 4) @ b.T)


@pytest.mark.parametrize("sizes", [(2, 3, 4), (1, 1, 1), (0, 3, 2), (2, 3, 0)])
def test_lists_agree_with_torch(sizes):
    n, k, m = sizes
    a, b = torch.randn(n, k).double(), torch.randn(k, m).double()
    product = torch.tensor(matmul_lists(a.tolist(), b.tolist()), dtype=torch.float64)
    torch.testing.assert_close(product.reshape(n, m), a @ b)


def test_lists_without_inner_rows_give_rows_without_columns():
    assert matmul_lists([[], []], []) == [[], []]


def test_sizes_come_back_in_the_order_n_k_m():
    assert matrix_sizes(torch.zeros(2, 3), torch.zeros(3, 4)) == (2, 3, 4)
    assert list_sizes([[1.0, 2.0, 3.0]], [[1.0, 2.0]] * 3) == (1, 3, 2)


A = torch.zeros(2, 3)
REFUSED = [
    (
        (A, [[1.0]]),
        DTypeError,
        (
            "Both matrices must be tensors.\n"
            "  got: a: tensor (2, 3) float32 on cpu; b: list of length 1\n"
            "  fix: torch.tensor(x) makes one."
        ),
    ),
    (
        (A, torch.zeros(3)),
        ShapeError,
        (
            "Both matrices must have two dimensions, (n, k) and (k, m).\n"
            "  got: a: tensor (2, 3) float32 on cpu; b: tensor (3,) float32 on cpu\n"
            "  fix: A vector x becomes a row with x[None, :], a column with x[:, None]."
        ),
    ),
    (
        (A, torch.zeros(4, 3)),
        ShapeError,
        (
            "The rows of b must be as many as the columns of a.\n"
            "  got: a: tensor (2, 3) float32 on cpu; b: tensor (4, 3) float32 on cpu\n"
            "  fix: Did you mean b.T?"
        ),
    ),
    (
        (A, torch.zeros(2, 4)),
        ShapeError,
        (
            "The rows of b must be as many as the columns of a.\n"
            "  got: a: tensor (2, 3) float32 on cpu; b: tensor (2, 4) float32 on cpu\n"
            "  fix: Did you mean a.T?"
        ),
    ),
    (
        (A, torch.zeros(5, 5)),
        ShapeError,
        (
            "The rows of b must be as many as the columns of a.\n"
            "  got: a: tensor (2, 3) float32 on cpu; b: tensor (5, 5) float32 on cpu\n"
            "  fix: Print both shapes where the matrices are made."
        ),
    ),
    (
        (A, torch.zeros(3, 4).double()),
        DTypeError,
        (
            "Both matrices must have the same dtype.\n"
            "  got: a: tensor (2, 3) float32 on cpu; b: tensor (3, 4) float64 on cpu\n"
            "  fix: Use b.to(a.dtype)."
        ),
    ),
    (
        (A, torch.zeros(3, 4, device="meta")),
        DeviceError,
        (
            "Both matrices must be on one device.\n"
            "  got: a: tensor (2, 3) float32 on cpu; b: tensor (3, 4) float32 on meta\n"
            "  fix: Use b.to(a.device)."
        ),
    ),
    (
        (A.bool(), torch.zeros(3, 4).bool()),
        DTypeError,
        (
            "The matrices must hold floating-point numbers (on a CPU also int64).\n"
            "  got: a: tensor (2, 3) bool on cpu; b: tensor (3, 4) bool on cpu\n"
            "  fix: Use a.float() and b.float()."
        ),
    ),
    (
        (A.long().to("meta"), torch.zeros(3, 4).long().to("meta")),
        DTypeError,
        (
            "The matrices must hold floating-point numbers (on a CPU also int64).\n"
            "  got: a: tensor (2, 3) int64 on meta; b: tensor (3, 4) int64 on meta\n"
            "  fix: Use a.float() and b.float()."
        ),
    ),
]


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize(("matrices", "kind", "message"), REFUSED)
def test_every_rung_refuses_what_it_cannot_multiply(rung, matrices, kind, message):
    with pytest.raises(kind) as caught:
        rung(*matrices)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("lists", "kind", "message"),
    [
        (
            (torch.ones(2, 2), [[1.0]]),
            DTypeError,
            (
                "The matrix a must be a list of rows, each a list of numbers.\n"
                "  got: tensor (2, 2) float32 on cpu\n"
                "  fix: Of a tensor x, x.tolist() makes one."
            ),
        ),
        (
            ([[1.0]], [1.0]),
            DTypeError,
            (
                "The matrix b must be a list of rows, each a list of numbers.\n"
                "  got: list of length 1\n"
                "  fix: Of a tensor x, x.tolist() makes one."
            ),
        ),
        (
            ([[1.0, 2.0]], [[1.0], [2.0, 3.0]]),
            ShapeError,
            (
                "All rows of b must have the same length.\n"
                "  got: row lengths [1, 2]\n"
                "  fix: Fill up or cut the rows."
            ),
        ),
        (
            ([[1.0, 2.0]], [[1.0, 2.0]]),
            ShapeError,
            (
                "Each row of a must have as many numbers as b has rows.\n"
                "  got: 2 numbers in a row of a, 1 rows in b\n"
                "  fix: Transpose one of them: list(zip(*b))."
            ),
        ),
    ],
)
def test_lists_that_are_no_matrices_are_refused(lists, kind, message):
    with pytest.raises(kind) as caught:
        matmul_lists(*lists)
    assert str(caught.value) == message
