import pytest

from minifast.callback import Callback
from minifast.callbacks.early_stopping import EarlyStopping
from minifast.errors import OptionError, UnknownNameError


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
