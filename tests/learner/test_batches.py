from collections import namedtuple
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from minifast.callbacks import GradientAccumulation, MetricsCallback
from minifast.data import DataLoaders, TensorLoader
from minifast.errors import DTypeError, UnknownNameError
from minifast.learner import Callback, Learner
from minifast.learner.batches import join, n_averaged, n_batches, split_batch
from minifast.metrics import accuracy

PADDED = torch.tensor([[3, 1, -100], [2, -100, -100]])


@pytest.mark.parametrize(
    ("batch", "count"),
    [
        ((torch.zeros(4, 2), torch.zeros(4)), 4),
        ((torch.zeros(4, 7), torch.zeros(4, 7)), 28),
        (((torch.zeros(2), torch.zeros(2)), {"y": torch.zeros(3)}), 3),
        ((torch.zeros(4, 2),), 8),
        (([torch.zeros(5)], []), 5),
        (torch.zeros(2, 3), 6),
        ((), 0),
        ((torch.zeros(2, 3), PADDED), 3),
        ({"x": torch.zeros(2, 3), "y": PADDED}, 3),
    ],
)
def test_a_batch_counts_by_its_targets(make_learner, batch, count):
    learn = make_learner()
    learn.true_batch = batch
    assert int(learn.n_targets) == count


W = torch.tensor([1.0, 2.0, 0.5, 3.0])


@pytest.mark.parametrize("ignore", [-100, 3])
@pytest.mark.parametrize("weight", [None, W])
@pytest.mark.parametrize("kind", ["module", "partial"])
def test_the_count_is_what_torchs_losses_divide_by(ignore, weight, kind):
    settings = {"ignore_index": ignore, "weight": weight}
    loss = {
        "module": nn.CrossEntropyLoss(**settings),
        "partial": partial(F.cross_entropy, **settings),
    }[kind]
    logits, target = torch.randn(5, 4), torch.tensor([0, ignore, 1, 2, ignore])
    whole = nn.functional.cross_entropy(logits, target, **settings, reduction="sum")
    count = n_averaged(loss, (), (target,))
    torch.testing.assert_close(whole / count, loss(logits, target))


def test_whole_numbers_that_are_no_classes_all_count():
    target = torch.tensor([-100, 5])
    assert n_averaged(nn.MSELoss(), (), (target,)) == 2


def test_what_can_not_say_its_length_gives_0():
    class Streams(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(range(3))

    assert n_batches([1, 2]) == 2
    assert n_batches(iter([1, 2])) == 0
    assert n_batches(torch.utils.data.DataLoader(Streams())) == 0


# Inputs and targets


class Sum(nn.Module):
    """Adds two inputs, which it wants by these names if they come by name."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, left, right):
        return self.layer(left + right)


X, Y = torch.randn(12, 2), torch.randn(12, 1)
AS_TUPLE = [(X[i : i + 4], 2 * X[i : i + 4], Y[i : i + 4]) for i in (0, 4, 8)]
AS_DICT = [{"left": x, "right": z, "y": y} for x, z, y in AS_TUPLE]
Batch = namedtuple("Batch", "left right y")
AS_NAMED = [Batch(*batch) for batch in AS_TUPLE]
AS_LIST = [list(batch) for batch in AS_TUPLE]
# By name, the order of the parts does not matter.
TURNED = [{"y": y, "right": z, "left": x} for x, z, y in AS_TUPLE]


def trained_on(batches, inputs, **settings):
    torch.manual_seed(0)
    metric = MetricsCallback(far=F.l1_loss)
    dls = DataLoaders(batches, batches)
    learn = Learner(
        Sum(), dls, F.mse_loss, lr=0.1, cbs=[metric], inputs=inputs, **settings
    )
    learn.fit(2)
    return learn


@pytest.mark.parametrize(
    ("batches", "inputs"),
    [
        (AS_LIST, 2),
        (AS_NAMED, 2),
        (AS_DICT, 2),
        (AS_DICT, ["left", "right"]),
        (TURNED, ("right", "left")),
    ],
)
def test_batches_may_have_several_inputs_and_be_dictionaries(batches, inputs):
    plain, learn = trained_on(AS_TUPLE, 2), trained_on(batches, inputs)
    assert torch.equal(learn.model.layer.weight, plain.model.layer.weight)
    figures = ["train_loss", "valid_loss", "far"]
    assert [learn.history[-1][name] for name in figures] == [
        plain.history[-1][name] for name in figures
    ]
    assert learn.validate()["far"] == pytest.approx(plain.validate()["far"])
    preds, targets = learn.get_preds()
    torch.testing.assert_close(preds, learn.model(X, 2 * X).detach())
    assert torch.equal(targets, Y)


def test_predict_takes_what_the_model_takes():
    learn = trained_on(AS_TUPLE, 2)
    want = learn.model(X, X).detach()
    torch.testing.assert_close(learn.predict(X, X), want)
    learn.inputs = ["left", "right"]
    torch.testing.assert_close(learn.predict({"right": X, "left": X}), want)


def test_a_name_that_no_batch_has_is_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'left'"):
        trained_on(AS_DICT, ["leff", "right"])
    with pytest.raises(DTypeError, match="must come in dictionaries"):
        trained_on(AS_TUPLE, ["left", "right"])


def test_without_targets_the_loss_gets_the_prediction_alone():
    model = nn.Linear(2, 2)
    loss = lambda pred: pred.square().mean()  # noqa: E731
    learn = Learner(model, DataLoaders([X, X], [X]), loss, lr=0.1)
    learn.fit(1)
    assert learn.validate()["valid_loss"] == pytest.approx(loss(model(X)).item())


def test_several_targets_go_to_the_loss_in_their_order():
    weigh = lambda pred, y, w: (w * (pred - y) ** 2).mean()  # noqa: E731
    batches = [(X, Y, torch.full((12, 1), 3.0))]
    learn = Learner(nn.Linear(2, 1), DataLoaders(batches, batches), weigh, lr=0.0)
    mse = F.mse_loss(learn.model(X), Y).item()
    assert learn.validate()["valid_loss"] == pytest.approx(3 * mse)
    assert [part.shape for part in learn.get_preds()[1]] == [(12, 1), (12, 1)]


class SoftTargets(Callback):
    def before_batch(self, learn):
        if learn.training:
            x, y = learn.batch
            learn.batch = x, F.one_hot(y, 3).float() * 0.9 + 0.1 / 3


def test_metrics_see_the_true_targets_where_a_callback_has_changed_them():
    x, y = torch.randn(10, 3), torch.arange(10) % 3
    dls = DataLoaders.from_tensors((x, y), (x, y), batch_size=4)
    cbs = [SoftTargets(), MetricsCallback(accuracy, train=True)]
    learn = Learner(nn.Linear(3, 3), dls, F.cross_entropy, lr=0.0, cbs=cbs)
    learn.fit(1)
    row = learn.history[0]
    assert row["train_accuracy"] == pytest.approx(row["accuracy"])
    soft = F.one_hot(y, 3).float() * 0.9 + 0.1 / 3
    want = F.cross_entropy(learn.model(x), soft).item()
    assert row["train_loss"] == pytest.approx(want)


# What counts


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 5.0, 0.5])])
def test_a_validation_gives_one_number_whatever_the_batch_size(batch_size, weight):
    x, y = torch.randn(8, 5, 4), torch.randint(0, 3, (8, 5))
    y[:3, 1:] = -100
    loss = nn.CrossEntropyLoss(weight=weight)
    model = nn.Sequential(nn.Linear(4, 3), Transposed())
    dls = DataLoaders([(x, y)], TensorLoader(x, y, batch_size=batch_size))
    learn = Learner(model, dls, loss, lr=0.1, cbs=[MetricsCallback(accuracy)])
    figures = learn.validate()
    assert figures["valid_loss"] == pytest.approx(loss(model(x), y).item(), rel=1e-5)
    if weight is None:
        assert figures["accuracy"] == pytest.approx(accuracy(model(x), y).item())


class Transposed(nn.Module):
    def forward(self, x):
        return x.transpose(1, 2)


@pytest.mark.parametrize("all_ignored", [False, True])
@pytest.mark.parametrize("weight", [None, torch.tensor([1.0, 5.0, 0.5])])
def test_accumulation_with_ignored_targets_is_one_large_batch(all_ignored, weight):
    x, y = torch.randn(8, 5, 4), torch.randint(0, 3, (8, 5))
    y[:3, 1:] = -100
    if all_ignored:  # a whole small batch of them
        y[:2] = -100
    loss = nn.CrossEntropyLoss(weight=weight)

    def weights(batch_size, *cbs):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 3), Transposed())
        dls = DataLoaders(TensorLoader(x, y, batch_size=batch_size))
        Learner(model, dls, loss, lr=0.5).fit(1, cbs=cbs)
        return model[0].weight.detach()

    torch.testing.assert_close(weights(2, GradientAccumulation(4)), weights(8))


def test_a_learner_may_count_by_a_rule_of_its_own():
    class Masked(Learner):
        def count_targets(self):
            return self.targets[1].sum()

    masks = torch.tensor([[1.0], [1.0], [0.0], [1.0]])
    loss = lambda pred, y, mask: ((pred - y) ** 2 * mask).sum() / mask.sum()  # noqa: E731
    batches = [(X[:4], Y[:4], masks), (X[4:5], Y[4:5], torch.ones(1, 1))]
    learn = Masked(nn.Linear(2, 1), DataLoaders(batches, batches), loss, lr=0.0)
    squares = ((learn.model(X[:5]) - Y[:5]) ** 2).flatten()
    want = (squares.sum() - squares[2]) / 4
    assert learn.validate()["valid_loss"] == pytest.approx(want.item())


class Penalty(Callback):
    def after_loss(self, learn):
        learn.loss = learn.loss + 10


class InPlace(Callback):
    def after_loss(self, learn):
        learn.loss += 10


@pytest.mark.parametrize("cb", [Penalty(), InPlace()])
@pytest.mark.parametrize("more", [[], [GradientAccumulation(2)]])
def test_what_after_loss_adds_is_in_the_training_loss_alone(cb, more):
    dls = DataLoaders([(X, Y)] * 4, [(X, Y)])
    learn = Learner(
        nn.Linear(2, 1), dls, F.mse_loss, lr=0.0, cbs=[cb, *more, MetricsCallback()]
    )
    learn.fit(1)
    row, loss = learn.history[0], F.mse_loss(learn.model(X), Y).item()
    assert row["train_loss"] == pytest.approx(10 + loss)
    assert row["valid_loss"] == pytest.approx(loss)


def test_metrics_may_return_any_number():
    numbers = {
        "of_python": lambda pred, y: float(F.l1_loss(pred, y)),
        "of_numpy": lambda pred, y: F.l1_loss(pred, y).numpy(),
        "of_torch": F.l1_loss,
    }
    batches = [(X[:8], Y[:8]), (X[8:], Y[8:])]
    learn = Learner(nn.Linear(2, 1), DataLoaders(batches, batches), F.mse_loss, lr=0.0)
    figures = learn.validate(cbs=[MetricsCallback(**numbers)])
    want = F.l1_loss(learn.model(X), Y).item()
    assert [figures[name] for name in numbers] == pytest.approx([want] * 3)


# Joining


def test_predictions_may_be_nested():
    parts = [{"a": torch.ones(2), "b": (torch.zeros(2, 3), [torch.ones(2)])}] * 3
    whole = join(parts)
    assert whole["a"].shape == (6,)
    assert whole["b"][0].shape == (6, 3)
    assert whole["b"][1][0].shape == (6,)
    assert join([Batch(*[torch.ones(1)] * 3)] * 2).right.shape == (2,)


def test_ragged_predictions_come_as_a_list_of_samples():
    ragged = join([torch.zeros(2, 3), torch.ones(1, 5)])
    assert [sample.shape for sample in ragged] == [(3,), (3,), (5,)]
    assert join([torch.tensor(1.0), torch.tensor(2.0)]) == [1.0, 2.0]
    assert join(["a", "b"]) == ["a", "b"]


def test_get_preds_gives_them():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def forward(self, x):
            out = self.layer(x)
            return {"out": out, "state": (out, out + 1)}

    learn = Learner(
        Two(), DataLoaders([], [(X[:8], Y[:8]), (X[8:], Y[8:])]), F.mse_loss, lr=0
    )
    preds, targets = learn.get_preds()
    assert preds["out"].shape == (12, 1)
    assert torch.equal(preds["state"][1], preds["out"] + 1)
    assert torch.equal(targets, Y)


@pytest.mark.parametrize("batch", [("x", "y"), ["x", "y"], {"a": "x", "b": "y"}])
def test_parts_come_in_their_order(batch):
    assert split_batch(batch, 1) == (("x",), ("y",))
    assert split_batch(batch, 2) == (("x", "y"), ())
