"""Parameter groups, from the Learner's splitter to callbacks that meet new ones."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from minifast.callbacks import OneCycle, ParamScheduler, Recorder, TorchScheduler
from minifast.data import DataLoaders
from minifast.errors import OptionError
from minifast.learner import Callback, Learner
from minifast.optim import SGD, constant

X = torch.randn(8, 3)
DLS = DataLoaders([(X, X[:, :1])] * 3)


def make(opt=SGD, **settings):
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    return Learner(model, DLS, F.mse_loss, opt, **settings)


def by_layer(model):
    return [layer.parameters() for layer in model]


def lrs(learn):
    return [group["lr"] for group in learn.opt.param_groups]


def close(*values):
    return pytest.approx(values)


@pytest.mark.parametrize(
    ("lr", "want"),
    [(0.1, (0.1, 0.1)), ([0.01, 0.1], (0.01, 0.1)), (slice(1e-4, 1e-2), (1e-4, 1e-2))],
)
@pytest.mark.parametrize("opt", [SGD, torch.optim.AdamW])
def test_a_splitter_makes_groups_with_rates(lr, want, opt):
    learn = make(opt, splitter=by_layer, lr=lr)
    assert lrs(learn) == close(*want)
    assert [len(group["params"]) for group in learn.opt.param_groups] == [2, 2]
    learn.fit(1, lr=[0.2, 0.3])
    assert lrs(learn) == close(0.2, 0.3)
    learn.fit(1, lr=slice(0.1, 0.4))
    assert lrs(learn) == close(0.1, 0.4)


def test_rates_must_fit_the_groups_and_change_nothing_if_they_do_not():
    learn = make(splitter=by_layer, lr=[0.01, 0.1])
    for wrong in ([0.1], [0.1] * 3):
        with pytest.raises(OptionError, match="one learning rate for all"):
            learn.fit(1, lr=wrong)
    with pytest.raises(OptionError, match="must have two ends"):
        learn.fit(1, lr=slice(0.1))
    with pytest.raises(OptionError, match=r"rates of their own.*\n.*0.01, 0.1"):
        learn.fit(1, lr=0.05)  # would flatten them
    assert lrs(learn) == [0.01, 0.1]
    assert learn.step_count == 0


def test_one_rate_for_groups_with_one_rate_is_fine():
    learn = make(splitter=by_layer, lr=0.1)
    learn.fit(1, lr=0.2)
    assert lrs(learn) == [0.2, 0.2]


def test_parameters_of_the_loss_are_in_the_last_group():
    class Loss(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, pred, y):
            return self.scale * F.mse_loss(pred, y)

    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    loss = Loss()
    learn = Learner(model, DLS, loss, lr=0.1, splitter=by_layer)
    assert learn.opt.param_groups[1]["params"][-1] is loss.scale


def test_a_finished_optimizer_has_its_groups():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    opt = SGD(model.parameters(), lr=0.1)
    with pytest.raises(OptionError, match="an optimizer to be made"):
        Learner(model, DLS, F.mse_loss, opt, splitter=by_layer)


# Groups that come later


class AddGroup(Callback):
    """Unfreezes the first layer when the second epoch begins."""

    def before_epoch(self, learn):
        if learn.epoch == 1:
            layer = learn.model[0]
            learn.opt.add_param_group({"params": layer.parameters(), "lr": 0.01})


def head_only(**settings):
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    opt = SGD(model[1].parameters(), lr=0.1)
    return Learner(model, DLS, F.mse_loss, opt, **settings)


def test_the_recorder_goes_on_with_nan_for_what_was_not_there():
    recorder = Recorder()
    head_only(cbs=[recorder]).fit(2, cbs=[AddGroup()])
    rates = recorder.values("lr")
    assert len(rates) == len(recorder.losses) == 6
    assert rates[:3, 0].tolist() == [0.1] * 3
    assert rates[:3, 1].isnan().all()
    assert rates[-1].tolist() == [0.1, 0.01]


def test_schedules_take_them_in_and_put_their_rates_back():
    for scheduler in (ParamScheduler(lr=constant(0.5)), OneCycle(0.5)):
        recorder = Recorder()
        learn = head_only(cbs=[recorder])
        learn.fit(2, cbs=[scheduler, AddGroup()])
        assert lrs(learn) == [0.1, 0.01]
        later = recorder.values("lr")[3:]
        assert torch.equal(later[:, 0], later[:, 1])


def test_a_schedule_for_each_group_refuses_one_more():
    scheduler = ParamScheduler(lr=[constant(0.5)])
    learn = head_only()
    with pytest.raises(OptionError, match="got: 1 for 2 groups of lr"):
        learn.fit(2, cbs=[scheduler, AddGroup()])
    assert lrs(learn) == [0.1, 0.01]


@pytest.mark.parametrize("each", ["step", "epoch"])
def test_a_scheduler_of_torch_refuses_them_and_puts_rates_back(each):
    step = partial(torch.optim.lr_scheduler.StepLR, step_size=1)
    learn = head_only()
    with pytest.raises(OptionError, match="got: 2 groups, and 1 when the fit began"):
        learn.fit(2, cbs=[TorchScheduler(step, each), AddGroup()])
    assert lrs(learn) == [0.1, 0.01]


def test_between_fits_groups_may_be_added_to_all():
    learn = head_only(cbs=[Recorder(), OneCycle(slice(0.01, 0.1))])
    learn.fit(1)
    learn.opt.add_param_group({"params": learn.model[0].parameters(), "lr": 0.01})
    step = partial(torch.optim.lr_scheduler.StepLR, step_size=1)
    learn.fit(1)
    learn.fit(1, cbs=[TorchScheduler(step)])
    assert lrs(learn) == [0.1, 0.01]


# Parameters that nobody would train


def test_a_replaced_head_is_reported_before_the_first_step():
    learn = make(lr=0.1)
    learn.model[1] = nn.Linear(4, 1)
    with pytest.raises(OptionError, match=r"1\.weight, 1\.bias not in SGD, 2 others"):
        learn.fit(1)
    assert learn.step_count == 0
    given = SGD(learn.model.parameters(), lr=0.1)
    learn = Learner(learn.model, DLS, F.mse_loss, given)
    learn.model[1] = nn.Linear(4, 1)
    with pytest.raises(OptionError, match="before the Learner is made"):
        learn.fit(1)


def test_a_layer_that_was_added_is_reported_too():
    learn = make(lr=0.1)
    learn.model.append(nn.Linear(1, 1))
    with pytest.raises(OptionError, match=r"2\.weight, 2\.bias not in SGD"):
        learn.fit(1)
    learn.opt.add_param_group({"params": learn.model[2].parameters()})
    learn.fit(1)
    assert learn.step_count == 3


def test_what_is_frozen_need_not_be_held():
    learn = make(lr=0.1)
    learn.model.append(nn.Linear(1, 1).requires_grad_(False))
    learn.fit(1)
    assert learn.step_count == 3
