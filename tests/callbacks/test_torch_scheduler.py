from functools import partial

import pytest
import torch
from torch.optim import lr_scheduler

from minifast.callback import Callback
from minifast.callbacks.torch_scheduler import TorchScheduler
from minifast.errors import DTypeError, OptionError, UnknownNameError


class Rates(Callback):
    def __init__(self):
        self.lrs = []

    def after_loss(self, learn):
        if learn.training:
            self.lrs.append(learn.opt.param_groups[0]["lr"])


def reference(make, n_steps, steps_each=1):
    """Return the rates that a loop by hand would use."""
    p = torch.nn.Parameter(torch.zeros(1))
    p.grad = torch.zeros(1)
    opt = torch.optim.SGD([p], lr=0.1, momentum=0.9)
    scheduler, lrs = make(opt), []
    for i in range(n_steps):
        lrs.append(opt.param_groups[0]["lr"])
        opt.step()
        if (i + 1) % steps_each == 0:
            scheduler.step()
    return lrs


def sgd(params, lr):
    return torch.optim.SGD(params, lr=lr, momentum=0.9)


PER_STEP = {
    "one-cycle": partial(lr_scheduler.OneCycleLR, max_lr=0.5, total_steps=7),
    "cosine": partial(lr_scheduler.CosineAnnealingLR, T_max=6),
    "lambda": partial(lr_scheduler.LambdaLR, lr_lambda=lambda step: 1 / (1 + step)),
    "multi": partial(lr_scheduler.MultiStepLR, milestones=[2, 4]),
}


@pytest.mark.parametrize("name", PER_STEP)
def test_by_steps_the_rates_are_those_of_a_loop_by_hand(make_learner, name):
    rates = Rates()
    learn = make_learner(rates, TorchScheduler(PER_STEP[name]), opt=sgd)
    learn.fit(2)
    assert rates.lrs == reference(PER_STEP[name], 6)


def test_by_epochs_the_rate_changes_between_epochs(make_learner):
    rates, make = Rates(), partial(lr_scheduler.StepLR, step_size=1, gamma=0.5)
    make_learner(rates, TorchScheduler(make, "epoch")).fit(3)
    assert rates.lrs == reference(make, 9, steps_each=3)


def test_after_the_fit_all_is_as_before_and_the_next_begins_anew(make_learner):
    rates = Rates()
    learn = make_learner(rates, TorchScheduler(PER_STEP["one-cycle"]), opt=sgd)
    before = dict(learn.opt.param_groups[0])
    learn.fit(2)
    learn.validate()
    assert learn.opt.param_groups[0] == before
    learn.fit(2)
    assert rates.lrs[:6] == rates.lrs[6:]


def test_after_an_error_all_is_as_before_too(make_learner):
    learn = make_learner(TorchScheduler(PER_STEP["cosine"]))
    learn.loss_func = lambda pred, y: 0.0
    with pytest.raises(DTypeError):
        learn.fit(1)
    assert learn.opt.param_groups[0]["lr"] == 0.1
    assert "initial_lr" not in learn.opt.param_groups[0]


def test_reduce_on_plateau_gets_the_figure_it_watches(make_learner):
    class Flat(Callback):
        def after_epoch(self, learn):
            learn.row["valid_loss"] = 1.0

    make = partial(lr_scheduler.ReduceLROnPlateau, factor=0.5, patience=0)
    rates = Rates()
    make_learner(Flat(), rates, TorchScheduler(make, "epoch"), n_train=1).fit(4)
    assert rates.lrs == [0.1, 0.1, 0.05, 0.025]
    learn = make_learner(Flat(), TorchScheduler(make, "epoch", monitor="val_loss"))
    with pytest.raises(UnknownNameError, match="Did you mean 'valid_loss'"):
        learn.fit(1)


def test_it_goes_by_steps_or_epochs_only():
    with pytest.raises(OptionError, match="each='batch'"):
        TorchScheduler(PER_STEP["cosine"], "batch")
