import gc

import pytest
import torch

from minifast.errors import DTypeError, ShapeError
from minifast.foundations.autograd import Var, topological_order
from minifast.foundations.gradients import gradcheck


def both(fn, *inputs):
    """The value and gradients of ``fn`` by the tape and by torch."""
    leaves = [Var(x) for x in inputs]
    tensors = [x.clone().requires_grad_() for x in inputs]
    result, expected = fn(*leaves), fn(*tensors)
    result.backward()
    expected.backward()
    assert [v.grad.shape for v in leaves] == [x.shape for x in inputs]
    torch.testing.assert_close(result.value, expected, equal_nan=True)
    torch.testing.assert_close([v.grad for v in leaves], [t.grad for t in tensors])


# Everything here means the same for tensors, so torch is the oracle.
ONE = {
    "neg": lambda x: (-x).sum(),
    "square": lambda x: (x**2).sum(),
    "cube": lambda x: (x**3).sum(),
    "power 0": lambda x: (x**0).sum(),
    "power -1": lambda x: (x**-1).sum(),
    "root": lambda x: ((x * x) ** 0.5).sum(),
    "relu": lambda x: x.relu().sum(),
    "exp": lambda x: x.exp().sum(),
    "log": lambda x: (x * x).log().sum(),
    "numbers left": lambda x: (2 + 3 * x - (1 - x) + 5 / x).sum(),
    "numbers right": lambda x: ((x + 2) * 3 - 1 - x / 5).sum(),
    "mean": lambda x: (x * x).mean(),
    "used twice": lambda x: (x * x + x).sum(),
    "diamond": lambda x: (x.exp() * (x + 1) * x.exp()).sum(),
}


@pytest.mark.parametrize("fn", ONE.values(), ids=ONE)
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1, 3), (0, 3)])
def test_operations_on_one_var(fn, shape, double):
    both(fn, double(*shape))


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(
    ("shape", "dim"),
    [
        ((2, 3), 0),
        ((2, 3), 1),
        ((2, 3, 4), 1),
        ((2, 3, 4), -1),
        ((3, 1), 1),
        ((0, 3), 0),
    ],
)
def test_sums_and_means_over_one_dimension(shape, dim, keepdim, double):
    both(lambda x: (x.sum(dim, keepdim=keepdim) ** 2).sum(), double(*shape))
    if 0 not in shape:
        both(lambda x: (x.mean(dim, keepdim=keepdim) ** 2).sum(), double(*shape))


def test_a_sum_over_all_can_keep_the_dimensions(double):
    x = Var(double(2, 3))
    assert x.sum(keepdim=True).shape == (1, 1)
    assert x.mean(keepdim=True).shape == (1, 1)
    both(lambda x: (x - x.exp().sum(1, keepdim=True)).exp().sum(), double(2, 3))


TWO = {
    "+": lambda a, b: (a + b).exp().sum(),
    "-": lambda a, b: (a - b).exp().sum(),
    "*": lambda a, b: (a * b).exp().sum(),
    "/": lambda a, b: (a / (b * b + 1)).exp().sum(),
}


@pytest.mark.parametrize("fn", TWO.values(), ids=TWO)
@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3), (2, 3)),
        ((2, 3), (3,)),
        ((2, 3), ()),
        ((), (2, 3)),
        ((2, 1), (1, 3)),
        ((2, 1), (3,)),
        ((4, 1, 3), (2, 1)),
        ((1,), (1, 1)),
        ((0, 3), (3,)),
        ((0, 3), (1, 1)),
    ],
)
def test_broadcasting_sums_the_gradient_back(fn, shapes, double):
    both(fn, *(double(*shape) for shape in shapes))


@pytest.mark.parametrize("sizes", [(2, 3, 4), (1, 1, 1), (3, 0, 2), (0, 3, 2)])
def test_matrix_products(sizes, double):
    n, k, m = sizes
    both(lambda a, b: ((a @ b) ** 2).sum(), double(n, k), double(k, m))


def test_reshape_and_transpose(double):
    both(lambda x: (x.reshape(3, -1).T ** 3).sum(), double(2, 6))
    both(lambda x: (x.T @ x).sum(), double(3, 2))


def test_a_number_that_is_picked_twice_gets_both_gradients(double):
    rows, columns = torch.tensor([0, 1, 1]), torch.tensor([2, 0, 0])
    both(lambda x: (x[rows, columns] ** 2).sum(), double(2, 3))
    both(lambda x: (x[rows] ** 2).sum(), double(2, 3))


def test_plain_tensors_are_constants_on_either_side(double):
    x, a = Var(double(2, 2)), double(2, 2)
    for result in (a + x, a - x, a * x, a / x, a @ x, x + a, x - a, x / a, x @ a):
        assert x in topological_order(result)
        assert all(not isinstance(p, torch.Tensor) for p in result.parents)
    both(lambda x: (a - x).exp().sum() + (a / x).sum() + (a @ x).sum(), double(2, 2))


def test_a_mask_of_another_dtype_is_a_constant_too():
    x = Var(torch.tensor([1.0, 2.0]))
    (x * torch.tensor([True, False])).sum().backward()
    assert torch.equal(x.grad, torch.tensor([1.0, 0.0]))


def test_a_network_with_negative_log_likelihood(double):
    x, y = double(5, 4), torch.tensor([0, 2, 1, 1, 0])
    rows = torch.arange(5)

    def loss(w1, b1, w2):
        logits = (x @ w1 + b1).relu() @ w2
        log_sum = logits.exp().sum(1, keepdim=True).log()
        return -(logits - log_sum)[rows, y].mean()

    inputs = double(4, 6), double(6), double(6, 3)
    both(loss, *inputs)
    assert gradcheck(loss, *inputs) < 1e-8


def test_backward_twice_adds_up_as_in_torch(double):
    x = Var(double(3))
    y = (x * x).exp()
    loss = y.sum()
    loss.backward()
    once, middle = x.grad.clone(), y.grad.clone()
    loss.backward()
    torch.testing.assert_close(x.grad, 2 * once)
    torch.testing.assert_close(y.grad, 2 * middle)


def test_gradients_add_up_over_two_graphs():
    x = Var(2.0)
    (x * 3).backward()
    (x * x).backward()
    assert x.grad.item() == 3 + 4


def test_no_two_gradients_share_memory():
    x, y = Var(torch.ones(3)), Var(torch.ones(3))
    (x + y).sum().backward()
    x.grad.zero_()
    assert torch.equal(y.grad, torch.ones(3))


def test_a_training_step_as_the_docstring_writes_it():
    w = Var(torch.tensor([1.0, -2.0]), name="w")
    for _ in range(100):
        loss = ((w - torch.tensor([3.0, 4.0])) ** 2).sum()
        loss.backward()
        w.value -= 0.1 * w.grad
        w.grad = None
    torch.testing.assert_close(w.value, torch.tensor([3.0, 4.0]))


def test_chains_may_be_longer_than_the_recursion_limit():
    x = Var(torch.tensor(1.0, dtype=torch.float64))
    y = x
    for _ in range(5_000):
        y = y * 1.0001
    y.backward()
    assert x.grad.item() == pytest.approx(1.0001**5_000)
    del y
    gc.collect()  # taking the chain apart must not recurse either


def test_a_graph_shows_where_it_came_from():
    x = Var(2.0, name="x")
    y = x * x
    assert (y.op, y.parents, y.name) == ("*", (x, x), "")
    assert (x.op, x.parents) == ("", ())
    assert repr(x) == "Var(2.0, name='x')"
    assert repr(y) == "Var(4.0, op='*')"
    ops = [x + 1, x - x, x / 2, -x, x**2]
    assert [v.op for v in ops] == ["+", "-", "/", "neg", "**"]
    ops = [x.relu(), x.exp(), x.log(), x.sum()]
    assert [v.op for v in ops] == ["relu", "exp", "log", "sum"]
    m = Var(torch.eye(2))
    ops = [m @ m, m.T, m.reshape(4), m[torch.tensor([0])]]
    assert [v.op for v in ops] == ["@", "T", "reshape", "index"]


def test_torch_records_nothing():
    w = torch.ones(2, requires_grad=True)
    x = Var(torch.ones(2))
    loss = (x * w + Var(w)).sum()
    loss.backward()
    assert not loss.value.requires_grad
    assert not x.grad.requires_grad
    assert w.grad is None


F32 = Var(torch.ones(2, 3))
REFUSED = {
    "several numbers": (
        F32.backward,
        ShapeError,
        (
            "Only a single number, such as a loss, has a gradient to start from.\n"
            "  got: tensor (2, 3) float32 on cpu\n"
            "  fix: Add up its numbers first: .sum() or .mean()."
        ),
    ),
    "whole numbers": (
        lambda: Var(3),
        DTypeError,
        (
            "A Var must hold floating-point numbers.\n"
            "  got: int 3\n"
            "  fix: Use x.float(); write 3 as 3.0."
        ),
    ),
    "no broadcasting": (
        lambda: F32 + Var(torch.ones(2)),
        ShapeError,
        (
            "Shapes must broadcast: aligned right, sizes are equal or one of them 1.\n"
            "  got: a: tensor (2, 3) float32 on cpu; b: tensor (2,) float32 on cpu\n"
            "  fix: Insert a size of 1: reshape."
        ),
    ),
    "two dtypes": (
        lambda: F32 * torch.ones(3).double(),
        DTypeError,
        (
            "The operands of a Var must be Vars or tensors of its dtype, or numbers.\n"
            "  got: a: tensor (2, 3) float32 on cpu; b: tensor (3,) float64 on cpu\n"
            "  fix: Convert one: x.to(dtype), or float(x)."
        ),
    ),
    "a string": (
        lambda: F32 - "one",
        DTypeError,
        (
            "The operands of a Var must be Vars or tensors of its dtype, or numbers.\n"
            "  got: a: tensor (2, 3) float32 on cpu; b: str of length 3\n"
            "  fix: Convert one: x.to(dtype), or float(x)."
        ),
    ),
    "inner sizes": (
        lambda: F32 @ F32,
        ShapeError,
        (
            "The rows of b must be as many as the columns of a.\n"
            "  got: a: tensor (2, 3) float32 on cpu; b: tensor (2, 3) float32 on cpu\n"
            "  fix: Did you mean b.T?"
        ),
    ),
    "a Var as exponent": (
        lambda: F32 ** Var(2.0),
        DTypeError,
        (
            "The exponent of a Var must be a number.\n"
            "  got: tensor () float32 on cpu\n"
            "  fix: Use (b * a.log()).exp()."
        ),
    ),
    "reshape": (
        lambda: F32.reshape(4, -1),
        ShapeError,
        (
            "A reshape must keep all 6 numbers.\n"
            "  got: (2, 3) to (4, -1)\n"
            "  fix: Write one size as -1, and it is computed."
        ),
    ),
    "transpose": (
        lambda: F32.reshape(6).T,
        ShapeError,
        (
            "Only a matrix has a transpose: two dimensions.\n"
            "  got: tensor (6,) float32 on cpu\n"
            "  fix: Reshape it first."
        ),
    ),
    "index": (
        lambda: F32[0],
        DTypeError,
        (
            "A Var is indexed by int64 tensors only.\n"
            "  got: int 0\n"
            "  fix: Use torch.tensor([0])."
        ),
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_refused_in_three_lines(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == message


def test_each_var_comes_once_and_after_its_parents():
    x, y = Var(2.0), Var(3.0)
    shared = x * y
    loss = (shared + x) * shared.exp()
    order = topological_order(loss)
    place = {var: i for i, var in enumerate(order)}
    assert len(place) == len(order) == 6
    assert order[-1] is loss
    assert all(place[p] < place[var] for var in order for p in var.parents)


def test_a_var_of_your_own_is_a_graph_by_itself():
    x = Var(1.0)
    assert topological_order(x) == [x]


def test_the_order_is_the_same_each_time():
    x = Var(1.0)
    loss = (x.exp() + x.log()) * (x + x)
    assert topological_order(loss) == topological_order(loss)
