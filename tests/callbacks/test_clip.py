import pytest
import torch

from minifast.callback import Callback
from minifast.callbacks.clip import GradientClip
from minifast.errors import OptionError


class Grads(Callback):
    order = 11

    def after_backward(self, learn):
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
    with pytest.raises(OptionError, match="either by norm or by value"):
        GradientClip(**limits)
    with pytest.raises(OptionError, match="got: max_norm=1, max_value=1"):
        GradientClip(max_norm=1, max_value=1)
