import pytest
import torch
from torch import nn

from minifast.callback import Callback, CancelBatch
from minifast.callbacks.accumulate import GradientAccumulation
from minifast.callbacks.clip import GradientClip
from minifast.data.loaders import DataLoaders
from minifast.errors import OptionError
from minifast.learner import Learner

X = torch.randn(23, 3, generator=torch.Generator().manual_seed(0))
Y = X.sum(1, keepdim=True) ** 2


def batches(*sizes):
    return list(zip(X.split(sizes), Y.split(sizes), strict=True))


def trained(train, *cbs, n_epochs=2):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    opt = torch.optim.Adam(model.parameters(), lr=0.01)
    loss = nn.functional.mse_loss
    learn = Learner(model, DataLoaders(train), loss, opt, cbs=cbs)
    learn.fit(n_epochs)
    return learn


def assert_same(a, b, **tolerance):
    for p, q in zip(a.model.parameters(), b.model.parameters(), strict=True):
        torch.testing.assert_close(p, q, **tolerance)


@pytest.mark.parametrize(
    ("large", "small", "n"),
    [
        ([12, 11], [4, 4, 4, 4, 4, 3], 3),
        ([8, 8, 7], [4, 4, 4, 4, 4, 3], 2),
        ([23], [10, 1, 12], 3),
        ([20, 3], [5, 5, 5, 5, 3], 4),
        ([23], [23], 1),
    ],
)
def test_several_small_batches_are_one_large_one(large, small, n):
    one = trained(batches(*large))
    several = trained(batches(*small), GradientAccumulation(n))
    assert several.step_count == one.step_count
    assert_same(one, several, rtol=1e-5, atol=1e-7)


def test_the_loss_that_others_see_is_that_of_the_batch():
    class Losses(Callback):
        def __init__(self):
            self.seen = []

        def after_batch(self, learn):
            pred, y = learn.pred, learn.batch[1]
            torch.testing.assert_close(learn.loss, nn.functional.mse_loss(pred, y))
            self.seen.append(learn.loss)

    losses = Losses()
    trained(batches(10, 1, 12), losses, GradientAccumulation(3), n_epochs=1)
    assert len(losses.seen) == 3


def test_clipping_sees_the_whole_gradient_once_a_step():
    clip = GradientClip(max_norm=0.1)
    one = trained(batches(12, 11), GradientClip(max_norm=0.1))
    several = trained(batches(4, 4, 4, 4, 4, 3), clip, GradientAccumulation(3))
    assert_same(one, several, rtol=1e-4, atol=1e-6)


def test_a_batch_that_is_left_early_does_not_count():
    class Skip(Callback):
        def after_loss(self, learn):
            if learn.iter == 1:
                raise CancelBatch

    without = trained([*batches(8, 15)], GradientAccumulation(2))
    skipped = trained(
        [batches(8, 15)[0], (X, 100 * Y), batches(8, 15)[1]],
        Skip(),
        GradientAccumulation(2),
    )
    assert_same(without, skipped)


def test_validation_is_left_alone(make_learner):
    plain, learn = make_learner(), make_learner(GradientAccumulation(3))
    assert learn.validate() == plain.validate()


def test_bad_arguments_and_loaders_without_length_are_refused(make_learner):
    with pytest.raises(OptionError, match="got: n_batches=0"):
        GradientAccumulation(0)
    learn = make_learner(GradientAccumulation(2))
    learn.dls = DataLoaders(iter(learn.dls.train))
    with pytest.raises(OptionError, match="list_iterator, which has no length"):
        learn.fit(1)
