import pytest
import torch
from torch import nn

from minifast.callbacks.gradients import GradientAccumulation, GradientClip
from minifast.data import DataLoaders
from minifast.errors import OptionError
from minifast.learner import Callback, CancelBatch, Learner, Order

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


class Grads(Callback):
    order = Order.CLIP + 1

    def before_step(self, learn):
        self.flat = torch.cat([p.grad.flatten() for p in learn.model.parameters()])


def grads_with(make_learner, *cbs):
    look = Grads()
    learn = make_learner(look, *cbs, n_train=1)
    learn.loss_func = lambda pred, y: (100 * (pred - y) ** 2).mean()
    learn.fit(1)
    return look.flat


def test_by_norm_the_direction_stays(make_learner):
    whole, clipped = (grads_with(make_learner, *c) for c in ([], [GradientClip(1.0)]))
    assert whole.norm() > 1
    torch.testing.assert_close(clipped, whole / whole.norm())


def test_by_value_each_number_is_limited(make_learner):
    whole = grads_with(make_learner)
    clipped = grads_with(make_learner, GradientClip(max_value=0.5))
    torch.testing.assert_close(clipped, whole.clamp(-0.5, 0.5))


def test_small_gradients_stay_as_they_are(make_learner):
    whole = grads_with(make_learner)
    assert torch.equal(grads_with(make_learner, GradientClip(max_norm=1e6)), whole)


def test_with_a_loss_scale_it_is_the_true_gradient_that_is_clipped(make_learner):
    class Scaled(Callback):
        def before_fit(self, learn):
            learn.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)

    plain = grads_with(make_learner, GradientClip(1.0))
    scaled = grads_with(make_learner, GradientClip(1.0), Scaled())
    torch.testing.assert_close(scaled, plain)


@pytest.mark.parametrize("limits", [{}, {"max_norm": 0.0}, {"max_value": -1.0}])
def test_one_positive_limit_is_needed(limits):
    with pytest.raises(OptionError, match="by norm or by value, above 0"):
        GradientClip(**limits)


@pytest.mark.parametrize("scale", [None, 1024.0])
def test_both_limits_clip_values_first(make_learner, scale):
    class Scaled(Callback):
        def before_fit(self, learn):
            learn.scaler = torch.amp.GradScaler(
                "cpu", scale or 1.0, enabled=bool(scale)
            )

    whole = grads_with(make_learner).clamp(-0.5, 0.5)
    for clips in (
        [GradientClip(max_norm=0.6, max_value=0.5)],
        [GradientClip(max_value=0.5), GradientClip(max_norm=0.6)],
    ):
        clipped = grads_with(make_learner, *clips, Scaled())
        torch.testing.assert_close(clipped, whole * 0.6 / whole.norm())
