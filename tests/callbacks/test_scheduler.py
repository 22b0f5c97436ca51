from functools import partial

import pytest
import torch
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

from minifast.callbacks.checkpoint import Checkpoint
from minifast.callbacks.metrics import MetricsCallback
from minifast.callbacks.recorder import Recorder
from minifast.callbacks.scheduler import OneCycle, ParamScheduler, TorchScheduler
from minifast.data import DataLoaders
from minifast.errors import DTypeError, OptionError, UnknownNameError
from minifast.learner import Callback, CancelEpoch
from minifast.optim import combine, constant, cosine, linear, one_cycle, sample


def momentum(params, lr):
    return torch.optim.SGD(params, lr=lr, momentum=0.5)


def two_groups(params, lr):
    weight, bias = params
    return torch.optim.SGD([{"params": [weight]}, {"params": [bias]}], lr=lr)


def rates(make_learner, *cbs, n_epochs=2, name="lr", **kwargs):
    recorder = Recorder(name)
    make_learner(*cbs, recorder, **kwargs).fit(n_epochs)
    return recorder.values(name).T.tolist()


def test_a_schedule_goes_from_its_start_to_its_end(make_learner):
    lrs = rates(make_learner, ParamScheduler(lr=linear(0.0, 1.0)), n_train=3)
    assert lrs == [pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])]


@pytest.mark.parametrize(
    "schedule",
    [
        cosine(0.1, 0.001),
        one_cycle(0.5),
        combine([0.25, 0.25, 0.5], [linear(0, 1), constant(1), cosine(1, 0)]),
        lambda position: 0.1 * position,
    ],
)
def test_what_is_used_is_what_sampling_shows(make_learner, schedule):
    lrs = rates(make_learner, ParamScheduler(lr=schedule), n_train=4, n_epochs=3)
    assert lrs == [pytest.approx(sample(schedule, 12))]


def test_one_batch_in_all_is_at_the_start(make_learner):
    scheduler = ParamScheduler(lr=linear(0.5, 0.1))
    assert rates(make_learner, scheduler, n_train=1, n_epochs=1) == [[0.5]]


def test_any_hyper_parameter_can_be_scheduled(make_learner):
    scheduler = ParamScheduler(weight_decay=linear(0.0, 1.0), momentum=constant(0.7))
    found = rates(make_learner, scheduler, name="weight_decay", n_train=3, n_epochs=1)
    assert found == [[0.0, 0.5, 1.0]]
    assert rates(
        make_learner, scheduler, name="momentum", opt=torch.optim.Adam, n_epochs=1
    ) == [[0.7] * 3]


def test_each_group_can_have_a_schedule_of_its_own(make_learner):
    scheduler = ParamScheduler(lr=[constant(0.1), linear(0.0, 1.0)])
    found = rates(make_learner, scheduler, opt=two_groups, n_train=3, n_epochs=1)
    assert found == [[0.1, 0.1, 0.1], [0.0, 0.5, 1.0]]
    same = ParamScheduler(lr=constant(0.3))
    assert rates(make_learner, same, opt=two_groups, n_train=1, n_epochs=1) == [
        [0.3],
        [0.3],
    ]
    with pytest.raises(OptionError, match="got: 2 for 1 groups of lr"):
        rates(make_learner, scheduler)


def test_after_the_fit_the_values_are_as_before_and_the_next_begins_anew(make_learner):
    recorder = Recorder()
    scheduler = ParamScheduler(lr=linear(0.0, 1.0), weight_decay=constant(0.1))
    learn = make_learner(scheduler, recorder)
    before = dict(learn.opt.param_groups[0])
    learn.fit(2)
    learn.validate()
    assert learn.opt.param_groups[0] == before
    learn.fit(2)
    first, second = recorder.values("lr").split(6)
    assert torch.equal(first, second)


def test_after_an_error_the_values_are_as_before_too(make_learner):
    class Fail(Callback):
        def after_step(self, learn):
            raise KeyboardInterrupt

    learn = make_learner(Fail(), ParamScheduler(lr=constant(0.7)))
    with pytest.raises(KeyboardInterrupt):
        learn.fit(1)
    assert learn.opt.param_groups[0]["lr"] == 0.1


def test_an_unknown_name_is_refused_before_anything_is_changed(make_learner):
    learn = make_learner(ParamScheduler(lr=constant(0.7), weight_deacy=constant(0.1)))
    with pytest.raises(UnknownNameError, match="Did you mean 'weight_decay'"):
        learn.fit(1)
    assert learn.opt.param_groups[0]["lr"] == 0.1
    assert "weight_deacy" not in learn.opt.param_groups[0]


def test_a_schedule_is_needed_and_a_loader_with_a_length(make_learner):
    with pytest.raises(OptionError, match="must have a schedule"):
        ParamScheduler()
    learn = make_learner(ParamScheduler(lr=constant(0.1)))
    learn.dls = DataLoaders(iter(learn.dls.train))
    with pytest.raises(OptionError, match="list_iterator, which has no length"):
        learn.fit(1)


def test_one_cycle_schedules_rate_and_momentum(make_learner):
    cycle = OneCycle(0.5, warmup=0.4)
    lrs = rates(make_learner, cycle, opt=momentum, n_train=6, n_epochs=1)
    assert lrs == [pytest.approx(sample(one_cycle(0.5, warmup=0.4), 6))]
    found = rates(
        make_learner, cycle, name="momentum", opt=momentum, n_train=6, n_epochs=1
    )
    assert found[0][0] == pytest.approx(0.95)
    assert min(found[0]) == found[0][2] == pytest.approx(0.85)


def test_one_cycle_is_that_of_torch(make_learner):
    def torchs(opt):
        return torch.optim.lr_scheduler.OneCycleLR(
            opt, max_lr=0.5, total_steps=12, pct_start=0.3, final_div_factor=1e4
        )

    kwargs = {"opt": momentum, "n_train": 6}
    ours = rates(make_learner, OneCycle(0.5), **kwargs)
    # torch's peak is at a whole step, 0.3 * 12 - 1, ours at 0.3 of the way.
    theirs = rates(make_learner, TorchScheduler(torchs), **kwargs)
    assert ours[0][0] == pytest.approx(theirs[0][0])
    assert ours[0][-1] == pytest.approx(theirs[0][-1])
    assert max(abs(a - b) for a, b in zip(ours[0], theirs[0], strict=True)) < 0.15


def test_one_cycle_leaves_plain_descent_plain(make_learner):
    assert rates(make_learner, OneCycle(0.5), name="momentum", n_epochs=1) == [
        [0.0] * 3
    ]
    cycle = OneCycle(0.5, momentum=None)
    found = rates(make_learner, cycle, name="momentum", opt=momentum, n_epochs=1)
    assert found == [[0.5] * 3]


def test_one_cycle_takes_a_rate_for_each_group(make_learner):
    cycle = OneCycle([0.1, 1.0])
    lrs = rates(make_learner, cycle, opt=two_groups, n_train=5, n_epochs=1)
    assert lrs[1] == pytest.approx([10 * lr for lr in lrs[0]])


def test_one_object_serves_learners_with_and_without_momentum(make_learner):
    cycle = OneCycle(0.5)
    for opt in (momentum, torch.optim.SGD, momentum):
        make_learner(cycle, opt=opt).fit(1)
    assert set(cycle.schedules) == {"lr", "momentum"}


class Rates(Callback):
    def __init__(self):
        self.lrs = []

    def after_loss(self, learn):
        if learn.training:
            self.lrs.append(learn.opt.param_groups[0]["lr"])


def reference(make, n_steps, steps_each=1):
    """Return the rates that a loop by hand would use."""
    p = torch.nn.Parameter(torch.zeros(1))
    p.grad = torch.zeros(1)
    opt = torch.optim.SGD([p], lr=0.1, momentum=0.9)
    scheduler, lrs = make(opt), []
    for i in range(n_steps):
        lrs.append(opt.param_groups[0]["lr"])
        opt.step()
        if (i + 1) % steps_each == 0:
            scheduler.step()
    return lrs


def sgd(params, lr):
    return torch.optim.SGD(params, lr=lr, momentum=0.9)


PER_STEP = {
    "one-cycle": partial(lr_scheduler.OneCycleLR, max_lr=0.5, total_steps=7),
    "cosine": partial(lr_scheduler.CosineAnnealingLR, T_max=6),
    "lambda": partial(lr_scheduler.LambdaLR, lr_lambda=lambda step: 1 / (1 + step)),
    "multi": partial(lr_scheduler.MultiStepLR, milestones=[2, 4]),
}


@pytest.mark.parametrize("name", PER_STEP)
def test_by_steps_the_rates_are_those_of_a_loop_by_hand(make_learner, name):
    rates = Rates()
    learn = make_learner(rates, TorchScheduler(PER_STEP[name]), opt=sgd)
    learn.fit(2)
    assert rates.lrs == reference(PER_STEP[name], 6)


def test_by_epochs_the_rate_changes_between_epochs(make_learner):
    rates, make = Rates(), partial(lr_scheduler.StepLR, step_size=1, gamma=0.5)
    make_learner(rates, TorchScheduler(make, "epoch")).fit(3)
    assert rates.lrs == reference(make, 9, steps_each=3)


def test_after_the_fit_all_is_as_before_and_the_next_begins_anew(make_learner):
    rates = Rates()
    learn = make_learner(rates, TorchScheduler(PER_STEP["one-cycle"]), opt=sgd)
    before = dict(learn.opt.param_groups[0])
    learn.fit(2)
    learn.validate()
    assert learn.opt.param_groups[0] == before
    learn.fit(2)
    assert rates.lrs[:6] == rates.lrs[6:]


def test_after_an_error_all_is_as_before_too(make_learner):
    learn = make_learner(TorchScheduler(PER_STEP["cosine"]))
    learn.loss_func = lambda pred, y: 0.0
    with pytest.raises(DTypeError):
        learn.fit(1)
    assert learn.opt.param_groups[0]["lr"] == 0.1
    assert "initial_lr" not in learn.opt.param_groups[0]


def test_reduce_on_plateau_gets_the_figure_it_watches(make_learner):
    class Flat(Callback):
        def after_epoch(self, learn):
            learn.row["valid_loss"] = 1.0

    make = partial(lr_scheduler.ReduceLROnPlateau, factor=0.5, patience=0)
    rates = Rates()
    make_learner(Flat(), rates, TorchScheduler(make, "epoch"), n_train=1).fit(4)
    assert rates.lrs == [0.1, 0.1, 0.05, 0.025]
    learn = make_learner(Flat(), TorchScheduler(make, "epoch", monitor="val_loss"))
    with pytest.raises(UnknownNameError, match="Did you mean 'valid_loss'"):
        learn.fit(1)


def test_it_goes_by_steps_or_epochs_only():
    with pytest.raises(OptionError, match="each='batch'"):
        TorchScheduler(PER_STEP["cosine"], "batch")


def torchs_one_cycle(opt, n_steps):
    return lr_scheduler.OneCycleLR(opt, max_lr=0.5, total_steps=n_steps + 1)


def warm_cosine(opt, n_steps):
    parts = [
        lr_scheduler.LinearLR(opt, 0.1, total_iters=2),
        lr_scheduler.CosineAnnealingLR(opt, T_max=n_steps - 2),
    ]
    return lr_scheduler.SequentialLR(opt, parts, milestones=[2])


def chained(opt, n_steps):
    parts = [
        lr_scheduler.StepLR(opt, step_size=n_steps // 2),
        lr_scheduler.ExponentialLR(opt, 0.9),
    ]
    return lr_scheduler.ChainedScheduler(parts)


LENGTHS = {
    "one-cycle": torchs_one_cycle,
    "warm-up, cosine": warm_cosine,
    "chained": chained,
    "cosine": lr_scheduler.CosineAnnealingLR,
    "swa": lambda opt, n_steps: SWALR(opt, 0.01, anneal_epochs=n_steps),
}


def made(name, n_steps):
    return lambda opt: LENGTHS[name](opt, n_steps)


@pytest.mark.parametrize("name", LENGTHS)
def test_a_resumed_fit_may_be_longer(make_learner, tmp_path, name):
    def fit(n_epochs):
        make, rates = made(name, 3 * n_epochs), Rates()
        keep = Checkpoint(tmp_path, resume=True)
        learn = make_learner(rates, TorchScheduler(make), keep, opt=sgd)
        learn.fit(n_epochs)
        assert learn.step_count == 3 * n_epochs
        return learn, rates.lrs

    _, first = fit(2)
    assert first == reference(made(name, 6), 6)
    learn, rest = fit(4)
    assert rest == reference(made(name, 12), 12)[6:]
    assert learn.opt.param_groups[0]["lr"] == 0.1
    assert learn.opt.param_groups[0]["momentum"] == 0.9


def test_a_schedule_that_is_too_short_for_the_resumed_fit_is_refused(
    make_learner, tmp_path
):
    make = partial(torchs_one_cycle, n_steps=6)
    make_learner(TorchScheduler(make), Checkpoint(tmp_path), opt=sgd).fit(2)
    short = TorchScheduler(partial(torchs_one_cycle, n_steps=3))
    learn = make_learner(short, Checkpoint(tmp_path, resume=True), opt=sgd)
    weight, group = learn.model.weight.clone(), dict(learn.opt.param_groups[0])
    with pytest.raises(OptionError, match=r"as long as .*\n  got: Tried to step"):
        learn.fit(4)
    assert torch.equal(learn.model.weight, weight)
    assert learn.opt.param_groups[0] == group
    assert learn.step_count == 0


def test_on_a_plateau_a_resumed_fit_goes_on_counting(make_learner, tmp_path):
    class Flat(Callback):
        def after_epoch(self, learn):
            learn.row["valid_loss"] = 1.0

    make = partial(lr_scheduler.ReduceLROnPlateau, factor=0.5, patience=1)
    rates = Rates()
    for n_epochs in (2, 6):
        scheduler = TorchScheduler(make, "epoch")
        cbs = Flat(), rates, scheduler, Checkpoint(tmp_path, resume=True)
        make_learner(*cbs, n_train=1).fit(n_epochs)
    assert rates.lrs == [0.1, 0.1, 0.1, 0.05, 0.05, 0.025]


def test_a_plateau_needs_epochs_and_a_scheduler_is_made_anew(make_learner):
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau
    learn = make_learner()
    with pytest.raises(OptionError, match="must go on with each epoch"):
        learn.fit(1, cbs=[TorchScheduler(plateau, "step")])
    assert learn.step_count == 0
    with pytest.raises(DTypeError, match="must be made anew for each fit"):
        TorchScheduler(plateau(learn.opt))


def test_a_plateau_passes_over_epochs_without_validation(make_learner):
    class EverySecond(Callback):
        def before_validate(self, learn):
            if learn.epoch % 2:
                raise CancelEpoch

    plateau = partial(torch.optim.lr_scheduler.ReduceLROnPlateau, patience=0)
    learn = make_learner()
    learn.fit(
        4, cbs=[MetricsCallback(), EverySecond(), TorchScheduler(plateau, "epoch")]
    )
    assert len(learn.history) == 4
