import math

import pytest
import torch

from minifast.callbacks.checkpoint import Checkpoint
from minifast.callbacks.metrics import MetricsCallback
from minifast.callbacks.stopping import (
    EarlyStopping,
    TerminateOnNaN,
    best_row,
    check_figure,
    direction,
)
from minifast.errors import OptionError, UnknownNameError
from minifast.learner import Callback, CancelEpoch


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


def epochs_done(path):
    return torch.load(path, weights_only=True)["epochs_done"]


class EverySecond(Callback):
    """Leaves out the validation of the epochs 0, 2, 4 ..."""

    def before_validate(self, learn):
        if learn.epoch % 2 == 0:
            raise CancelEpoch


def test_epochs_without_a_validation_are_passed_over(make_learner, tmp_path):
    learn = make_learner(MetricsCallback(), EverySecond(), lr=0.0)  # never better
    stop = EarlyStopping(patience=2)
    keep = Checkpoint(tmp_path, monitor="valid_loss")
    learn.fit(20, cbs=[stop, keep])
    # Epochs 1, 3 and 5 had the figure; the first of them is the best.
    assert len(learn.history) == 6
    assert learn.stop_reason == "no better valid_loss in 2 epochs"
    assert epochs_done(keep.best) == 2


@pytest.mark.parametrize("monitor", ["val_loss", "train_loos"])
def test_a_misspelled_figure_is_named_as_soon_as_it_is_missed(make_learner, monitor):
    learn = make_learner(MetricsCallback(), EverySecond())
    with pytest.raises(
        UnknownNameError, match=r"fix: Did you mean '(valid|train)_loss'"
    ):
        learn.fit(9, cbs=[EarlyStopping(monitor, mode="min")])
    assert len(learn.history) == (1 if "train" in monitor else 2)


@pytest.mark.parametrize("listener", ["stopping", "checkpoint"])
def test_without_validation_data_there_is_nothing_to_wait_for(
    make_learner, tmp_path, listener
):
    learn = make_learner(MetricsCallback(), n_valid=0)
    if listener == "stopping":
        cb = EarlyStopping()
    else:
        cb = Checkpoint(tmp_path, monitor="valid_loss")
    with pytest.raises(UnknownNameError, match="one of: epoch, train_loss, time_s"):
        learn.fit(9, cbs=[cb])
    assert len(learn.history) == 1


def test_a_loss_that_is_nan_from_the_start_is_no_best(make_learner):
    learn = make_learner(Spoil(math.nan, at=0), MetricsCallback())
    learn.fit(10, cbs=[EarlyStopping(patience=2)])
    assert len(learn.history) == 2
    assert learn.stop_reason == "no better valid_loss in 2 epochs"


def test_an_epoch_of_nan_after_good_ones_is_no_best(make_learner, tmp_path):
    class SpoilWeights(Callback):
        def before_epoch(self, learn):
            if learn.epoch == 2:
                learn.model.weight.data.fill_(math.nan)

    learn = make_learner(MetricsCallback(), SpoilWeights())
    keep = Checkpoint(tmp_path, monitor="valid_loss")
    learn.fit(4, cbs=[keep])
    assert epochs_done(keep.best) == 2


def test_the_patience_that_was_used_up_comes_back_with_a_checkpoint(
    make_learner, tmp_path
):
    def fit(n_epochs, resume):
        learn = make_learner(
            MetricsCallback(), lr=0.0
        )  # the first epoch stays the best
        keep = Checkpoint(tmp_path, resume=resume)
        learn.fit(n_epochs, cbs=[EarlyStopping(patience=4), keep])
        return learn

    fit(3, resume=False)
    learn = fit(20, resume=True)
    assert len(learn.history) == 5
    assert learn.stop_reason == "no better valid_loss in 4 epochs"


@pytest.mark.parametrize("make", [EarlyStopping, lambda m: Checkpoint("x", monitor=m)])
def test_a_name_that_does_not_say_what_is_good_is_refused_at_once(make):
    with pytest.raises(
        OptionError, match=r'got: \'quality\'(?s:.*)fix: Pass mode="min"'
    ):
        make("quality")


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


SMALL = (
    "loss valid_loss train_loss dice_loss error error_rate word_error_rate perplexity "
    "cross_entropy valid_cross_entropy nll mae mse rmse train_rmse brier brier_score "
    "ece wer cer hamming hamming_loss edit_distance MSE top_1_error"
)
LARGE = (
    "accuracy train_accuracy top_5_accuracy valid_acc f1 f1_score F1Score auc roc_auc "
    "precision recall dice iou mean_iou r2 r2_score score bleu"
)


@pytest.mark.parametrize("name", SMALL.split())
def test_the_names_of_errors_are_known(name):
    assert direction(name) == "min"
    assert best_row(rows(name, 3, 1, 2), name) == 1
    assert EarlyStopping(name).mode == "min"
    assert Checkpoint("x", monitor=name).mode == "min"


@pytest.mark.parametrize("name", LARGE.split())
def test_the_names_of_successes_are_known(name):
    assert direction(name) == "max"
    assert best_row(rows(name, 2, 3, 1), name) == 1


@pytest.mark.parametrize(
    "name", ["epoch", "time_s", "maelstrom", "entropy", "floss", ""]
)
def test_a_direction_is_not_guessed(name):
    with pytest.raises(OptionError, match='fix: Pass mode="min" or mode="max"'):
        direction(name)


def test_a_direction_that_was_asked_for_is_taken():
    assert best_row(rows("accuracy", 3, 1, 2), "accuracy", "min") == 1
    assert best_row(rows("valid_loss", 1, 3, 2), "valid_loss", "max") == 1
    assert best_row(rows("quality", 1, 3, 2), "quality", "max") == 1


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


def test_unknown_modes_are_refused():
    with pytest.raises(OptionError, match="auto, min or max"):
        best_row([], "loss", "least")


TRAIN, VALID = {"train_loss": 2}, {"train_loss": 2, "valid_loss": 1}


@pytest.mark.parametrize(
    ("rows", "monitor", "wait"),
    [
        ([], "valid_loss", False),  # nothing has run
        ([VALID, TRAIN], "valid_loss", True),
        ([TRAIN], "valid_loss", True),  # may still come
        ([TRAIN, TRAIN], "accuracy", True),
        ([TRAIN], "train_loss", False),
    ],
)
def test_a_figure_that_is_there_or_may_come_is_not_refused(rows, monitor, wait):
    check_figure(rows, monitor, wait=wait)


@pytest.mark.parametrize(
    ("rows", "monitor", "wait"),
    [
        ([VALID], "val_loss", True),  # an epoch that validated has not got it
        ([TRAIN, VALID], "val_loss", True),
        ([TRAIN], "valid_loss", False),  # there is nothing to validate on
        ([TRAIN], "train_accuracy", True),  # each epoch would have it
        ([{"epoch": 0}], "valid_loss", True),  # nobody measures
    ],
)
def test_a_figure_that_will_not_come_is_refused(rows, monitor, wait):
    with pytest.raises(UnknownNameError, match="The figure to monitor must be one of"):
        check_figure(rows, monitor, wait=wait)
