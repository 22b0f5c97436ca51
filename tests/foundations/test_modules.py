import math

import pytest
import torch
import torch.nn.functional as F

from minifast.errors import (
    DeviceError,
    DTypeError,
    MinifastError,
    OptionError,
    ShapeError,
)
from minifast.foundations.gradients import gradcheck
from minifast.foundations.modules import MSE, Linear, Module, ReLU, Sequential, add_grad


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
        "  got: grad: tensor (3,) float32 on cpu; "
        "parameter: tensor (2, 3) float32 on cpu\n"
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
        "  got: grad: tensor (4, 1) float32 on cpu; "
        "output: tensor (4, 2) float32 on cpu\n"
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


SIZES = [(4, 3, 2), (1, 1, 1), (1, 5, 1), (7, 1, 3), (0, 3, 2)]


def in_double(layer):
    layer.weight, layer.bias = layer.weight.double(), torch.randn_like(layer.bias)
    layer.bias = layer.bias.double()
    return layer


@pytest.mark.parametrize("size", SIZES)
def test_linear_agrees_with_torch_forward_and_backward(size, double):
    batch, n_in, n_out = size
    ours, theirs = in_double(Linear(n_in, n_out)), torch.nn.Linear(n_in, n_out).double()
    theirs.weight.data, theirs.bias.data = ours.weight.clone(), ours.bias.clone()
    x, grad = double(batch, n_in), double(batch, n_out)
    x_torch = x.clone().requires_grad_()

    y, y_torch = ours(x), theirs(x_torch)
    torch.testing.assert_close(y, y_torch)

    grad_x = ours.backward(grad)
    y_torch.backward(grad)
    torch.testing.assert_close(grad_x, x_torch.grad)
    torch.testing.assert_close(ours.weight.grad, theirs.weight.grad)
    torch.testing.assert_close(ours.bias.grad, theirs.bias.grad)


@pytest.mark.parametrize("shape", [(), (3,), (0,), (2, 3, 4)])
def test_relu_agrees_with_torch_also_at_zero(shape, double):
    x = double(*shape).round()
    x_torch, grad = x.clone().requires_grad_(), double(*shape)
    relu, y_torch = ReLU(), F.relu(x_torch)
    torch.testing.assert_close(relu(x), y_torch)
    y_torch.backward(grad)
    torch.testing.assert_close(relu.backward(grad), x_torch.grad, rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(), (5,), (5, 1), (2, 3, 4)])
def test_mse_agrees_with_torch(shape, double):
    pred, target = double(*shape), double(*shape)
    pred_torch, mse = pred.clone().requires_grad_(), MSE()
    loss = F.mse_loss(pred_torch, target)
    loss.backward()
    torch.testing.assert_close(mse(pred, target), loss)
    torch.testing.assert_close(mse.backward(), pred_torch.grad)


def test_the_mean_of_no_errors_is_no_number_as_in_torch():
    mse = MSE()
    assert mse(torch.zeros(0, 3), torch.zeros(0, 3)).isnan()
    assert mse.backward().shape == (0, 3)


def test_a_whole_network_passes_the_finite_differences(double):
    layers = in_double(Linear(4, 3)), ReLU(), in_double(Linear(3, 2))
    model, mse = Sequential(*layers), MSE()
    x, y = double(5, 4), double(5, 2)
    mse(model(x), y)
    grad_x = model.backward(mse.backward())

    first, _, last = model.layers
    inputs = first.weight, first.bias, last.weight, last.bias

    def loss(w1, b1, w2, b2, x):
        hidden = (x @ w1.T + b1).clamp_min(0)
        return (hidden @ w2.T + b2 - y).pow(2).mean()

    worst = gradcheck(loss, *inputs, x, grads=[*(p.grad for p in inputs), grad_x])
    assert worst < 1e-8


def test_two_halves_of_a_batch_add_up_to_the_whole(double):
    layer, x, grad = in_double(Linear(3, 2)), double(6, 3), double(6, 2)
    layer(x)
    layer.backward(grad)
    whole = layer.weight.grad
    layer.zero_grad()
    for rows in (slice(0, 3), slice(3, 6)):
        layer(x[rows])
        layer.backward(grad[rows])
    torch.testing.assert_close(layer.weight.grad, whole)


def test_nothing_is_recorded_by_torch_and_all_works_without_it_recording():
    layer = Linear(3, 2)
    with torch.no_grad():
        y = layer(torch.randn(4, 3))
        layer.backward(torch.ones_like(y))
    assert not y.requires_grad
    assert not any(p.requires_grad or p.grad.requires_grad for p in layer.parameters())


def test_weights_are_he_normal_and_biases_zero():
    layer = Linear(400, 300)
    assert layer.weight.shape == (300, 400)
    assert abs(layer.weight.mean()) < 4 * math.sqrt(2 / 400 / 120_000)
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / 400), rel=0.01)
    assert torch.equal(layer.bias, torch.zeros(300))


def test_a_generator_decides_the_weights():
    one, two = (Linear(3, 2, generator=torch.manual_seed(5)) for _ in range(2))
    assert torch.equal(one.weight, two.weight)


def test_an_empty_linear_is_refused():
    with pytest.raises(OptionError) as caught:
        Linear(0, 3)
    assert str(caught.value) == (
        "A Linear needs at least one input and output.\n"
        "  got: Linear(0, 3)\n"
        "  fix: Check both."
    )


@pytest.mark.parametrize(
    ("x", "kind", "message"),
    [
        (
            torch.zeros(5, 3, 1),
            ShapeError,
            (
                "The input of this Linear must be (B, 3).\n"
                "  got: x: tensor (5, 3, 1) float32 on cpu; "
                "weight: tensor (2, 3) float32 on cpu\n"
                "  fix: Make each item one row: x.reshape(len(x), -1)."
            ),
        ),
        (
            torch.zeros(5, 3).double(),
            DTypeError,
            (
                "The input of a Linear must have the dtype of its weights.\n"
                "  got: x: tensor (5, 3) float64 on cpu; "
                "weight: tensor (2, 3) float32 on cpu\n"
                "  fix: Use x.to(layer.weight.dtype)."
            ),
        ),
        (
            torch.zeros(5, 3, device="meta"),
            DeviceError,
            (
                "The input of a Linear must be on the device of its weights.\n"
                "  got: x: tensor (5, 3) float32 on meta; "
                "weight: tensor (2, 3) float32 on cpu\n"
                "  fix: Use x.to(layer.weight.device)."
            ),
        ),
    ],
)
def test_linear_refuses_what_its_weights_do_not_fit(x, kind, message):
    with pytest.raises(kind) as caught:
        Linear(3, 2)(x)
    assert str(caught.value) == message


def test_mse_refuses_a_column_against_a_row():
    with pytest.raises(ShapeError) as caught:
        MSE()(torch.zeros(5, 1), torch.zeros(5))
    assert str(caught.value) == (
        "Predictions and targets must have the same shape.\n"
        "  got: pred: tensor (5, 1) float32 on cpu; "
        "target: tensor (5,) float32 on cpu\n"
        "  fix: Squeeze a last dimension of size 1: mse(pred.squeeze(-1), target)."
    )


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64])
def test_mse_refuses_another_dtype(dtype):
    with pytest.raises(DTypeError) as caught:
        MSE()(torch.zeros(5), torch.zeros(5, dtype=dtype))
    name = str(dtype).removeprefix("torch.")
    assert str(caught.value) == (
        "Predictions and targets must have the same floating-point dtype.\n"
        f"  got: pred: tensor (5,) float32 on cpu; target: tensor (5,) {name} on cpu\n"
        "  fix: Convert one: target.to(pred.dtype)."
    )
