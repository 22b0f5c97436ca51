import pytest
import torch
from torch import nn

from minifast.errors import UnknownNameError
from minifast.nn import (
    BatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    RunningBatchNorm,
    convert_norms,
    make_norm,
)

KINDS = {
    "batch": BatchNorm,
    "running": RunningBatchNorm,
    "layer": GroupNorm,
    "instance": InstanceNorm,
    "group": GroupNorm,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_channels", [1, 8, 16, 24, 64, 100])
def test_each_kind_takes_any_number_of_channels(kind, n_channels):
    norm = make_norm(kind, n_channels)
    assert isinstance(norm, KINDS[kind])
    assert norm(torch.randn(2, n_channels, 3, 3)).shape == (2, n_channels, 3, 3)


def test_layer_norm_has_one_group_and_group_norm_one_for_sixteen_channels():
    assert make_norm("layer", 64).n_groups == 1
    assert [make_norm("group", n).n_groups for n in (8, 16, 64)] == [1, 1, 4]


def test_an_unknown_kind_is_refused_and_nothing_changed():
    model = nn.Sequential(nn.BatchNorm2d(4))
    with pytest.raises(UnknownNameError, match="Did you mean 'group'"):
        convert_norms(model, "groups")
    assert isinstance(model[0], nn.BatchNorm2d)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "make", [nn.BatchNorm1d, nn.BatchNorm2d, lambda n: nn.GroupNorm(2, n), BatchNorm]
)
def test_scales_shifts_eps_and_mode_are_kept(kind, make):
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(make(4), nn.ReLU())).eval()
    old = model[1][0]
    old.eps = 0.25
    with torch.no_grad():
        old.weight.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
        old.bias.fill_(0.5)
    assert convert_norms(model, kind) is model
    new = model[1][0]
    assert isinstance(new, KINDS[kind])
    assert new.weight.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert new.bias.tolist() == [0.5] * 4
    assert new.eps == 0.25
    assert not new.training


def test_running_statistics_are_kept_where_both_have_them():
    x = torch.randn(32, 4, 3, 3) * 2 + 1
    model = nn.Sequential(nn.BatchNorm2d(4))
    for _ in range(100):
        model(x)
    expected = model.eval()(x)
    for kind in ("running", "batch", "running"):
        torch.testing.assert_close(convert_norms(model, kind)(x), expected)
    model.train()(torch.full((1, 4, 3, 3), 100.0))
    assert model[0].running_mean.max() < 10  # what was known counts as a full window


def test_back_and_forth_gives_the_same_model():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), BatchNorm(4), nn.ReLU())
    x = torch.randn(8, 1, 5, 5)
    model(x)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    convert_norms(convert_norms(model, "running"), "batch")
    torch.testing.assert_close(model.state_dict(), before)


def test_norms_without_weights_stay_without():
    model = convert_norms(nn.Sequential(nn.BatchNorm2d(4, affine=False)), "group")
    assert list(model.parameters()) == []


def test_type_and_device_are_kept():
    model = nn.Sequential(nn.BatchNorm2d(4)).double()
    assert convert_norms(model, "instance")[0].weight.dtype == torch.float64


def test_a_norm_that_two_places_share_stays_one():
    norm = nn.BatchNorm1d(4)
    model = convert_norms(nn.Sequential(norm, nn.ReLU(), norm), "batch")
    assert model[0] is model[2]
    assert isinstance(model[0], BatchNorm)


def test_a_norm_by_itself_is_replaced_by_what_is_returned():
    assert isinstance(convert_norms(nn.BatchNorm2d(4), "running"), RunningBatchNorm)


def test_layer_norms_are_left_alone():
    model = nn.Sequential(nn.LayerNorm(4), LayerNorm(4))
    convert_norms(model, "batch")
    assert [type(each) for each in model] == [nn.LayerNorm, LayerNorm]
