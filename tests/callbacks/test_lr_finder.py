import copy
import io
import itertools
import math
import random
import sys

import pytest
import torch
from torch import nn

from minifast.callbacks import lr_find, lr_finder
from minifast.callbacks.checkpoint import Checkpoint
from minifast.callbacks.lr_finder import LRCurve
from minifast.callbacks.metrics import MetricsCallback
from minifast.callbacks.progress import CSVLogger, ProgressCallback
from minifast.callbacks.recorder import Recorder
from minifast.callbacks.scheduler import OneCycle
from minifast.callbacks.stopping import EarlyStopping, TerminateOnNaN
from minifast.data import DataLoaders, TensorLoader
from minifast.errors import OptionError
from minifast.learner import Callback, Learner


class Unsaved(nn.Module):
    """A model with buffers that are not in its state_dict, and one mode of its own."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1)
        )
        self.register_buffer("calls", torch.zeros(1), persistent=False)
        self.register_buffer("replaced", torch.zeros(1), persistent=False)

    def forward(self, x):
        self.calls += 1
        self.replaced = self.replaced + 1  # another tensor each time
        return self.net(x)


class MovingLoss(nn.Module):
    """A loss that learns a scale and remembers a mean."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.register_buffer("mean", torch.zeros(()))
        self.eval()

    def forward(self, pred, y):
        with torch.no_grad():
            self.mean.lerp_((pred - y).mean(), 0.1)
            self.scale += 0.01
        self.train()
        return nn.functional.mse_loss(pred, y) * self.scale


def make(*cbs, n=64, batch_size=4, opt=torch.optim.Adam, generator=None, lr=0.01):
    torch.manual_seed(0)
    x = torch.randn(n, 3)
    y = x.sum(1, keepdim=True)
    dls = DataLoaders.from_tensors(
        (x, y), (x, y), batch_size=batch_size, generator=generator
    )
    return Learner(Unsaved(), dls, nn.functional.mse_loss, opt, lr=lr, cbs=cbs)


def snapshot(learn):
    modules = [m for m in (learn.model, learn.loss_func) if isinstance(m, nn.Module)]
    tensors = [t for m in modules for t in (*m.parameters(), *m.buffers())]
    return copy.deepcopy(
        {
            "tensors": [t.detach().clone() for t in (*tensors, learn.loss)],
            "opt": learn.opt.state_dict(),
            "modes": [m.training for module in modules for m in module.modules()],
            "history": learn.history,
            "row": learn.row,
            "counts": (learn.step_count, learn.epoch, learn.iter, learn.n_epochs),
            "reason": learn.stop_reason,
            "python": random.getstate(),
            "torch": torch.get_rng_state(),
            "generator": learn.dls.train.generator.get_state(),
            "cbs": [cb.state_dict() for cb in learn.cbs],
            "grad": torch.is_grad_enabled(),
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


def test_a_loss_that_is_a_module_is_as_before_too():
    learn = make(generator=torch.Generator().manual_seed(1))
    learn.loss_func = MovingLoss()
    learn.opt.add_param_group({"params": learn.loss_func.parameters()})
    before = snapshot(learn)
    lr_find(learn, n_steps=10)
    assert_equal(before, snapshot(learn))


@pytest.mark.parametrize("trained", [False, True])
def test_the_fit_after_it_is_the_fit_without_it(trained):
    found, plain = make(Recorder()), make(Recorder())
    for learn in (found, plain):
        torch.manual_seed(3)
        if trained:
            learn.fit(1)  # Adam has its moments, batch norm its statistics
        if learn is found:
            lr_find(learn, lr_max=1e4)
        learn.fit(2)
    assert_equal(found.model.state_dict(), plain.model.state_dict())
    assert_equal(found.find(Recorder).losses, plain.find(Recorder).losses)
    assert found.step_count == plain.step_count


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


def interrupt_before_line(k):
    """Return a trace function that raises before the k-th line of lr_finder.py."""
    count = itertools.count(1)

    def trace(frame, event, arg):
        if frame.f_code.co_filename != lr_finder.__file__:
            return None
        if event == "line" and next(count) == k:
            raise KeyboardInterrupt
        return trace

    return trace


def test_ctrl_c_before_any_line_leaves_all_as_before():
    """The lines that put things back are among them."""
    learn = make(MetricsCallback(), generator=torch.Generator().manual_seed(1), n=8)
    learn.loss_func = MovingLoss()
    learn.opt.add_param_group({"params": learn.loss_func.parameters()})
    learn.fit(1)
    before, tracer = snapshot(learn), sys.gettrace()
    for k in itertools.count(1):
        sys.settrace(interrupt_before_line(k))
        try:
            lr_find(learn, n_steps=3)
            break
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(tracer)
        assert_equal(before, snapshot(learn))
    assert k > 100


def test_ctrl_c_again_and_again_leaves_all_as_before():
    class Slow(Callback):
        in_lr_find, impatient = True, 5

        def after_step(self, learn):
            raise KeyboardInterrupt

        def load_state_dict(self, state):
            if self.impatient:
                self.impatient -= 1
                raise KeyboardInterrupt

    learn = make(Slow(), generator=torch.Generator().manual_seed(1))
    before = snapshot(learn)
    with pytest.raises(KeyboardInterrupt):
        lr_find(learn)
    assert learn.cbs[0].impatient == 0
    assert_equal(before, snapshot(learn))


def test_a_lazy_parameter_is_refused_before_it_gets_a_value():
    learn = make()
    learn.model.net[0] = nn.LazyLinear(8)
    with pytest.raises(OptionError, match="a lazy one, without a shape"):
        lr_find(learn)
    assert nn.parameter.is_lazy(learn.model.net[0].weight)


def test_a_terminal_shows_a_bar_and_keeps_nothing_of_it(monkeypatch):
    class Tty(io.StringIO):
        def isatty(self):
            return True

    screen = Tty()
    monkeypatch.setattr(sys, "stderr", screen)
    learn = make()
    with learn.added_cbs(ProgressCallback("terminal")):
        lr_find(learn, 1e-5, 1e-3, n_steps=20)
    assert "lr_find:   0%|" in screen.getvalue()
    assert screen.getvalue().rsplit("\r", 2)[1].strip() == ""


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


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_not_taken_for_an_explosion(seed):
    """Losses of small batches of a trained model, over four orders of magnitude."""
    draws = torch.Generator().manual_seed(seed)

    class Noise(Callback):
        def after_loss(self, learn):
            noise = torch.randn((), generator=draws).mul(1.5).exp()
            learn.loss = learn.loss * 0 + noise

    assert len(lr_find(make(Noise()), 1e-8, 1e-6).lrs) == 100


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


def test_a_curve_that_only_rises_suggests_nothing():
    found = LRCurve(tuple(1.1**i for i in range(20)), tuple(range(20)), 1)
    assert found.suggestions == {}
    with pytest.raises(OptionError, match="a fall of 0, noise"):
        _ = found.steepest
    with pytest.raises(OptionError, match=r"got: a fall of 0(?s:.*)is trained: min"):
        _ = found.valley
    with pytest.raises(
        OptionError, match=r"from a rate of 1 on\n  fix: Take a smaller"
    ):
        _ = found.minimum_tenth
    assert repr(found).endswith(
        "suggested: nothing; the loss does not fall beyond its noise)"
    )


def test_the_noise_is_that_of_a_mean_with_falling_weights():
    draws = torch.randn(20_000, generator=torch.Generator().manual_seed(0)).tolist()
    found = LRCurve(tuple(range(1, 20_001)), tuple(draws), width=5)
    middle = torch.tensor(found.smooth[10:-10])
    assert found.noise / 5 == pytest.approx(middle.std().item(), rel=0.05)
    line = [i + draw for i, draw in enumerate(draws)]  # a slope is no noise
    assert curve(line[:300], 5).noise == pytest.approx(curve(draws[:300], 5).noise)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("heavy", [False, True])
def test_a_flat_noisy_start_is_not_taken_for_a_descent(seed, heavy):
    """As of a trained model: flat up to 0.01, and then a rise with the square."""
    draws = torch.randn(80, generator=torch.Generator().manual_seed(seed))
    noise = draws.exp() if heavy else 1 + 0.3 * draws
    lrs = [1e-6 * 1.175**i for i in range(80)]
    losses = [
        0.2 * n.item() + (lr / 0.01) ** 2 for lr, n in zip(lrs, noise, strict=True)
    ]
    found = LRCurve(tuple(lrs), tuple(losses), 5)
    assert set(found.suggestions) == {"minimum_tenth"}
    assert 1e-4 < found.minimum_tenth < 2e-3


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_a_trained_model_gets_rates_as_good_as_a_new_one_does(seed, epochs):
    """A linear regression: beyond a rate of about 1, the steps overshoot by more."""
    torch.manual_seed(seed)
    x = torch.randn(512, 3)
    y = x.sum(1, keepdim=True) + 0.5 * torch.randn(512, 1)
    dls = DataLoaders(TensorLoader(x, y, batch_size=32, shuffle=True))
    mse = nn.functional.mse_loss
    learn = Learner(nn.Linear(3, 1), dls, mse, torch.optim.SGD, lr=0.1)
    if epochs:
        learn.fit(epochs)
    found = lr_find(learn).suggestions
    assert set(found) >= ({"minimum_tenth"} if epochs else {"valley", "minimum_tenth"})
    assert all(0.01 < lr < 1 for lr in found.values()), found


def test_a_curve_prints_its_suggestions():
    assert repr(curve([8, 8, 7, 3, 2])) == (
        "LRCurve(1 to 1e+04 in 5 steps; "
        "suggested: steepest 1e+02, valley 1e+02, minimum_tenth 1e+03)"
    )
