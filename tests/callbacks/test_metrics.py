import math
from functools import partial

import pytest
import torch
from torch import nn

from minifast.callbacks.metrics import MetricsCallback
from minifast.data import DataLoaders
from minifast.errors import DTypeError, OptionError
from minifast.learner import Callback, CancelBatch, CancelEpoch, Learner
from minifast.metrics import Average, accuracy

X = torch.randn(11, 3, generator=torch.Generator().manual_seed(0))
Y = torch.arange(11) % 2


def batches(*sizes):
    return list(zip(X.split(sizes), Y.split(sizes), strict=True))


def still(*cbs, valid=(5, 5, 1), train=(4, 7)):
    """Return a Learner of two classes whose model does not change."""
    torch.manual_seed(0)
    dls = DataLoaders(batches(*train), batches(*valid) if valid else None)
    loss = nn.functional.cross_entropy
    return Learner(nn.Linear(3, 2), dls, loss, torch.optim.SGD, lr=0.0, cbs=cbs)


def whole(learn):
    """Return loss and accuracy over all of the data in one batch."""
    with torch.no_grad():
        logits = learn.model(X)
        loss = nn.functional.cross_entropy(logits, Y)
        return loss.item(), accuracy(logits, Y).item()


def test_a_row_holds_the_means_over_all_samples_whatever_the_batches():
    learn = still(MetricsCallback(accuracy, train=True))
    learn.fit(2)
    loss, acc = whole(learn)
    for epoch, row in enumerate(learn.history):
        assert row.pop("time_s") > 0
        assert list(row) == [
            "epoch",
            "train_loss",
            "train_accuracy",
            "valid_loss",
            "accuracy",
        ]
        expected = {
            "epoch": epoch,
            "train_loss": loss,
            "train_accuracy": acc,
            "valid_loss": loss,
            "accuracy": acc,
        }
        assert row == pytest.approx(expected, rel=1e-6)


def test_training_metrics_and_validation_are_there_only_on_demand():
    learn = still(MetricsCallback(accuracy), valid=())
    learn.fit(1)
    assert set(learn.row) == {"epoch", "train_loss", "time_s"}


def test_validate_returns_the_figures_too():
    learn = still(MetricsCallback(accuracy))
    loss, acc = whole(learn)
    assert learn.validate() == pytest.approx({"valid_loss": loss, "accuracy": acc})
    assert learn.history == []


def test_predictions_leave_no_figures():
    learn = still(MetricsCallback(accuracy))
    learn.get_preds()
    assert learn.row == {}


def test_metrics_can_be_objects_partials_and_have_names_of_their_own():
    def off_by(pred, target, amount):
        return torch.tensor(float(amount))

    learn = still(MetricsCallback(Average(accuracy), two=partial(off_by, amount=2)))
    assert learn.validate()["two"] == 2
    twice = still(MetricsCallback(a=Average(accuracy), b=Average(accuracy))).validate()
    assert twice["a"] == twice["b"] == pytest.approx(whole(learn)[1])


def test_an_object_that_is_passed_in_stays_as_it_is():
    metric = Average(accuracy)
    still(MetricsCallback(other=metric)).validate()
    assert metric.name == "accuracy"
    assert math.isnan(metric.value())


class Foreign:
    """A metric of another library, which computes where ours has a value."""

    def reset(self): ...

    def update(self, pred, target): ...

    def compute(self): ...


@pytest.mark.parametrize(
    ("metrics", "error", "message"),
    [
        ((accuracy, accuracy), OptionError, "got: accuracy, accuracy"),
        ((Average,), DTypeError, r"the class Average\n  fix: Write Average\(...\)"),
        ((0.5,), DTypeError, r"got: float 0\.5"),
        ((Foreign(),), DTypeError, "got: Foreign without name, value"),
    ],
)
def test_bad_metrics_are_refused(metrics, error, message):
    with pytest.raises(error, match=message):
        MetricsCallback(*metrics)


class Leave(Callback):
    """Raises a signal in the second batch of each training pass."""

    def __init__(self, signal):
        self.signal = signal

    def after_loss(self, learn):
        if learn.training and learn.iter == 1:
            raise self.signal


@pytest.mark.parametrize("signal", [CancelBatch, CancelEpoch])
def test_batches_that_are_left_early_do_not_count(signal):
    learn = still(MetricsCallback(), Leave(signal))
    learn.fit(1)
    with torch.no_grad():
        first = nn.functional.cross_entropy(learn.model(X[:4]), Y[:4]).item()
    assert learn.row["train_loss"] == pytest.approx(first)
    assert learn.row["valid_loss"] == pytest.approx(whole(learn)[0])


def test_a_pass_that_never_began_leaves_no_old_figures():
    class NoValidation(Callback):
        order = -60

        def before_validate(self, learn):
            if learn.epoch:
                raise CancelEpoch

    learn = still(MetricsCallback(accuracy), NoValidation())
    learn.fit(2)
    assert "valid_loss" in learn.history[0]
    assert "valid_loss" not in learn.history[1]
    assert "accuracy" not in learn.history[1]


def test_figures_are_there_for_others_at_the_end_of_the_epoch():
    class Read(Callback):
        def after_epoch(self, learn):
            self.loss = learn.row["valid_loss"]

    read = Read()
    still(read, MetricsCallback()).fit(1)
    assert read.loss > 0
