import pytest
import torch

from minifast.callbacks import BatchTransform
from minifast.callbacks.device import DeviceCallback
from minifast.errors import DTypeError, OptionError
from minifast.learner import Callback


class Look(Callback):
    def __init__(self):
        self.seen = {"train": [], "validate": [], "predict": []}

    def before_batch(self, learn):
        self.seen[learn.stage].append(learn.batch[0])


def add_one(x):
    return x + 1


def double(x):
    return 2 * x


def test_functions_are_called_one_after_the_other(make_learner):
    look = Look()
    learn = make_learner(BatchTransform(add_one, double), look)
    learn.fit(1)
    for stage, dl in (("train", learn.dls.train), ("validate", learn.dls.valid)):
        for seen, batch in zip(look.seen[stage], dl, strict=True):
            assert torch.equal(seen, 2 * (batch[0] + 1))


def test_several_run_as_they_are_listed_and_before_all_others(make_learner):
    look = Look()
    learn = make_learner(look, BatchTransform(add_one), BatchTransform(double))
    learn.fit(1)
    assert torch.equal(look.seen["train"][0], 2 * (next(iter(learn.dls.train))[0] + 1))


@pytest.mark.parametrize(("train", "valid"), [(True, False), (False, True)])
def test_they_are_for_training_for_validation_or_for_both(make_learner, train, valid):
    look = Look()
    learn = make_learner(BatchTransform(add_one, train=train, valid=valid), look)
    learn.fit(1)
    learn.get_preds()
    given = {"train": learn.dls.train, "validate": learn.dls.valid}
    given["predict"] = learn.dls.valid
    for stage, dl in given.items():
        shift = train if stage == "train" else valid
        for seen, batch in zip(look.seen[stage], dl, strict=True):
            assert torch.equal(seen, batch[0] + shift)


def test_metrics_are_held_against_the_targets_of_the_loader(make_learner):
    learn = make_learner(BatchTransform(add_one))
    learn.fit(1)
    assert learn.true_batch == ()
    assert len(learn.history) == 1


def test_it_runs_where_the_batch_is(make_learner):
    seen = []

    def look(x):
        seen.append(x.device.type)
        return x

    learn = make_learner(BatchTransform(look), DeviceCallback("meta"))
    learn.get_preds()
    assert set(seen) == {"meta"}


class Bare:
    """What a transform reads of a learner."""

    def __init__(self, batch, inputs, training=True):
        self.batch, self.inputs, self.training = batch, inputs, training


def swap(a, b):
    return b, a


def swap_names(a, b):
    return {"a": b, "b": a}


@pytest.mark.parametrize(
    ("batch", "inputs", "function", "expected"),
    [
        ((1, 2, 3), 2, swap, (2, 1, 3)),
        ([1, 9], 1, add_one, (2, 9)),
        (1, 1, add_one, 2),
        ({"a": 1, "b": 2, "y": 3}, ("a", "b"), swap_names, {"a": 2, "b": 1, "y": 3}),
        ({"a": 1, "b": 2, "y": 3}, 2, swap_names, {"a": 2, "b": 1, "y": 3}),
    ],
)
def test_batches_of_every_form(batch, inputs, function, expected):
    learn = Bare(batch, inputs)
    BatchTransform(function).before_batch(learn)
    assert learn.batch == expected


def test_what_is_no_function_is_refused():
    with pytest.raises(DTypeError, match="must be a function"):
        BatchTransform(3)
    with pytest.raises(OptionError, match="must be a function"):
        BatchTransform()
    with pytest.raises(OptionError, match="batches that it changes"):
        BatchTransform(add_one, train=False, valid=False)
