import math

import pytest
import torch
import torch.nn.functional as F

from minifast.errors import DeviceError, DTypeError, OptionError, ShapeError
from minifast.foundations.grad import MSE, Linear, ReLU, Sequential, gradcheck

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
