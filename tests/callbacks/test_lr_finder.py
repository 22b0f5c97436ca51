import copy
import itertools
import math
import random

import pytest
import torch
from torch import nn

from minifast.callbacks import lr_find
from minifast.callbacks.checkpoint import Checkpoint
from minifast.callbacks.lr_finder import LRCurve
from minifast.callbacks.metrics import MetricsCallback
from minifast.callbacks.progress import CSVLogger, ProgressCallback
from minifast.callbacks.recorder import Recorder
from minifast.callbacks.scheduler import OneCycle
from minifast.callbacks.stopping import EarlyStopping, TerminateOnNaN
from minifast.data import DataLoaders
from minifast.errors import OptionError
from minifast.learner import Callback, Learner


class Unsaved(nn.Module):
    """A model with a buffer that is not in its state_dict, and one mode of its own."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1)
        )
        self.register_buffer("calls", torch.zeros(1), persistent=False)

    def forward(self, x):
        self.calls += 1
        return self.net(x)


def make(*cbs, n=64, batch_size=4, opt=torch.optim.Adam, generator=None, lr=0.01):
    torch.manual_seed(0)
    x = torch.randn(n, 3)
    y = x.sum(1, keepdim=True)
    dls = DataLoaders.from_tensors(
        (x, y), (x, y), batch_size=batch_size, generator=generator
    )
    return Learner(Unsaved(), dls, nn.functional.mse_loss, opt, lr=lr, cbs=cbs)


def snapshot(learn):
    tensors = [*learn.model.parameters(), *learn.model.buffers(), learn.loss]
    return copy.deepcopy(
        {
            "tensors": [t.detach().clone() for t in tensors],
            "opt": learn.opt.state_dict(),
            "modes": [m.training for m in learn.model.modules()],
            "history": learn.history,
            "row": learn.row,
            "counts": (learn.step_count, learn.epoch, learn.iter, learn.n_epochs),
            "reason": learn.stop_reason,
            "python": random.getstate(),
            "torch": torch.get_rng_state(),
            "generator": learn.dls.train.generator.get_state(),
            "cbs": [cb.state_dict() for cb in learn.cbs],
        }
    )


def assert_equal(a, b):
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b) or (a.isnan().all() and b.isnan().all())
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_equal(x, y)
    else:
        assert a == b


@pytest.mark.parametrize("trained", [False, True])
def test_everything_is_bit_for_bit_as_before(trained):
    generator = torch.Generator().manual_seed(1)
    learn = make(Recorder(), MetricsCallback(), generator=generator)
    if trained:
        learn.fit(1)
    learn.model.net[1].eval()  # a mode that is not that of the model
    before = snapshot(learn)
    lr_find(learn, n_steps=40)
    assert_equal(before, snapshot(learn))


def test_the_fit_after_it_is_the_fit_without_it():
    found, plain = make(), make()
    torch.manual_seed(3)
    lr_find(found)
    found.fit(1)
    torch.manual_seed(3)
    plain.fit(1)
    assert_equal(
        list(found.model.state_dict().values()), list(plain.model.state_dict().values())
    )


def test_after_an_error_and_ctrl_c_all_is_as_before_too():
    class Fail(Callback):
        in_lr_find = True

        def after_step(self, learn):
            if learn.step_count == 5:
                raise KeyboardInterrupt

    learn = make(Fail(), generator=torch.Generator().manual_seed(1))
    before = snapshot(learn)
    with pytest.raises(KeyboardInterrupt):
        lr_find(learn)
    assert_equal(before, snapshot(learn))
    assert len(learn.cbs) == 1


def test_the_rates_grow_by_one_factor_and_the_losses_are_those_of_the_loop():
    seen = []

    class Look(Callback):
        in_lr_find = True

        def after_batch(self, learn):
            assert learn.training
            seen.append((learn.opt.param_groups[0]["lr"], learn.loss.item()))

    curve = lr_find(make(Look()), 1e-5, 1e-2, n_steps=31)
    lrs, losses = zip(*seen, strict=True)
    assert lrs == curve.lrs
    assert losses == curve.losses
    assert lrs[0] == pytest.approx(1e-5)
    assert lrs[-1] == pytest.approx(1e-2)
    factors = [b / a for a, b in itertools.pairwise(lrs)]
    assert factors == pytest.approx([10**0.1] * 30)


def test_few_batches_are_gone_through_again():
    assert len(lr_find(make(n=8), 1e-5, 1e-3, n_steps=50).lrs) == 50


def test_it_stops_when_the_loss_explodes():
    curve = lr_find(make(opt=torch.optim.SGD), 1e-4, 1e4)
    assert len(curve.lrs) < 100
    assert curve.losses[-1] > 4 * min(curve.smooth)
    assert all(map(math.isfinite, curve.losses))


def test_it_stops_at_the_first_loss_that_is_no_number():
    class Spoil(Callback):
        def after_loss(self, learn):
            if learn.step_count == 10:
                learn.loss = learn.loss * math.nan

    assert len(lr_find(make(Spoil())).lrs) == 10


def test_when_there_is_nothing_to_see_it_says_so():
    learn = make()
    learn.loss_func = lambda pred, y: (pred * math.nan).mean()
    with pytest.raises(OptionError, match="got: 0 of them, from a learning rate of"):
        lr_find(learn)


def test_negative_losses_do_not_stop_it():
    learn = make()
    learn.loss_func = lambda pred, y: nn.functional.mse_loss(pred, y) - 100
    assert len(lr_find(learn, 1e-6, 1e-4).lrs) == 100


def test_groups_keep_the_ratio_of_their_rates():
    class Look(Callback):
        def before_step(self, learn):
            a, b = (group["lr"] for group in learn.opt.param_groups)
            assert a == pytest.approx(10 * b)

    def groups(params, lr):
        first, *rest = params
        return torch.optim.SGD(
            [{"params": [first]}, {"params": rest, "lr": lr / 10}], lr
        )

    curve = lr_find(make(Look(), opt=groups), 1e-5, 1e-3, n_steps=5)
    assert curve.lrs[-1] == pytest.approx(1e-3)


def test_records_files_and_schedules_are_not_touched(tmp_path, capsys):
    recorder, metrics = Recorder(), MetricsCallback()
    learn = make(
        recorder,
        metrics,
        OneCycle(0.1),
        ProgressCallback(),
        CSVLogger(tmp_path / "a.csv"),
        Checkpoint(tmp_path / "b", resume=True),
        EarlyStopping(),
        TerminateOnNaN(1),
    )
    curve = lr_find(learn, 1e-5, 1e-3, n_steps=40)
    assert len(curve.lrs) == 40
    assert len(recorder.losses) == 0
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "bad",
    [
        {"lr_min": 0.0},
        {"lr_min": 1.0, "lr_max": 0.1},
        {"n_steps": 2},
        {"stop_factor": 1.0},
    ],
)
def test_bad_numbers_are_refused(bad):
    with pytest.raises(OptionError, match="Rates must rise from above 0"):
        lr_find(make(), **bad)


def curve(losses, width=1):
    return LRCurve(tuple(10.0**i for i in range(len(losses))), tuple(losses), width)


def test_smoothing_is_symmetric_and_keeps_straight_lines():
    line = curve([float(i) for i in range(9)], width=3)
    assert line.smooth[2:-2] == pytest.approx(range(2, 7))
    bump = curve([0, 0, 0, 9, 0, 0, 0], width=3).smooth
    assert bump == pytest.approx(bump[::-1])
    assert bump[3] == pytest.approx(9 * 3 / 9)
    assert curve([1.0, 2.0], width=1).smooth == (1.0, 2.0)


def test_suggestions_are_read_off_the_descent():
    found = curve([8, 8, 7, 3, 2, 9, 0.5 + 99])
    assert found.steepest == 100  # from 7 to 3
    assert found.valley == 100  # half way from 8 to 2 is 5: the last above it is 7
    assert found.minimum_tenth == 1_000
    assert found.suggestions == {
        "steepest": 100,
        "valley": 100,
        "minimum_tenth": 1_000,
    }


def test_a_fall_after_the_minimum_suggests_nothing():
    assert curve([3, 2, 1, 90, 50, 5]).steepest in (1, 10)


def test_a_curve_that_only_rises_suggests_its_beginning():
    found = curve([1, 2, 3])
    assert found.steepest == found.valley == 1
    assert found.minimum_tenth == 0.1


def test_a_curve_prints_its_suggestions():
    assert repr(curve([8, 8, 7, 3, 2])) == (
        "LRCurve(1 to 1e+04 in 5 steps; "
        "suggested: steepest 1e+02, valley 1e+02, minimum_tenth 1e+03)"
    )
