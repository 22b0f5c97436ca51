import pytest
import torch

from minifast.errors import DTypeError, MinifastError, ShapeError
from minifast.foundations.grad import Linear, Module, ReLU, Sequential, add_grad


class Scale(Module):
    """y = factor * x, with a tensor that is no parameter."""

    def __init__(self):
        self.factor = torch.tensor(3.0)
        self._seen = torch.zeros(())

    def forward(self, x):
        return self.factor * x

    def backward(self, grad_output):
        x, _ = self.recall(grad_output)
        add_grad(self.factor, (grad_output * x).sum())
        return self.factor * grad_output


class Two(Module):
    """Modules in an attribute, in a list, and the same one twice."""

    def __init__(self):
        self.last = Scale()
        self.others = [Linear(2, 2), (Scale(), self.last)]
        self.count = 7


def test_parameters_come_once_in_the_order_of_assignment():
    two = Two()
    linear, (scale, _) = two.others
    expected = [two.last.factor, linear.weight, linear.bias, scale.factor]
    assert [id(p) for p in two.parameters()] == [id(p) for p in expected]


def test_a_tied_parameter_is_counted_once_and_gets_both_gradients():
    model = Sequential(Linear(3, 3), Linear(3, 3))
    first, second = model.layers
    second.weight = first.weight
    assert len(model.parameters()) == 3

    x = torch.randn(4, 3)
    model(x)
    model.backward(torch.ones(4, 3))

    w = first.weight.clone().requires_grad_()
    (torch.ones(4, 3) * ((x @ w.T + first.bias) @ w.T)).sum().backward()
    torch.testing.assert_close(first.weight.grad, w.grad)


def test_zero_grad_forgets_all_gradients():
    model = Sequential(Linear(2, 3), ReLU(), Linear(3, 1))
    model(torch.randn(4, 2))
    model.backward(torch.ones(4, 1))
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_gradients_add_up_and_leave_the_first_tensor_alone():
    parameter, grad = torch.zeros(2), torch.ones(2)
    add_grad(parameter, grad)
    add_grad(parameter, grad)
    assert torch.equal(parameter.grad, torch.tensor([2.0, 2.0]))
    assert torch.equal(grad, torch.ones(2))


def test_a_gradient_of_another_shape_is_not_added():
    with pytest.raises(ShapeError) as caught:
        add_grad(torch.zeros(2, 3), torch.zeros(3))
    assert str(caught.value) == (
        "A gradient must have the shape of its parameter.\n"
        "  got: tensor (3,) float32 on cpu; parameter: tensor (2, 3) float32 on cpu\n"
        "  fix: Sum it over the batch; check the transposes."
    )


def test_sequential_hands_values_forward_and_gradients_back():
    model = Sequential(Scale(), Scale())
    assert model(torch.tensor([2.0])).item() == 18
    assert model.backward(torch.tensor([1.0])).item() == 9
    assert [p.grad.item() for p in model.parameters()] == [6, 6]


def test_sequential_of_nothing_changes_nothing():
    x = torch.randn(2)
    model = Sequential()
    assert model(x) is x
    assert model.backward(x) is x
    assert model.parameters() == []


def test_only_the_first_layer_may_go_without_the_gradient_of_its_input():
    x = torch.randn(4, 2)
    first = Sequential(Linear(2, 3, input_grad=False), ReLU(), Linear(3, 1))
    first(x)
    assert first.backward(torch.ones(4, 1)) is None
    assert all(p.grad is not None for p in first.parameters())

    last = Sequential(Linear(2, 3), ReLU(), Linear(3, 1, input_grad=False))
    last(x)
    with pytest.raises(DTypeError) as caught:
        last.backward(torch.ones(4, 1))
    assert str(caught.value) == (
        "The backward of a ReLU must be given the gradient of its output.\n"
        "  got: NoneType None\n"
        "  fix: Only the first layer of a network can do with input_grad=False."
    )


NEVER_CALLED = (
    "A ReLU must be called once before each of its backwards.\n"
    "  got: no call since it was made, or since its last backward\n"
    "  fix: Call it first; where a pass uses it twice, make two, or use Var."
)


def test_backward_before_the_first_call_is_refused():
    with pytest.raises(MinifastError) as caught:
        ReLU().backward(torch.ones(1))
    assert str(caught.value) == NEVER_CALLED


def test_a_second_backward_for_one_call_is_refused():
    relu = ReLU()
    relu(torch.ones(1))
    relu.backward(torch.ones(1))
    with pytest.raises(MinifastError) as caught:
        relu.backward(torch.ones(1))
    assert str(caught.value) == NEVER_CALLED


def test_a_module_used_twice_in_one_pass_fails_and_is_not_silently_wrong():
    relu = ReLU()
    model = Sequential(Linear(2, 2), relu, Linear(2, 2), relu)
    model(torch.randn(3, 2))
    with pytest.raises(MinifastError) as caught:
        model.backward(torch.ones(3, 2))
    assert str(caught.value) == NEVER_CALLED


def test_a_gradient_of_another_shape_is_refused_and_the_call_not_lost():
    relu = ReLU()
    relu(torch.ones(4, 2))
    with pytest.raises(ShapeError) as caught:
        relu.backward(torch.ones(4, 1))
    assert str(caught.value) == (
        "The gradient of a ReLU's output must have the output's shape.\n"
        "  got: tensor (4, 1) float32 on cpu; output: tensor (4, 2) float32 on cpu\n"
        "  fix: Pass on, unchanged, what the backward of the next module returned."
    )
    assert torch.equal(relu.backward(torch.ones(4, 2)), torch.ones(4, 2))


def test_only_tensors_go_in():
    with pytest.raises(DTypeError) as caught:
        ReLU()([1.0])
    assert str(caught.value) == (
        "A ReLU must be called with tensors.\n"
        "  got: list of length 1\n"
        "  fix: torch.tensor(x) makes one."
    )
