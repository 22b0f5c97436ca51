import pytest
import torch
from torch import nn

from minifast.callbacks import MetricsCallback
from minifast.data import DataLoader, DataLoaders
from minifast.errors import DTypeError, OptionError
from minifast.learner import Callback, Learner
from minifast.losses import cross_entropy
from minifast.metrics import accuracy


def test_a_pass_without_a_batch_is_refused(make_learner):
    learn = make_learner()
    learn.dls = DataLoaders([], None)
    with pytest.raises(OptionError, match="none in the training pass of epoch 0"):
        learn.fit(1)


def test_an_iterator_is_found_out_in_the_second_epoch(make_learner):
    learn = make_learner(n_valid=0)
    learn.dls = DataLoaders(iter(learn.dls.train))
    with pytest.raises(OptionError, match=r"epoch 1, from list_iterator\n.*used up"):
        learn.fit(2)


def test_an_error_of_the_model_says_in_which_batch_and_what_it_got(make_learner):
    learn = make_learner()
    learn.dls = DataLoaders([*learn.dls.train, (torch.zeros(4, 7), torch.zeros(4, 1))])
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as caught:
        learn.fit(1)
    shapes = "(tensor (4, 7) float32 on cpu, tensor (4, 1) float32 on cpu)"
    note = f"In batch 3 of the training pass of epoch 0; last batch: {shapes}"
    assert caught.value.__notes__ == [note]


def test_an_error_of_the_loss_says_what_it_got(make_learner):
    learn = make_learner()
    learn.loss_func = nn.functional.cross_entropy
    learn.dls = DataLoaders([({"x": [torch.zeros(4, 3)]}, torch.zeros(5))])
    learn.forward = lambda: torch.zeros(4, 2)
    with pytest.raises((RuntimeError, ValueError)) as caught:
        learn.fit(1)
    assert "{'x': (tensor (4, 3)" in caught.value.__notes__[0]
    assert "prediction: tensor (4, 2) float32 on cpu" in caught.value.__notes__[0]


def test_an_error_of_the_loader_is_told_as_such(make_learner):
    class Broken:
        def __iter__(self):
            raise OSError("no disk")

    learn = make_learner()
    learn.dls = DataLoaders(Broken())
    with pytest.raises(OSError, match="no disk") as caught:
        learn.fit(1)
    (note,) = caught.value.__notes__
    assert note.startswith("While batch 0 of the training pass of epoch 0 was being")
    assert note.endswith("the batch before: none yet")


@pytest.mark.parametrize("shape", ["generator", "ours", "torch"])
def test_a_sample_that_cannot_be_read_is_not_told_of_the_batch_before(
    make_learner, shape
):
    class Samples:
        def __len__(self):
            return 8

        def __getitem__(self, i):
            if i == 5:
                raise ValueError("a bad sample")
            return torch.ones(3), torch.ones(1)

    loaders = {
        "ours": lambda: DataLoader(Samples(), batch_size=4),
        "torch": lambda: torch.utils.data.DataLoader(Samples(), batch_size=4),
        "generator": lambda: map(torch.utils.data.default_collate, batched(Samples())),
    }
    learn = make_learner()
    learn.dls = DataLoaders(loaders[shape]())
    with pytest.raises(ValueError, match="a bad sample") as caught:
        learn.fit(1)
    assert caught.value.__notes__[-1].startswith("While batch 1 of the training pass")


def batched(samples):
    for first in (0, 4):
        yield [samples[i] for i in range(first, first + 4)]


class Two(nn.Linear):
    def forward(self, a, b):
        return super().forward(a + b)


class Gives(nn.Linear):
    def __init__(self, n_in, n_out, kind):
        super().__init__(n_in, n_out)
        self.kind = kind

    def forward(self, x):
        pred = super().forward(x)
        return {"pred": pred, "x": x} if self.kind == "dict" else (pred, x)


X, Y = torch.ones(4, 3), torch.arange(4) % 2
CE = nn.functional.cross_entropy


@pytest.mark.parametrize(
    ("model", "batch", "loss", "cbs", "message"),
    [
        (Two(3, 2), (X, X, Y), CE, [], r"for forward\(a, b\)\n  fix: .*inputs=2"),
        (nn.Linear(3, 2), X, CE, [], r"cross_entropy of \(tensor.*\n.*get_preds\(dl\)"),
        (nn.Linear(3, 2), X, cross_entropy, [], r"Give the loader targets, too"),
        (nn.Linear(3, 2), (X.numpy(), Y), CE, [], r"forward of \(ndarray \(4, 3\)"),
        (Gives(3, 2, "tuple"), (X, Y), CE, [], r"cross_entropy\(pred\[0\], y\)"),
        (Gives(3, 2, "dict"), (X, Y), cross_entropy, [], r"of \(\{'pred': tensor"),
        (nn.Linear(3, 2), (X, (Y, X)), CE, [], r"cross_entropy\(pred, y\[0\]\)"),
        (
            Gives(3, 2, "tuple"),
            (X, Y),
            lambda pred, y: CE(pred[0], y),
            [accuracy],
            r"The metric must .*\n.*\n.*accuracy\(pred\[0\], y\)",
        ),
        (
            nn.Linear(3, 2),
            (X, {"y": Y}),
            lambda pred, y: CE(pred, y["y"]),
            [accuracy],
            r"The metric must .*\n  got: accuracy of \(.*\{'y': tensor \(4,\) int64",
        ),
        (nn.Linear(3, 2), (X, Y), CE, [lambda pred: 0.0], "The metric must"),
    ],
)
def test_what_is_called_with_the_wrong_things_says_what_it_got(
    model, batch, loss, cbs, message
):
    dls = DataLoaders([batch], [batch])
    learn = Learner(model, dls, loss, lr=0.1, cbs=[MetricsCallback(*cbs)])
    with pytest.raises(DTypeError, match=message) as caught:
        learn.fit(1)
    assert caught.value.__cause__ is not None
    (note,) = {*caught.value.__notes__}
    assert note.startswith("In batch 0 of the")


def test_errors_inside_of_what_was_called_rightly_stay_themselves(make_learner):
    def broken(*args):
        raise TypeError("a fault of its own")

    learn = make_learner()
    learn.loss_func = broken
    with pytest.raises(TypeError, match=r"^a fault of its own") as caught:
        learn.fit(1)
    assert type(caught.value) is TypeError

    class Look(Callback):
        def before_batch(self, learn):
            nn.Linear(2, 2)(None)

    with pytest.raises(TypeError, match="must be Tensor, not NoneType") as caught:
        make_learner(Look()).fit(1)
    assert type(caught.value) is TypeError


def test_a_verb_of_ones_own_fails_as_it_does(make_learner):
    class Own(Learner):
        def forward(self):
            return self.model(self.batch)

    with pytest.raises(TypeError, match="must be Tensor, not tuple") as caught:
        make_learner(kind=Own).fit(1)
    assert type(caught.value) is TypeError
