import math

import pytest
import torch
from torch import nn

from minifast.callbacks import ActivationStats
from minifast.callbacks.activations import N_SAMPLED, sampled
from minifast.errors import OptionError
from minifast.learner import Callback, CancelBatch
from minifast.nn import GeneralReLU


@pytest.fixture
def make(make_learner):
    """Make a learner with two activations, the first a given one."""

    def build(*cbs, activation=None, **options):
        learn = make_learner(*cbs, **options)
        n = learn.model.in_features
        learn.model = nn.Sequential(
            nn.Linear(n, 8), activation or nn.ReLU(), nn.Linear(8, 1), nn.Tanh()
        )
        learn.opt = torch.optim.SGD(learn.model.parameters(), lr=0.1)
        return learn

    return build


class Outputs(Callback):
    """Runs the model by hand before the step."""

    def __init__(self):
        self.seen = []

    def after_pred(self, learn):
        if learn.training:
            with torch.no_grad():
                layers, x = [], learn.batch[0]
                for i in range(0, len(learn.model), 2):
                    x = learn.model[i + 1](learn.model[i](x))
                    layers.append(x)
                self.seen.append(layers)


def test_means_deviations_and_shares_are_those_of_the_activations(make):
    stats, outputs = ActivationStats(bins=8, limits=(-1, 3)), Outputs()
    make(stats, outputs).fit(2)
    assert stats.names == ["1", "3"]
    assert len(stats.means) == len(outputs.seen)
    for i, layers in enumerate(outputs.seen):
        for j, x in enumerate(layers):
            assert stats.means[i, j] == pytest.approx(x.mean().item(), abs=1e-6)
            assert stats.stds[i, j] == pytest.approx(
                x.std(correction=0).item(), abs=1e-5
            )
            assert stats.dead[i, j] == pytest.approx(
                (x.abs() <= 1e-3).float().mean().item()
            )
            counts = torch.histc(x.clamp(-1, 3), 8, -1, 3)
            torch.testing.assert_close(stats.histograms[i, j], counts / x.numel())


def test_only_training_batches_are_recorded_and_hooks_come_off(make):
    stats = ActivationStats()
    learn = make(stats)
    learn.fit(1)
    n = len(stats.means)
    assert n == len(learn.dls.train)
    learn.validate()
    learn.get_preds()
    assert len(stats.means) == n
    assert not any(module._forward_hooks for module in learn.model.modules())
    learn.fit(1)
    assert stats.epoch_ends == [n, 2 * n]


def test_an_error_takes_the_hooks_off(make):
    class Fail(Callback):
        def after_loss(self, learn):
            raise ZeroDivisionError

    learn = make(ActivationStats(), Fail())
    with pytest.raises(ZeroDivisionError):
        learn.fit(1)
    assert not any(module._forward_hooks for module in learn.model.modules())


def test_batches_that_were_left_early_are_not_recorded(make):
    class Leave(Callback):
        def after_pred(self, learn):
            if learn.training and learn.iter == 1:
                raise CancelBatch

    stats = ActivationStats()
    learn = make(stats, Leave())
    learn.fit(1)
    assert len(stats.means) == len(learn.dls.train) - 1


def test_values_outside_are_counted_in_the_outermost_bins(make):
    stats = ActivationStats(bins=2, limits=(-1e-9, 1e-9))
    make(stats).fit(1)
    torch.testing.assert_close(stats.histograms.sum(2), torch.ones(len(stats.means), 2))
    assert (stats.histograms[:, 0, 1] == 1).all()  # zeros are at the middle edge


def test_a_run_that_has_gone_to_nan_is_recorded(make):
    stats = ActivationStats(bins=4, limits=(-1, 1))
    learn = make(stats)
    with torch.no_grad():
        learn.model[0].weight.fill_(torch.nan)
    learn.fit(1)
    assert stats.means[:, 0].isnan().all()
    assert (stats.histograms[:, 0, -1] == 1).all()


def test_the_pile_of_a_general_relu_lies_in_the_bin_of_its_floor(make):
    stats = ActivationStats(GeneralReLU)
    make(stats, activation=GeneralReLU(sub=0.4)).fit(1)
    pile = stats.share_in_bin(-0.4)
    assert (pile >= stats.dead).all()
    assert (stats.dead > 0.1).all()
    assert (pile > 3 * stats.share_in_bin(-0.8)).all()
    assert (stats.share_in_bin(-0.8) == 0).all()


def test_a_leaky_relu_has_no_dead_units(make):
    stats = ActivationStats(GeneralReLU)
    make(stats, activation=GeneralReLU(leak=0.1)).fit(1)
    assert (stats.dead == 0).all()


def test_a_module_that_does_not_run_has_nan(make):
    stats = ActivationStats(nn.Identity)
    learn = make(stats)
    learn.model.unused = nn.Identity()
    learn.model.forward = lambda x: learn.model[3](learn.model[2](learn.model[0](x)))
    learn.fit(1)
    assert stats.means.isnan().all()


def test_a_module_that_runs_twice_has_the_mean_of_both(make):
    stats = ActivationStats(nn.ReLU)
    relu = nn.ReLU()
    learn = make(stats, activation=relu)
    learn.model[3] = relu
    outputs = Outputs()
    learn.cbs.append(outputs)
    learn.fit(1)
    for row, pair in zip(stats.means, outputs.seen, strict=True):
        expected = sum(x.mean() for x in pair) / 2
        assert row.item() == pytest.approx(expected.item(), abs=1e-6)


def test_what_was_recorded_can_be_saved_and_goes_on(make):
    stats = ActivationStats()
    learn = make(stats)
    learn.fit(1)
    again = ActivationStats()
    again.load_state_dict(stats.state_dict())
    learn.cbs[:] = [again]
    learn.fit(1)
    n = len(stats.means)
    assert len(again.means) == 2 * n
    assert torch.equal(again.means[:n], stats.means)
    assert again.epoch_ends == [n, 2 * n]


def test_one_callback_is_for_one_set_of_modules(make):
    stats = ActivationStats()
    make(stats).fit(1)
    learn = make(stats)
    learn.model = nn.Sequential(*learn.model, nn.ReLU())
    learn.opt = torch.optim.SGD(learn.model.parameters(), lr=0.1)
    with pytest.raises(OptionError, match="one set of modules"):
        learn.fit(1)
    assert not any(module._forward_hooks for module in learn.model.modules())


def test_no_module_is_refused_as_the_fit_begins(make):
    with pytest.raises(OptionError, match="At least one module"):
        make(ActivationStats(nn.Conv2d)).fit(1)


@pytest.mark.parametrize("limits", [(1, 1), (2, 1), (0, math.inf), (math.nan, 1)])
def test_limits_that_are_none_are_refused(limits):
    with pytest.raises(OptionError, match="limits"):
        ActivationStats(limits=limits)


def test_a_value_outside_of_the_histograms_is_refused(make):
    stats = ActivationStats(bins=0)
    make(stats).fit(1)
    assert stats.histograms.shape[2] == 0
    with pytest.raises(OptionError, match="within the limits"):
        stats.share_in_bin(0.0)
    with pytest.raises(OptionError, match="within the limits"):
        ActivationStats().share_in_bin(9.0)


def test_a_sample_visits_each_channel_and_position_alike():
    x = torch.arange(3 * 4 * 5).expand(5_000, -1).reshape(5_000, 3, 4, 5)
    found = sampled(x, N_SAMPLED)
    assert N_SAMPLED / 2 < len(found) <= N_SAMPLED
    counts = found.bincount(minlength=60)
    assert counts.max() - counts.min() <= 1


def test_few_values_are_all_taken():
    x = torch.randn(2, 3)
    assert torch.equal(sampled(x, 10), x.flatten())


@pytest.mark.gpu
def test_no_batch_waits_for_the_gpu(make):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    from minifast.callbacks import DeviceCallback

    class Strict(Callback):
        def before_batch(self, learn):
            torch.cuda.set_sync_debug_mode("error")

        def cleanup_batch(self, learn):
            torch.cuda.set_sync_debug_mode("default")

    make(ActivationStats(), Strict(), DeviceCallback("cuda")).fit(1)
