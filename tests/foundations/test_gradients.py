import pytest
import torch

from minifast.errors import DTypeError, GradientError, ShapeError
from minifast.foundations.autograd import Var
from minifast.foundations.gradients import finite_difference, gradcheck


@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 3)])
def test_finite_differences_of_a_closed_form(shape, double):
    x = double(*shape)
    grad = finite_difference(lambda x: (x**3).sum(), x)
    torch.testing.assert_close(grad, 3 * x**2, rtol=1e-6, atol=1e-8)


def test_the_input_stays_as_it_is_also_where_it_is_a_view(double):
    x = double(4, 3)
    before, view = x.clone(), x.T[1:]
    grad = finite_difference(lambda v: (v * v).sum(), view)
    torch.testing.assert_close(grad, 2 * view)
    assert torch.equal(x, before)


def test_the_result_may_be_a_tensor_a_var_or_a_float(double):
    x = double(2)
    fns = (
        lambda x: x.sum().reshape(1, 1),
        lambda x: Var(x).sum(),
        lambda x: x.sum().item(),
    )
    for fn in fns:
        torch.testing.assert_close(finite_difference(fn, x), torch.ones_like(x))


def test_gradcheck_passes_right_gradients_and_says_how_right(double):
    a, b = double(2, 3), double(3)
    assert 0 < gradcheck(lambda a, b: (a.exp() * b).sum(), a, b) < 1e-8
    grads = [a.exp() * b, a.exp().sum(0)]
    assert gradcheck(lambda a, b: (a.exp() * b).sum(), a, b, grads=grads) < 1e-8


def test_an_input_without_influence_has_the_gradient_zero(double):
    assert gradcheck(lambda a, b: a.sum(), double(2), double(3)) < 1e-8


def test_no_numbers_no_difference(double):
    assert gradcheck(lambda a: a.sum(), double(0)) == 0


def test_the_worst_place_of_a_wrong_gradient_is_named():
    a = torch.ones(2, dtype=torch.float64)
    b = torch.arange(6, dtype=torch.float64).reshape(2, 3)
    wrong = 2 * b
    wrong[0, 1] += 0.5
    wrong[1, 2] = 3.0
    grads = [torch.ones_like(a), wrong]
    with pytest.raises(GradientError) as caught:
        gradcheck(lambda a, b: a.sum() + (b**2).sum(), a, b, grads=grads)
    assert str(caught.value) == (
        "The gradient of input 1 must match the finite differences.\n"
        "  got: at [1, 2]: 3, but finite differences say 10\n"
        "  fix: Check the derivative there; also that no input sits on a kink of fn."
    )


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_a_gradient_that_is_no_number_is_found(bad, double):
    a = double(3)
    grads = [torch.tensor([1.0, bad, 1.0], dtype=torch.float64)]
    with pytest.raises(GradientError, match=r"at \[1\]"):
        gradcheck(lambda a: a.sum(), a, grads=grads)


def test_a_result_that_is_no_number_is_found():
    a = torch.tensor([1.0, -1.0], dtype=torch.float64)
    with pytest.raises(GradientError, match="finite differences say nan"):
        gradcheck(lambda a: a.log().sum(), a)


def test_a_wrong_scalar_gradient_is_placed_too():
    a = torch.tensor(2.0, dtype=torch.float64)
    with pytest.raises(GradientError, match=r"at \[\]: 1, but .* say 4"):
        gradcheck(lambda a: a * a, a, grads=[torch.ones_like(a)])


def test_float32_is_refused_with_the_reason():
    with pytest.raises(DTypeError) as caught:
        gradcheck(lambda a: a.sum(), torch.ones(2))
    assert str(caught.value) == (
        "Input 0 must be float64: in float32 the steps drown in rounding.\n"
        "  got: tensor (2,) float32 on cpu\n"
        "  fix: Use x.double(), and float64 in fn too."
    )
    with pytest.raises(DTypeError, match="x must be float64"):
        finite_difference(lambda x: x.sum(), torch.ones(2))


def test_more_than_one_number_is_refused(double):
    with pytest.raises(ShapeError) as caught:
        finite_difference(lambda x: x, double(2))
    assert str(caught.value) == (
        "fn must return one number.\n"
        "  got: tensor (2,) float64 on cpu\n"
        "  fix: Add its numbers up with .sum()."
    )


def test_a_function_that_leaves_the_tape_is_told_to_pass_gradients(double):
    with pytest.raises(DTypeError) as caught:
        gradcheck(lambda a: a.value.sum().item() * 0 + 1.5, double(2))
    assert str(caught.value) == (
        "Without grads, fn must return a Var, so that the tape can be checked.\n"
        "  got: float 1.5\n"
        "  fix: Pass grads=... to check others."
    )


def test_gradients_must_be_as_many_and_as_large_as_the_inputs(double):
    with pytest.raises(ShapeError) as caught:
        gradcheck(lambda a, b: a.sum(), double(2), double(3), grads=[double(2)])
    assert str(caught.value) == (
        "There must be one gradient for each input.\n"
        "  got: 1 for 2 inputs\n"
        "  fix: Pass all of them."
    )
    with pytest.raises(ShapeError) as caught:
        gradcheck(lambda a: a.sum(), double(2), grads=[double(1)])
    assert str(caught.value) == (
        "The gradient of input 0 must have the input's shape.\n"
        "  got: grad: tensor (1,) float64 on cpu; input: tensor (2,) float64 on cpu\n"
        "  fix: Return each gradient in the order of the inputs."
    )
