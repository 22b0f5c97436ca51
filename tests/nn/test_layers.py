import pickle
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from minifast.errors import DTypeError, OptionError, ShapeError, UnknownNameError
from minifast.nn import (
    AdaptiveAvgPool,
    AdaptiveConcatPool,
    BatchNorm,
    Flatten,
    GeneralReLU,
    Lambda,
    conv_block,
    is_activation,
)


def halve(x, by=2):
    return x / by


def test_a_lambda_layer_calls_its_function():
    assert Lambda(halve)(torch.tensor(4.0)) == 2
    assert Lambda(halve, by=4)(torch.tensor(4.0)) == 1
    assert repr(Lambda(halve, by=4)) == "Lambda(halve, by=4)"


def test_a_lambda_layer_refuses_what_pickle_would_not_find():
    def local(x):
        return x

    for function in (lambda x: x, local):
        with pytest.raises(DTypeError, match="finds by its name"):
            Lambda(function)
    with pytest.raises(DTypeError, match="must be one"):
        Lambda(3)


@pytest.mark.parametrize(
    "layer",
    [
        Lambda(halve),
        Flatten(),
        GeneralReLU(0.1, 0.4, 6.0),
        AdaptiveAvgPool(2),
        AdaptiveConcatPool(),
        conv_block(4, 4, norm="group", activation=partial(GeneralReLU, sub=0.4)),
        conv_block(4, 4, norm="running"),
    ],
)
def test_layers_survive_pickle(layer):
    x = torch.randn(3, 4, 6, 6)
    again = pickle.loads(pickle.dumps(layer.eval()))
    assert torch.equal(again(x), layer(x))


def test_flatten_keeps_the_samples_apart():
    x = torch.randn(2, 3, 4)
    assert torch.equal(Flatten()(x), x.reshape(2, 12))


@pytest.mark.parametrize("leak", [0.0, 0.1])
@pytest.mark.parametrize("sub", [0.0, 0.4])
@pytest.mark.parametrize("top", [None, 1.0])
def test_general_relu_is_its_formula(leak, sub, top):
    x = torch.linspace(-3, 3, 61, dtype=torch.float64) + 0.01
    expected = torch.where(x > 0, x, leak * x) - sub
    if top is not None:
        expected = expected.clamp(max=top)
    layer = GeneralReLU(leak, sub, top)
    torch.testing.assert_close(layer(x), expected)
    assert torch.autograd.gradcheck(layer, (x.requires_grad_(),))


def test_general_relu_changes_no_input():
    x = torch.randn(10)
    before = x.clone()
    GeneralReLU(0.1, 0.4, 1.0)(x)
    assert torch.equal(x, before)


def test_the_floor_is_what_dead_units_give():
    assert GeneralReLU().floor == 0
    assert GeneralReLU(sub=0.4).floor == -0.4
    assert GeneralReLU(leak=0.1).floor == float("-inf")
    assert GeneralReLU(sub=0.4)(torch.tensor(-9.0)) == pytest.approx(-0.4)


@pytest.mark.parametrize("leak", [-0.1, float("nan"), float("inf")])
def test_general_relu_refuses_other_leaks(leak):
    with pytest.raises(OptionError, match="leak"):
        GeneralReLU(leak)


def test_general_relu_refuses_a_cap_below_all():
    with pytest.raises(OptionError, match="cap"):
        GeneralReLU(sub=0.4, max=-0.4)


def test_activations_are_told_from_other_layers():
    for made in (nn.ReLU(), nn.GELU(), nn.Tanh(), nn.PReLU(), GeneralReLU()):
        assert is_activation(made)
    for made in (nn.Linear(1, 1), nn.Softmax(1), nn.Dropout(), BatchNorm(1)):
        assert not is_activation(made)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("shape", [(2, 3, 7, 5), (1, 1, 8, 8), (2, 2, 1, 1)])
def test_adaptive_pooling_is_that_of_torch(size, shape):
    x = torch.randn(shape)
    average, largest = F.adaptive_avg_pool2d(x, size), F.adaptive_max_pool2d(x, size)
    torch.testing.assert_close(AdaptiveAvgPool(size)(x), average)
    both = torch.cat([largest, average], 1)
    torch.testing.assert_close(AdaptiveConcatPool(size)(x), both)


def test_pooling_refuses_what_is_no_batch_of_maps():
    with pytest.raises(ShapeError, match=r"\(B, C, H, W\)"):
        AdaptiveAvgPool()(torch.zeros(3, 4))
    with pytest.raises(OptionError, match="size"):
        AdaptiveAvgPool(0)


def names(block):
    return list(dict(block.named_children()))


def test_a_block_has_the_parts_that_are_asked_for_in_their_order():
    assert names(conv_block(1, 2)) == ["conv", "activation"]
    assert names(conv_block(1, 2, activation=None)) == ["conv"]
    assert names(conv_block(1, 2, norm="batch")) == ["conv", "norm", "activation"]
    last = conv_block(1, 2, norm="batch", norm_last=True)
    assert names(last) == ["conv", "activation", "norm"]
    assert isinstance(last.norm, BatchNorm)


def test_a_bias_goes_where_a_norm_would_take_it_off_again():
    assert conv_block(1, 2).conv.bias is not None
    assert conv_block(1, 2, norm="batch").conv.bias is None
    assert conv_block(1, 2, norm="batch", norm_last=True).conv.bias is not None
    assert conv_block(1, 2, norm="batch", bias=True).conv.bias is not None
    assert conv_block(1, 2, bias=False).conv.bias is None


@pytest.mark.parametrize("options", [{"stride": 2}, {"padding": 0}, {"groups": 2}])
def test_a_block_is_torchs_convolution_and_relu(options):
    block, x = conv_block(4, 6, 5, **options), torch.randn(2, 4, 9, 9)
    given = {"padding": 2} | options
    expected = F.conv2d(x, block.conv.weight, block.conv.bias, **given).relu()
    torch.testing.assert_close(block(x), expected)


def test_each_block_has_an_activation_of_its_own():
    shared = nn.ReLU()
    with pytest.raises(DTypeError, match="each time that it is called"):
        conv_block(1, 2, activation=shared)
    with pytest.raises(DTypeError, match="each time that it is called"):
        conv_block(1, 2, activation=lambda: 3)


@pytest.mark.parametrize(
    "wrong",
    [{"in_channels": 0}, {"out_channels": 1.5}, {"kernel_size": 0}, {"stride": 0}],
)
def test_sizes_that_are_no_sizes_are_refused(wrong):
    with pytest.raises(OptionError, match=next(iter(wrong))):
        conv_block(**{"in_channels": 1, "out_channels": 2} | wrong)


def test_groups_that_do_not_divide_are_refused():
    with pytest.raises(OptionError, match="divide both") as caught:
        conv_block(4, 6, groups=4)
    assert "groups=2" in str(caught.value)


def test_unknown_norms_are_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'batch'"):
        conv_block(1, 2, norm="bach")


def test_other_channels_are_refused_by_name_and_shape():
    with pytest.raises(ShapeError, match=r"\(B, 3, H, W\)") as caught:
        conv_block(3, 8)(torch.zeros(2, 1, 28, 28))
    assert "(2, 1, 28, 28)" in str(caught.value)
    with pytest.raises(ShapeError):
        conv_block(3, 8)(torch.zeros(2, 784))
