"""One table of what minifast computes and torch computes too: values and gradients.

An entry takes its inputs and the gradient of its output, and returns the output and the
gradients of the inputs.
"""

import pytest
import torch
import torch.nn.functional as F

from minifast.foundations import LADDER, MSE, Linear, ReLU, Sequential, Var, matmul_c


def autograd(fn):
    """Values and gradients by torch."""

    def run(inputs, grad):
        leaves = [x.clone().requires_grad_() for x in inputs]
        output = fn(*leaves)
        return output, torch.autograd.grad(output, leaves, grad.expand_as(output))

    return run


def tape(fn):
    """Values and gradients by our tape."""

    def run(inputs, grad):
        leaves = [Var(x) for x in inputs]
        output = fn(*leaves)
        (output * grad.expand(output.shape)).sum().backward()
        return output.value, [v.grad for v in leaves]

    return run


def linear(inputs, grad):
    x, weight, bias = inputs
    layer = Linear(*weight.T.shape)
    layer.weight, layer.bias = weight, bias
    return layer(x), (layer.backward(grad), weight.grad, bias.grad)


def relu(inputs, grad):
    layer = ReLU()
    return layer(*inputs), (layer.backward(grad),)


def mse(inputs, grad):
    layer = MSE()
    output, into_pred = layer(*inputs), layer.backward() * grad
    return output, (into_pred, -into_pred)


def network(inputs, grad):
    x, *parameters = inputs
    model = Sequential(Linear(4, 5), ReLU(), Linear(5, 2))
    first, _, last = model.layers
    first.weight, first.bias, last.weight, last.bias = parameters
    output = model(x)
    return output, (model.backward(grad), *(p.grad for p in model.parameters()))


def torch_network(x, w1, b1, w2, b2):
    return F.linear(F.relu(F.linear(x, w1, b1)), w2, b2)


PRODUCT = [(3, 4), (4, 2)]
NETWORK = [(3, 4), (5, 4), (5,), (2, 5), (2,)]
PICK = torch.tensor([2, 2])
RUNGS = [rung.multiply for rung in LADDER if rung.takes == "tensors"]
RUNGS.remove(matmul_c)  # knows no gradients

# Name: (ours, torch's, shapes of the inputs, shape of the output).
PARITY = {
    **{f.__name__: (autograd(f), torch.matmul, PRODUCT, (3, 2)) for f in RUNGS},
    "Linear": (linear, F.linear, [(3, 4), (2, 4), (2,)], (3, 2)),
    "ReLU": (relu, F.relu, [(3, 4)], (3, 4)),
    "MSE": (mse, F.mse_loss, [(3, 4), (3, 4)], ()),
    "Sequential": (
        network,
        torch_network,
        [(3, 4), (5, 4), (5,), (2, 5), (2,)],
        (3, 2),
    ),
    "Var +": (tape(lambda a, b: a + b), torch.add, [(3, 4), (4,)], (3, 4)),
    "Var -": (tape(lambda a, b: a - b), torch.sub, [(3, 4), (3, 1)], (3, 4)),
    "Var *": (tape(lambda a, b: a * b), torch.mul, [(3, 4), ()], (3, 4)),
    "Var /": (tape(lambda a, b: a / b), torch.div, [(1, 4), (3, 1)], (3, 4)),
    "Var @": (tape(lambda a, b: a @ b), torch.matmul, PRODUCT, (3, 2)),
    "Var neg": (tape(lambda a: -a), torch.neg, [(3, 4)], (3, 4)),
    "Var **": (tape(lambda a: a**2), torch.square, [(3, 4)], (3, 4)),
    "Var relu": (tape(Var.relu), torch.relu, [(3, 4)], (3, 4)),
    "Var exp": (tape(Var.exp), torch.exp, [(3, 4)], (3, 4)),
    "Var log": (tape(lambda a: a.exp().log()), lambda a: a.exp().log(), [(3,)], (3,)),
    "Var sum": (tape(lambda a: a.sum(1)), lambda a: a.sum(1), [(3, 4)], (3,)),
    "Var mean": (tape(lambda a: a.mean(0)), lambda a: a.mean(0), [(3, 4)], (4,)),
    "Var T": (tape(lambda a: a.T), torch.t, [(3, 4)], (4, 3)),
    "Var reshape": (tape(lambda a: a.reshape(12)), torch.ravel, [(3, 4)], (12,)),
    "Var index": (tape(lambda a: a[PICK]), lambda a: a[PICK], [(3, 4)], (2, 4)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", PARITY)
def test_values_and_gradients_are_those_of_torch(name, dtype):
    ours, theirs, shapes, out = PARITY[name]
    generator = torch.Generator().manual_seed(0)
    *inputs, grad = (
        torch.randn(shape, generator=generator, dtype=dtype) for shape in [*shapes, out]
    )
    value, gradients = ours(inputs, grad)
    expected_value, expected_gradients = autograd(theirs)(inputs, grad)
    torch.testing.assert_close(value, expected_value)
    assert len(gradients) == len(inputs)
    for gradient, expected in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, expected)
