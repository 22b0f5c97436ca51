import math

import pytest
import torch

from minifast.callbacks.stopping import EarlyStopping, TerminateOnNaN, best_row
from minifast.errors import OptionError, UnknownNameError
from minifast.learner import Callback


class Figures(Callback):
    """Puts the next of some figures into each row."""

    def __init__(self, *losses):
        self.losses, self.ended = losses, []

    def after_epoch(self, learn):
        learn.row["valid_loss"] = self.losses[learn.epoch]
        self.ended.append(learn.epoch)


@pytest.mark.parametrize(
    ("losses", "patience", "n_epochs"),
    [
        ((5, 4, 3, 2, 1), 1, 5),
        ((5, 6, 3, 2, 1), 1, 2),
        ((5, 6, 3, 4, 4), 2, 5),
        ((5, 6, 7, 2, 1), 2, 3),
        ((float("nan"), 1, 2, 3, 0), 2, 4),
        ((float("nan"),) * 5, 3, 3),
    ],
)
def test_it_stops_when_the_best_is_patience_epochs_ago(
    make_learner, losses, patience, n_epochs
):
    figures = Figures(*losses)
    learn = make_learner(figures, EarlyStopping(patience=patience))
    learn.fit(5)
    assert figures.ended == list(range(n_epochs))
    assert len(learn.history) == n_epochs
    stopped = n_epochs < 5 or losses[-1] == 4
    reason = f"no better valid_loss in {patience} epochs" if stopped else ""
    assert learn.stop_reason == reason


def test_all_others_end_the_epoch_before_the_fit_is_left(make_learner):
    late = Figures(1, 2, 3)
    late.order = 99
    learn = make_learner(EarlyStopping(patience=1), late)
    learn.fit(3)
    assert late.ended == [0, 1]


def test_only_the_rows_of_this_fit_count(make_learner):
    figures = Figures(3, 2, 1)
    learn = make_learner(figures, EarlyStopping(patience=1))
    learn.fit(3)
    learn.fit(3)  # begins worse than the last fit ended
    assert len(learn.history) == 6


def test_a_figure_that_is_not_there_is_named(make_learner):
    with pytest.raises(UnknownNameError, match=r"epoch\.\n.*\n  fix: Add MetricsCallb"):
        make_learner(EarlyStopping("accuracy")).fit(1)


def test_the_patience_must_be_positive():
    with pytest.raises(OptionError, match="got: patience=0"):
        EarlyStopping(patience=0)


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


def rows(name, *values):
    return [{name: value} for value in values]


def test_losses_should_be_small_and_anything_else_large():
    assert best_row(rows("valid_loss", 3, 1, 2), "valid_loss") == 1
    assert best_row(rows("error_rate", 3, 1, 2), "error_rate") == 1
    assert best_row(rows("accuracy", 3, 1, 2), "accuracy") == 0
    assert best_row(rows("accuracy", 3, 1, 2), "accuracy", "min") == 1
    assert best_row(rows("valid_loss", 3, 1, 2), "valid_loss", "max") == 0


def test_the_first_of_equals_is_the_best():
    assert best_row(rows("loss", 2, 1, 1), "loss") == 1


def test_min_delta_is_what_a_new_best_must_gain():
    assert best_row(rows("loss", 1.0, 0.95, 0.85), "loss", min_delta=0.1) == 2
    assert best_row(rows("loss", 1.0, 0.95, 0.91), "loss", min_delta=0.1) == 0


def test_nan_and_missing_figures_are_never_best():
    assert best_row(rows("loss", math.nan, 2, math.nan), "loss") == 1
    assert best_row([{}, {"loss": 5}], "loss") == 1
    assert best_row(rows("loss", math.nan), "loss") == -1
    assert best_row([], "loss") == -1


def test_unknown_figures_and_modes_are_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'valid_loss'"):
        best_row([{"valid_loss": 1, "epoch": 0}], "val_loss")
    with pytest.raises(OptionError, match="auto, min or max"):
        best_row([], "loss", "least")
