from functools import partial

import pytest
import torch
from torch.optim.lr_scheduler import StepLR

from minifast.callbacks.gradients import GradientAccumulation
from minifast.callbacks.recorder import Recorder
from minifast.callbacks.scheduler import TorchScheduler
from minifast.errors import UnknownNameError
from minifast.learner import Callback, CancelBatch


class Losses(Callback):
    def __init__(self):
        self.seen = []

    def after_loss(self, learn):
        if learn.training:
            self.seen.append(learn.loss.item())


def test_it_keeps_the_loss_of_each_training_batch_over_all_fits(make_learner):
    recorder, losses = Recorder(), Losses()
    learn = make_learner(losses, recorder)
    learn.fit(2)
    learn.validate()
    learn.fit(1)
    assert recorder.losses.tolist() == losses.seen
    assert recorder.epoch_ends == [3, 6, 9]
    assert recorder.losses.device.type == "cpu"
    assert not recorder.losses.requires_grad


def test_it_can_be_read_at_any_time(make_learner):
    recorder = Recorder()

    class Read(Callback):
        def after_batch(self, learn):
            assert len(recorder.losses) == learn.step_count

    assert len(recorder.losses) == 0
    assert recorder.values("lr").numel() == 0
    make_learner(recorder, Read(), n_valid=0).fit(1)


def test_it_keeps_the_rates_that_were_used_not_the_next_ones(make_learner):
    recorder = Recorder()
    make = partial(StepLR, step_size=1, gamma=0.5)
    make_learner(TorchScheduler(make), recorder, lr=0.5).fit(1)
    assert recorder.values("lr").tolist() == [[0.5], [0.25], [0.125]]


def test_it_keeps_each_parameter_groups_values(make_learner):
    def two_groups(params, lr):
        weight, bias = params
        groups = [{"params": [weight]}, {"params": [bias], "lr": lr / 10}]
        return torch.optim.Adam(groups, lr=lr)

    recorder = Recorder("lr", "momentum")
    make_learner(recorder, opt=two_groups).fit(1)
    assert recorder.values("lr").tolist() == [[0.1, 0.01]] * 3
    assert recorder.values("momentum").tolist() == [[0.9, 0.9]] * 3


def test_batches_that_were_left_early_are_not_recorded(make_learner):
    class Leave(Callback):
        def after_backward(self, learn):
            if learn.iter == 1:
                raise CancelBatch

    recorder = Recorder()
    make_learner(Leave(), recorder).fit(1)
    assert len(recorder.losses) == len(recorder.values("lr")) == 2


def test_batches_without_a_step_are_recorded(make_learner):
    recorder = Recorder()
    make_learner(GradientAccumulation(3), recorder).fit(1)
    assert len(recorder.losses) == 3


def test_an_unknown_hyper_parameter_is_refused(make_learner):
    with pytest.raises(UnknownNameError, match="Did you mean 'momentum'"):
        make_learner(Recorder("momentm")).fit(1)


def test_it_goes_on_from_its_state(make_learner):
    recorder, again = Recorder(), Recorder()
    make_learner(recorder).fit(1)
    again.load_state_dict(recorder.state_dict())
    make_learner(again).fit(1)
    assert len(again.losses) == len(again.values("lr")) == 6
    assert again.epoch_ends == [3, 6]
    assert len(recorder.losses) == 3
