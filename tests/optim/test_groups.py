import pytest
import torch

from minifast.errors import UnknownNameError
from minifast.optim.groups import get_hyper, get_hypers, set_hyper, set_hypers

P = torch.nn.Parameter(torch.zeros(1))


def test_hypers_can_be_read_written_and_put_back():
    opt = torch.optim.SGD([{"params": [P], "lr": 0.5}], lr=0.1, momentum=0.9)
    before = get_hypers(opt)
    group = opt.param_groups[0]
    set_hyper(group, "lr", 0.25)
    set_hyper(group, "momentum", 0.5)
    group["initial_lr"] = 3
    assert (get_hyper(group, "lr"), get_hyper(group, "momentum")) == (0.25, 0.5)
    set_hypers(opt, before)
    assert get_hypers(opt) == before
    assert group["lr"] == 0.5
    assert "initial_lr" not in group
    assert group["params"] == [P]


def test_momentum_is_the_first_beta_where_there_are_betas():
    group = torch.optim.Adam([P]).param_groups[0]
    set_hyper(group, "momentum", 0.8)
    assert group["betas"] == (0.8, 0.999)
    assert get_hyper(group, "momentum") == 0.8
    assert "momentum" not in group


def test_an_unknown_name_is_refused_with_the_closest():
    group = torch.optim.SGD([P]).param_groups[0]
    with pytest.raises(UnknownNameError, match="Did you mean 'weight_decay'"):
        set_hyper(group, "wieght_decay", 1)
    assert "wieght_decay" not in group
