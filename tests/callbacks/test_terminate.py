import math

import pytest
import torch

from minifast.callback import Callback
from minifast.callbacks.terminate import TerminateOnNaN
from minifast.errors import OptionError


class Spoil(Callback):
    """Makes the loss of one training step what it is given."""

    def __init__(self, value, at):
        self.value, self.at = value, at

    def after_loss(self, learn):
        if learn.training and learn.step_count == self.at:
            learn.loss = learn.loss * self.value


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(("every", "n_steps"), [(1, 3), (2, 4), (50, 6)])
def test_it_stops_at_the_next_look(make_learner, value, every, n_steps):
    learn = make_learner(Spoil(value, at=2), TerminateOnNaN(every), n_train=6)
    learn.fit(3)
    assert learn.step_count == n_steps
    assert learn.stop_reason.startswith("the loss was ")
    assert learn.stop_reason.endswith(f" after {n_steps} steps")


def test_a_healthy_fit_goes_on(make_learner):
    learn = make_learner(TerminateOnNaN(1))
    learn.fit(2)
    assert learn.step_count == 6
    assert learn.stop_reason == ""


def test_it_looks_at_few_losses_only(make_learner, monkeypatch):
    looks = []
    isfinite = torch.isfinite
    monkeypatch.setattr(torch, "isfinite", lambda x: looks.append(x) or isfinite(x))
    make_learner(TerminateOnNaN(5), n_train=12).fit(1)
    assert len(looks) == 3  # two on the way, one at the end


def test_every_must_be_positive():
    with pytest.raises(OptionError, match="got: every=0"):
        TerminateOnNaN(0)
