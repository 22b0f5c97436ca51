import math

import pytest
import torch
from torch import nn

from minifast.errors import DTypeError, OptionError, ShapeError, UnknownNameError
from minifast.nn import GeneralReLU, init

SHAPES = [(10, 784), (300, 20), (1, 1), (32, 3, 5, 5), (6, 4, 3), (2, 3, 2, 2, 2)]
NONLINEARITIES = ["linear", "sigmoid", "tanh", "relu", "selu"]


def generator(seed=5):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", NONLINEARITIES)
def test_gain_agrees_with_torch(name):
    assert init.calculate_gain(name) == nn.init.calculate_gain(name)


@pytest.mark.parametrize("slope", [None, 0.0, 0.01, 0.2, math.sqrt(5), -1.0])
def test_gain_of_a_leaky_relu_agrees_with_torch(slope):
    expected = nn.init.calculate_gain("leaky_relu", slope)
    assert init.calculate_gain("leaky_relu", slope) == expected


def test_gain_of_relu_and_tanh_do_what_they_are_for():
    x = torch.randn(1_000_000, dtype=torch.float64, generator=generator())
    back = init.calculate_gain("relu") * x.relu()
    assert back.square().mean() == pytest.approx(1, abs=0.01)
    leaky = nn.functional.leaky_relu(x, 0.3)
    back = init.calculate_gain("leaky_relu", 0.3) * leaky
    assert back.square().mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("shape", SHAPES)
def test_fans_are_those_of_torch(shape):
    weight = torch.empty(shape)
    expected = nn.init._calculate_fan_in_and_fan_out(weight)
    assert init.fan_in_and_fan_out(weight) == expected


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("mode", ["fan_in", "fan_out"])
@pytest.mark.parametrize("kind", ["normal_", "uniform_"])
def test_kaiming_draws_the_very_numbers_of_torch(shape, dtype, mode, kind):
    ours, theirs = torch.empty(shape, dtype=dtype), torch.empty(shape, dtype=dtype)
    mine = getattr(init, f"kaiming_{kind}")
    torchs = getattr(nn.init, f"kaiming_{kind}")
    for name in NONLINEARITIES:
        mine(ours, mode=mode, nonlinearity=name, generator=generator())
        torchs(theirs, mode=mode, nonlinearity=name, generator=generator())
        assert torch.equal(ours, theirs)
    leaky = {"mode": mode, "nonlinearity": "leaky_relu"}
    mine(ours, negative_slope=0.3, **leaky, generator=generator())
    torchs(theirs, a=0.3, **leaky, generator=generator())
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("gain", [1.0, 5 / 3])
@pytest.mark.parametrize("name", ["xavier_normal_", "xavier_uniform_", "orthogonal_"])
def test_the_others_draw_the_very_numbers_of_torch(shape, gain, name):
    ours, theirs = torch.empty(shape), torch.empty(shape)
    getattr(init, name)(ours, gain=gain, generator=generator())
    getattr(nn.init, name)(theirs, gain=gain, generator=generator())
    assert torch.equal(ours, theirs)


def test_lecun_is_kaiming_without_a_gain():
    ours, theirs = torch.empty(50, 70), torch.empty(50, 70)
    init.lecun_normal_(ours, generator=generator())
    nn.init.kaiming_normal_(theirs, nonlinearity="linear", generator=generator())
    assert torch.equal(ours, theirs)


def test_the_default_is_the_one_of_relu():
    ours, theirs = torch.empty(50, 70), torch.empty(50, 70)
    init.kaiming_normal_(ours, generator=generator())
    init.kaiming_normal_(
        theirs, mode="fan_in", nonlinearity="relu", generator=generator()
    )
    assert torch.equal(ours, theirs)


def test_a_slope_of_root_five_gives_the_layers_of_torch():
    layer = nn.Linear(784, 50)
    weight = torch.empty(50, 784)
    torch.manual_seed(3)
    layer.reset_parameters()
    torch.manual_seed(3)
    slope = math.sqrt(5)
    init.kaiming_uniform_(weight, nonlinearity="leaky_relu", negative_slope=slope)
    assert torch.equal(weight, layer.weight)
    assert weight.abs().max() <= 1 / math.sqrt(784)


@pytest.mark.parametrize(
    ("fill", "variance"),
    [
        (init.kaiming_normal_, 2 / 300),
        (init.kaiming_uniform_, 2 / 300),
        (init.xavier_normal_, 2 / 500),
        (init.xavier_uniform_, 2 / 500),
        (init.lecun_normal_, 1 / 300),
        (init.orthogonal_, 1 / 300),
    ],
)
def test_mean_and_variance_are_those_promised(fill, variance):
    weight = fill(torch.empty(200, 300), generator=generator())
    error = 4 * math.sqrt(variance / weight.numel())
    assert abs(weight.mean()) < error
    assert weight.var().item() == pytest.approx(variance, rel=0.03)


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (4, 2, 3, 3), (1, 6)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_orthogonal_rows_or_columns_are_orthonormal(shape, dtype):
    weight = torch.empty(shape, dtype=dtype)
    flat = init.orthogonal_(weight, gain=2.0, generator=generator()).flatten(1) / 2
    small = flat @ flat.T if len(flat) <= flat.shape[1] else flat.T @ flat
    torch.testing.assert_close(small, torch.eye(len(small), dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_orthogonal_works_in_half_precision(dtype):
    half, full = torch.empty(4, 6, dtype=dtype), torch.empty(4, 6)
    init.orthogonal_(half, generator=generator())
    init.orthogonal_(full, generator=generator())
    assert torch.equal(half, full.to(dtype))


def test_rotations_are_drawn_evenly():
    """In the plane, a corner of the matrix is as often negative as positive."""
    g = generator()
    corners = [
        init.orthogonal_(torch.empty(2, 2), generator=g)[0, 0] for _ in range(400)
    ]
    assert abs(torch.stack(corners).sign().mean()) < 0.2


FILLS = [
    init.kaiming_normal_,
    init.kaiming_uniform_,
    init.xavier_normal_,
    init.xavier_uniform_,
    init.lecun_normal_,
    init.orthogonal_,
]


@pytest.mark.parametrize("fill", FILLS)
def test_a_parameter_is_filled_in_place_and_stays_a_leaf(fill):
    weight = nn.Parameter(torch.zeros(3, 4))
    assert fill(weight) is weight
    assert weight.is_leaf
    assert weight.requires_grad
    assert (weight != 0).all()


@pytest.mark.parametrize("fill", FILLS)
def test_the_generator_decides_and_torchs_own_stays_as_it_was(fill):
    before = torch.get_rng_state()
    one = fill(torch.empty(3, 4), generator=generator(1))
    same = fill(torch.empty(3, 4), generator=generator(1))
    other = fill(torch.empty(3, 4), generator=generator(2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_transposed_view_is_filled_by_its_own_fans():
    weight = torch.empty(2000, 100)  # (in, out), as in x @ weight
    init.kaiming_normal_(weight.T, generator=generator())
    assert weight.std().item() == pytest.approx(math.sqrt(2 / 2000), rel=0.01)
    init.orthogonal_(weight.T)
    torch.testing.assert_close(weight.T @ weight, torch.eye(100), atol=1e-5, rtol=0)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("shape", [(), (5,), (0, 5), (5, 0)])
def test_what_is_no_weight_is_refused(fill, shape):
    with pytest.raises(ShapeError) as caught:
        fill(torch.empty(shape))
    assert str(caught.value) == (
        "A weight must be (out, in) or (out, in, ...), and not empty.\n"
        f"  got: tensor {shape} float32 on cpu\n"
        "  fix: Biases and scales have no fans: set them with zero_() or fill_()."
    )


@pytest.mark.parametrize("fill", FILLS)
def test_integers_are_refused(fill):
    with pytest.raises(DTypeError) as caught:
        fill(torch.zeros(2, 3, dtype=torch.int64))
    assert str(caught.value) == (
        "A weight must be floating-point.\n"
        "  got: tensor (2, 3) int64 on cpu\n"
        "  fix: Use weight.float()."
    )


def test_a_refused_weight_keeps_its_numbers():
    weight = torch.ones(2, 3)
    with pytest.raises(UnknownNameError):
        init.kaiming_normal_(weight, mode="fan")
    assert torch.equal(weight, torch.ones(2, 3))


def test_a_misspelled_mode_is_told_the_closest():
    with pytest.raises(UnknownNameError) as caught:
        init.kaiming_uniform_(torch.empty(2, 3), mode="fan-out")
    assert str(caught.value) == (
        "The mode must be one of: fan_in, fan_out.\n"
        "  got: 'fan-out'\n"
        "  fix: Did you mean 'fan_out'?"
    )


def test_a_misspelled_nonlinearity_is_told_the_closest():
    with pytest.raises(UnknownNameError) as caught:
        init.calculate_gain("LeakyReLU")
    assert str(caught.value) == (
        "The nonlinearity must be one of: "
        "leaky_relu, linear, relu, selu, sigmoid, tanh.\n"
        "  got: 'LeakyReLU'\n"
        "  fix: Did you mean 'leaky_relu'?"
    )


def test_a_slope_that_would_be_ignored_is_refused():
    with pytest.raises(OptionError) as caught:
        init.kaiming_normal_(torch.empty(2, 3), negative_slope=0.1)
    assert str(caught.value) == (
        "Only a leaky ReLU has a negative slope.\n"
        "  got: negative slope 0.1 for 'relu'\n"
        "  fix: Use nonlinearity='leaky_relu'."
    )


@pytest.mark.parametrize("groups", [1, 4, 64])
@pytest.mark.parametrize("fill", [init.kaiming_normal_, init.kaiming_uniform_])
def test_grouped_convolutions_keep_the_size_of_signal_and_gradients(fill, groups):
    torch.manual_seed(0)
    x = torch.randn(16, 64, 16, 16, requires_grad=True)
    padding = {"padding": 1, "padding_mode": "circular"}
    conv = nn.Conv2d(64, 64, 3, **padding, groups=groups, bias=False)
    fill(conv.weight, nonlinearity="linear")
    assert conv(x).std().item() == pytest.approx(1, abs=0.12)

    fill(conv.weight, mode="fan_out", nonlinearity="linear", groups=groups)
    conv(x).backward(torch.randn(16, 64, 16, 16))
    assert x.grad.std().item() == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("groups", [0, -1, 3, 64])
def test_groups_that_do_not_divide_the_outputs_are_refused(groups):
    with pytest.raises(OptionError) as caught:
        init.kaiming_normal_(torch.empty(32, 8, 3, 3), mode="fan_out", groups=groups)
    assert str(caught.value) == (
        "The outputs of a weight must divide into groups of one size.\n"
        f"  got: {groups} groups for tensor (32, 8, 3, 3) float32 on cpu\n"
        "  fix: Use the groups of the layer: groups=conv.groups."
    )


def test_measured_gains_are_those_of_the_formulas():
    assert init.measured_gain(torch.relu) == pytest.approx(math.sqrt(2), abs=1e-4)
    assert init.measured_gain(nn.Identity()) == pytest.approx(1, abs=1e-4)
    for slope in (0.1, 0.5):
        expected = init.calculate_gain("leaky_relu", slope)
        found = init.measured_gain(nn.LeakyReLU(slope))
        assert found == pytest.approx(expected, abs=1e-4)


def test_a_measured_gain_gives_back_what_an_activation_takes():
    x = torch.randn(1_000_000, generator=generator())
    for activation in (GeneralReLU(0.1, 0.4, 1.0), nn.GELU(), nn.PReLU()):
        with torch.no_grad():
            back = init.measured_gain(activation) * activation(x)
        assert back.square().mean() == pytest.approx(1, abs=0.01)


def test_an_activation_that_lets_nothing_through_is_refused():
    for wrong in (torch.zeros_like, lambda x: x / 0):
        with pytest.raises(OptionError, match="finite"):
            init.measured_gain(wrong)
    with pytest.raises(ShapeError, match="as many numbers"):
        init.measured_gain(torch.sum)


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_layers_get_the_gain_of_the_activation_before_them(distribution):
    activation = GeneralReLU(0.1, 0.4)
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(8, 400, 3), nn.BatchNorm2d(400), activation),
        nn.Conv2d(400, 64, 3, groups=4),
        nn.Tanh(),
        nn.ConvTranspose2d(64, 300, 2, groups=2),
        nn.Linear(300, 600),
        nn.ReLU(),
        nn.LayerNorm(600),
        nn.Linear(600, 600),
    )
    init.init_model(model, distribution=distribution, generator=generator())
    gains = [1, init.measured_gain(activation), init.measured_gain(torch.tanh), 1, 1]
    fans = [8 * 9, 100 * 9, 32 * 4, 300, 600]
    layers = [model[0][0], model[1], model[3], model[4], model[7]]
    for layer, gain, fan in zip(layers, gains, fans, strict=True):
        assert layer.weight.std().item() == pytest.approx(gain / fan**0.5, rel=0.03)
        assert (layer.bias == 0).all()
        bound = (layer.weight.abs().max() / layer.weight.std()).item()
        assert (bound < 1.8) == (distribution == "uniform")


@pytest.mark.parametrize("make", [nn.ReLU, nn.GELU, nn.Tanh])
def test_what_each_activation_gets_keeps_its_size(make):
    layers = [(nn.Linear(512, 512), make()) for _ in range(10)]
    model = nn.Sequential(*(each for pair in layers for each in pair))
    init.init_model(model, generator=generator())
    x = torch.randn(256, 512, generator=generator(1))
    with torch.no_grad():
        for layer, activation in layers:
            before = layer(x)
            assert before.square().mean().item() == pytest.approx(1, rel=0.35)
            x = activation(before)


def test_norms_and_missing_biases_are_left_as_they_are():
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4))
    with torch.no_grad():
        model[1].weight.fill_(7)
    assert init.init_model(model) is model
    assert model[1].weight.tolist() == [7] * 4


def test_a_model_without_layers_or_an_unknown_distribution_is_refused():
    with pytest.raises(OptionError, match="linear layer or a convolution"):
        init.init_model(nn.Sequential(nn.ReLU()))
    with pytest.raises(UnknownNameError, match="Did you mean 'uniform'"):
        init.init_model(nn.Linear(1, 1), distribution="uniforme")
