import pytest
import torch
from torch import nn

from minifast.errors import DTypeError
from minifast.nn import BatchNorm, summary


class Twice(nn.Module):
    """Nested, with a parameter of its own, and a layer that runs twice."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.layer = nn.Linear(3, 3)
        self.drop = nn.Dropout(0.5)

    def forward(self, x, y=0.0):
        return self.scale * self.drop(self.layer(self.layer(x))) + y


def test_convolutions_and_linear_layers_are_counted():
    model = nn.Sequential(
        nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2),
        nn.BatchNorm2d(8),
        nn.ConvTranspose2d(8, 4, 2, stride=2, groups=2),
        nn.Flatten(),
        nn.Linear(4 * 36, 10, bias=False),
    )
    found = summary(model, torch.zeros(5, 4, 6, 6))
    shapes = [layer.shape for layer in found.layers]
    assert shapes == ["5 x 8 x 3 x 3"] * 2 + ["5 x 4 x 6 x 6", "5 x 144", "5 x 10"]
    # Filters see 2 channels of their group; an input goes into 2 x 2 x 2 outputs.
    costs = [8 * 9 * (2 * 9), 0, 8 * 9 * (2 * 4), 0, 144 * 10]
    assert [layer.multiply_adds for layer in found.layers] == costs
    assert found.multiply_adds == sum(costs)
    counts = [sum(p.numel() for p in each.parameters()) for each in model]
    assert [layer.n_parameters for layer in found.layers] == counts
    assert found.n_parameters == sum(counts)


def test_a_layer_that_runs_twice_has_two_rows_and_is_counted_once():
    found = summary(Twice(), torch.zeros(2, 3))
    assert [layer.name for layer in found.layers] == [
        "layer",
        "layer",
        "drop",
        "(the model)",
    ]
    assert [layer.n_parameters for layer in found.layers] == [12, 0, 0, 1]
    assert [layer.multiply_adds for layer in found.layers] == [9, 9, 0, 0]
    assert found.n_parameters == 13


def test_nothing_of_the_model_is_changed():
    model = nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), BatchNorm(4), nn.Dropout()
    )
    model[1].eval()
    model(torch.randn(6, 3)).sum().backward()
    before = {name: each.clone() for name, each in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    gradients = [p.grad.clone() for p in model.parameters()]
    summary(model, torch.randn(6, 3))
    assert [module.training for module in model.modules()] == modes
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert torch.equal(parameter.grad, gradient)
    assert not any(module._forward_hooks for module in model.modules())


def test_the_random_numbers_go_on_as_if_nothing_had_been():
    class Noise(nn.Module):
        def forward(self, x):
            return x + torch.randn_like(x)

    x = torch.zeros(2)
    before = torch.get_rng_state()
    summary(Noise(), x)
    assert torch.equal(torch.get_rng_state(), before)


def test_after_an_error_modes_are_back_and_hooks_are_off():
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout())
    with pytest.raises(RuntimeError):
        summary(model, torch.zeros(2, 5))
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())


def test_several_inputs_and_keywords():
    x, y = torch.zeros(2, 3), torch.ones(2, 3)
    expected = summary(Twice(), x).layers
    assert summary(Twice(), (x, y)).layers == expected
    assert summary(Twice(), {"x": x, "y": y}).layers == expected


def test_outputs_that_are_no_single_tensor():
    found = summary(nn.LSTM(3, 4), torch.zeros(5, 2, 3))
    assert found.layers[0].shape == "5 x 2 x 4, 1 x 2 x 4, 1 x 2 x 4"


def test_frozen_parameters_are_told():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    model[0].requires_grad_(False)
    found = summary(model, torch.zeros(1, 3))
    assert (found.n_parameters, found.n_trainable) == (41, 25)
    assert "16 of them frozen" in repr(found)
    assert "<table" in found._repr_html_()
    assert "41 parameters" in found._repr_html_()


def test_what_is_no_model_is_refused():
    with pytest.raises(DTypeError, match="must be a module"):
        summary(lambda x: x, torch.zeros(1))


def test_each_module_is_looked_at_once():
    """So the cost is linear in the number of modules."""
    calls = []

    class Counting(nn.Sequential):
        def named_modules(self, *args, **kwargs):
            calls.append(1)
            return super().named_modules(*args, **kwargs)

    small, large = (Counting(*(nn.Linear(2, 2) for _ in range(n))) for n in (10, 100))
    summary(small, torch.zeros(1, 2))
    n_small = len(calls)
    summary(large, torch.zeros(1, 2))
    assert len(calls) == 2 * n_small
