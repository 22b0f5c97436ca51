from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch import nn

from minifast.callbacks import GradientClip, Recorder, TorchScheduler
from minifast.data import DataLoaders
from minifast.errors import DTypeError, OptionError
from minifast.learner import Learner
from minifast.learner.callback import (
    EVENTS,
    Callback,
    Cancel,
    CancelBatch,
    CancelEpoch,
    CancelFit,
    CancelStep,
    DeferStep,
)

TRAIN = [
    "before_batch",
    "after_pred",
    "after_loss",
    "after_backward",
    "before_step",
    "after_step",
    "after_batch",
    "cleanup_batch",
]
VALID = ["before_batch", "after_pred", "after_loss", "after_batch", "cleanup_batch"]
PREDICT = ["before_batch", "after_pred", "cleanup_batch"]
CLEANUPS = {"cleanup_batch", "cleanup_pass", "cleanup_fit"}
SIGNALS = (DeferStep, CancelStep, CancelBatch, CancelEpoch, CancelFit)


class Log(Callback):
    """Notes the events; calls `then[event]` once when it is there."""

    order = 1_000

    def __init__(self, **then):
        self.events, self.then = [], then


def _log(event):
    def handler(self, learn):
        self.events.append(event)
        if event in self.then:
            self.then.pop(event)(learn)

    return handler


for _event in EVENTS:
    setattr(Log, _event, _log(_event))


def raising(error):
    def handler(learn):
        raise error

    return handler


def epoch(n_train=3, n_valid=2):
    train = ["before_train", *TRAIN * n_train, "after_train", "cleanup_pass"]
    valid = ["before_validate", *VALID * n_valid, "after_validate", "cleanup_pass"]
    return ["before_epoch", *train, *(valid if n_valid else []), "after_epoch"]


# Events


def test_all_events_of_a_fit_in_order(make_learner):
    log = Log()
    make_learner(log).fit(2)
    assert log.events == [
        "before_fit",
        *epoch(),
        *epoch(),
        "after_fit",
        "cleanup_fit",
    ]


def test_without_validation_data_there_are_no_validation_events(make_learner):
    log = Log()
    make_learner(log, n_valid=0).fit(1)
    assert log.events == ["before_fit", *epoch(3, 0), "after_fit", "cleanup_fit"]


def test_what_exists_at_each_event(make_learner):
    seen = []

    class Look(Callback):
        def before_fit(self, learn):
            seen.append(("fit", learn.epoch, learn.n_epochs))

        def before_epoch(self, learn):
            assert learn.row == {"epoch": learn.epoch}

        def before_train(self, learn):
            assert learn.dl is learn.dls.train
            assert learn.n_iter == 3
            assert learn.training
            assert learn.model.training
            assert torch.is_grad_enabled()

        def before_validate(self, learn):
            assert learn.dl is learn.dls.valid
            assert learn.n_iter == 2
            assert not learn.training
            assert not learn.model.training
            assert not torch.is_grad_enabled()

        def before_batch(self, learn):
            assert learn.batch is learn.dl[learn.iter]

        def after_pred(self, learn):
            assert learn.pred.shape == (4, 1)
            assert learn.pred.requires_grad == learn.training

        def after_loss(self, learn):
            assert learn.loss.shape == ()
            assert learn.loss.dtype == torch.float32

        def after_backward(self, learn):
            assert all(p.grad is not None for p in learn.model.parameters())

        def after_step(self, learn):
            assert all(p.grad is not None for p in learn.model.parameters())
            seen.append(("step", learn.step_count))

        def after_batch(self, learn):
            assert all(p.grad is None for p in learn.model.parameters())

        def after_epoch(self, learn):
            assert learn.history[-1] is learn.row

    make_learner(Look()).fit(2)
    assert seen == [("fit", 0, 2), *(("step", n) for n in range(1, 7))]


def test_a_fit_is_the_plain_loop(make_learner):
    learn, plain = make_learner(), make_learner()
    learn.fit(2)
    opt = torch.optim.SGD(plain.model.parameters(), lr=0.1)
    for _ in range(2):
        for x, y in plain.dls.train:
            nn.functional.mse_loss(plain.model(x), y).backward()
            opt.step()
            opt.zero_grad()
    for p, q in zip(learn.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(p, q)


def test_a_handler_may_replace_the_batch_and_the_loss(make_learner):
    class Double(Callback):
        def before_batch(self, learn):
            x, y = learn.batch
            learn.batch = x, 0 * y

        def after_loss(self, learn):
            learn.loss = learn.loss * 0

    learn = make_learner(Double())
    before = learn.model.weight.clone()
    learn.fit(1)
    assert torch.equal(learn.model.weight, before)


@pytest.mark.parametrize("verb", ["forward", "get_loss", "backward", "step"])
def test_the_mathematics_is_four_methods_to_override(make_learner, verb):
    calls = []

    def override(self):
        calls.append(verb)
        return getattr(Learner, verb)(self)

    kind = type("Mine", (Learner,), {verb: override})
    make_learner(kind=kind, n_train=2, n_valid=1).fit(1)
    assert len(calls) == (3 if verb in ("forward", "get_loss") else 2)


def test_an_overridden_step_can_be_momentum_by_hand(make_learner):
    class Momentum(Learner):
        def step(self):
            with torch.no_grad():
                for p in self.model.parameters():
                    avg = self.opt.state[p].setdefault("avg", torch.zeros_like(p))
                    avg.mul_(0.9).add_(p.grad)
                    p.sub_(0.1 * avg)
            self.opt.zero_grad()

    def torchs(params, lr):
        return torch.optim.SGD(params, lr=lr, momentum=0.9)

    ours, theirs = make_learner(kind=Momentum), make_learner(opt=torchs)
    ours.fit(2)
    theirs.fit(2)
    torch.testing.assert_close(ours.model.weight, theirs.model.weight)


# Signals


def expected(event, signal):
    """Return the events of a fit of one epoch, when `event` first raises a signal.

    None if the signal has no meaning there.
    """
    batch_events = set(TRAIN)
    train_events = {"before_train", "after_train", *batch_events}
    pass_events = {*train_events, "before_validate", "after_validate"}
    meant = {
        DeferStep: {"after_backward"},
        CancelStep: {"after_backward", "before_step", "after_step"},
        CancelBatch: batch_events - CLEANUPS,
        CancelEpoch: pass_events - {"cleanup_batch"},
        CancelFit: set(EVENTS) - CLEANUPS,
    }
    whole = ["before_fit", *epoch(), "after_fit", "cleanup_fit"]
    if event not in meant[signal]:
        return None
    cut = whole.index(event)
    head, tail = whole[: cut + 1], whole[cut + 1 :]
    goes_on = {
        DeferStep: "after_batch",
        CancelStep: "after_batch",
        CancelBatch: "cleanup_batch",
        CancelEpoch: "cleanup_pass",
        CancelFit: "cleanup_fit",
    }[signal]
    # On its way out a signal meets the clean-ups of the scopes that it leaves.
    inner = {CancelEpoch: ["batch"], CancelFit: ["batch", "pass"]}.get(signal, [])
    cleaned = [f"cleanup_{scope}" for scope in inner if is_open(scope, head)]
    return head + cleaned + tail[tail.index(goes_on) :]


def is_open(scope, events):
    """Whether a batch or pass has begun that has not been cleaned up."""
    begins = {"batch": ("before_batch",), "pass": ("before_train", "before_validate")}
    began = sum(events.count(event) for event in begins[scope])
    return began > events.count(f"cleanup_{scope}")


IN_A_FIT = [event for event in EVENTS if "predict" not in event]


@pytest.mark.parametrize("event", sorted(set(IN_A_FIT) - CLEANUPS))
@pytest.mark.parametrize("signal", SIGNALS)
def test_each_signal_at_each_event(make_learner, event, signal):
    log = Log(**{event: raising(signal("enough"))})
    learn = make_learner(log)
    events = expected(event, signal)
    if events is None:
        with pytest.raises(OptionError, match=f"{signal.__name__} must be raised in"):
            learn.fit(1)
        assert log.events[-1] == "cleanup_fit"
        assert log.events.count("cleanup_fit") == 1
    else:
        learn.fit(1)
        assert log.events == events
        assert learn.stop_reason == ("enough" if signal is CancelFit else "")


@pytest.mark.parametrize("scope", ["batch", "pass", "fit"])
@pytest.mark.parametrize("signal", [DeferStep, CancelStep, CancelBatch])
def test_a_signal_that_a_clean_up_raises_is_an_error(make_learner, scope, signal):
    log = Log(**{f"cleanup_{scope}": raising(signal())})
    with pytest.raises(OptionError, match=f"{signal.__name__} must be raised in"):
        make_learner(log).fit(1)
    assert log.events[-1] == "cleanup_fit"


def test_the_base_of_the_signals_is_none(make_learner):
    with pytest.raises(OptionError, match="raise one of its kinds"):
        make_learner(Log(after_loss=raising(Cancel()))).fit(1)


def test_defer_step_keeps_the_gradients_for_the_next_batch(make_learner):
    grads = []

    class Defer(Callback):
        def after_backward(self, learn):
            grads.append(learn.model.weight.grad.clone())
            if learn.iter < 2:
                raise DeferStep

    learn = make_learner(Defer(), n_valid=0)
    learn.fit(1)
    assert learn.step_count == 1
    x, y = (torch.cat(part) for part in zip(*learn.dls.train, strict=True))
    whole = make_learner()
    (3 * nn.functional.mse_loss(whole.model(x), y)).backward()
    torch.testing.assert_close(grads[2], whole.model.weight.grad)


@pytest.mark.parametrize("event", ["after_backward", "before_step", "after_step"])
@pytest.mark.parametrize("signal", [CancelStep, CancelBatch, CancelEpoch, CancelFit])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_step_or_batch_that_is_left_leaves_no_gradient(
    make_learner, event, signal, scaled
):
    learn = make_learner(Log(**{event: raising(signal())}))
    learn.scaler = torch.amp.GradScaler("cpu", init_scale=8.0, enabled=scaled)
    learn.fit(1)
    assert learn.model.weight.grad is None
    learn.fit(1)  # and the scaler does not take the next gradients for unscaled ones
    assert learn.model.weight.isfinite().all()


def test_cancel_step_keeps_the_weights_and_drops_the_gradients(make_learner):
    def check(learn):
        assert learn.step_count == 0
        assert all(p.grad is None for p in learn.model.parameters())

    log = Log(after_backward=raising(CancelStep()), after_batch=check)
    learn = make_learner(log, n_train=1, n_valid=0)
    before = learn.model.weight.clone()
    learn.fit(1)
    assert "after_step" not in log.events
    assert torch.equal(learn.model.weight, before)


def test_later_handlers_of_an_event_are_not_called_after_a_signal(make_learner):
    class Raise(Callback):
        def before_batch(self, learn):
            raise CancelBatch

    log = Log()
    make_learner(Raise(), log).fit(1)
    assert "before_batch" not in log.events
    assert "cleanup_batch" in log.events  # those of a clean-up are, all of them
    assert log.events[-2:] == ["after_fit", "cleanup_fit"]


def test_the_reason_of_one_fit_is_not_that_of_the_next(make_learner):
    learn = make_learner(Log(before_epoch=raising(CancelFit("why"))))
    learn.fit(1)
    assert learn.stop_reason == "why"
    learn.fit(1)
    assert learn.stop_reason == ""


# Errors and clean-up


@pytest.mark.parametrize("event", IN_A_FIT)
@pytest.mark.parametrize(
    "error", [ZeroDivisionError, KeyboardInterrupt, SystemExit, StopIteration]
)
def test_an_error_in_a_handler_comes_out_after_the_clean_up(make_learner, event, error):
    log = Log(**{event: raising(error("boom"))})
    learn = make_learner(log)
    with pytest.raises(error, match="boom"):
        learn.fit(1)
    assert log.events[-1] == "cleanup_fit"
    assert log.events.count("cleanup_fit") == 1
    assert event == "after_fit" or "after_fit" not in log.events or event == EVENTS[-1]
    log.events.clear()
    learn.fit(1)  # and the Learner can be used again
    assert log.events == ["before_fit", *epoch(), "after_fit", "cleanup_fit"]


def test_every_clean_up_runs_even_if_others_fail(make_learner):
    calls = []

    class Clean(Callback):
        def __init__(self, name, error=None):
            self.name, self.error = name, error

        def cleanup_fit(self, learn):
            calls.append(self.name)
            if self.error:
                raise self.error

    learn = make_learner(
        Clean("a"), Clean("b", OSError("full")), Clean("c", ValueError("c")), Clean("d")
    )
    with pytest.raises(OSError, match="full") as caught:
        learn.fit(1)
    assert calls == ["d", "c", "b", "a"]
    assert isinstance(caught.value.__cause__, ValueError)  # neither is lost


def test_clean_up_runs_backwards_after_ctrl_c_in_the_model(make_learner):
    log, calls = Log(), []

    class Early(Callback):
        order = -5  # so the last to put back what it has changed

        def cleanup_fit(self, learn):
            calls.append(len(log.events))

    learn = make_learner(log, Early())
    learn.model.register_forward_hook(lambda *_: raising(KeyboardInterrupt())(None))
    with pytest.raises(KeyboardInterrupt):
        learn.fit(1)
    cleaned = ["cleanup_batch", "cleanup_pass", "cleanup_fit"]
    assert log.events[-4:] == ["before_batch", *cleaned]
    assert calls == [len(log.events)]


def test_gradients_that_an_interrupted_fit_left_do_not_reach_the_next(make_learner):
    hurt = make_learner(Log(after_backward=raising(KeyboardInterrupt())))
    with pytest.raises(KeyboardInterrupt):
        hurt.fit(1)
    assert hurt.model.weight.grad is not None
    hurt.fit(1)
    whole = make_learner()
    whole.fit(1)
    assert torch.equal(hurt.model.weight, whole.model.weight)


@pytest.mark.parametrize("call", ["fit", "validate", "get_preds", "predict"])
def test_a_fit_inside_a_fit_is_refused_and_the_outer_one_is_unharmed(
    make_learner, call
):
    refused = []

    def nested(learn):
        args = {"fit": (1,), "predict": (torch.zeros(1, 3),)}.get(call, ())
        row, batch = learn.row, learn.batch
        with pytest.raises(OptionError, match="Only one fit or validation") as caught:
            getattr(learn, call)(*args)
        refused.append(caught.value)
        assert (learn.row, learn.batch) == (row, batch)

    log = Log(after_loss=nested)
    make_learner(log).fit(1)
    assert len(refused) == 1
    assert log.events == ["before_fit", *epoch(), "after_fit", "cleanup_fit"]


# Arguments


@pytest.mark.parametrize("when", ["init", "fit"])
def test_a_class_instead_of_a_callback_is_refused(make_learner, when):
    with pytest.raises(DTypeError, match=r"Did you mean Log\(\)\?"):
        make_learner(Log) if when == "init" else make_learner().fit(1, cbs=[Log])


def test_the_callers_lists_are_never_changed(make_learner):
    mine, more = [Log()], [Log()]
    learn = make_learner()
    learn = Learner(learn.model, learn.dls, learn.loss_func, learn.opt, cbs=mine)
    learn.fit(1, cbs=more)
    learn.cbs.append(Log())
    assert len(mine) == len(more) == 1


def test_callbacks_of_one_fit_listen_to_that_fit_only(make_learner):
    own, guest = Log(), Log()
    learn = make_learner(own)
    learn.fit(1, cbs=(cb for cb in [guest]))
    assert own.events == guest.events
    learn.fit(1)
    assert len(own.events) == 2 * len(guest.events)
    assert learn.active_cbs == []


def test_a_callback_that_listens_already_is_refused_for_the_fit(make_learner):
    log = Log()
    with pytest.raises(OptionError, match="Each callback must be given once"):
        make_learner(log).fit(1, cbs=[log])
    assert log.events == []


def test_what_callbacks_read_of_each_other(make_learner):
    seen = []
    own, guest = Log(before_fit=lambda learn: seen.extend(learn.active_cbs)), Log()
    make_learner(own).fit(1, cbs=[guest])
    assert seen == [own, guest]


def test_a_second_fit_goes_on_with_the_same_optimizer(make_learner):
    twice, once = make_learner(opt=torch.optim.Adam), make_learner(opt=torch.optim.Adam)
    twice.fit(1)
    twice.fit(1)
    once.fit(2)
    assert torch.equal(twice.model.weight, once.model.weight)
    assert twice.step_count == once.step_count == 6
    assert [row["epoch"] for row in twice.history] == [0, 0]


def test_the_learning_rate_of_a_fit_stays(make_learner):
    learn = make_learner()
    learn.fit(1, lr=0.25)
    learn.fit(1)
    assert learn.opt.param_groups[0]["lr"] == 0.25


# Data


def test_a_loader_without_length_has_n_iter_0(make_learner):
    class Endless:
        def __init__(self, batches):
            self.batches = batches

        def __iter__(self):
            return iter(self.batches)

    lengths = []
    learn = make_learner(Log(after_batch=lambda learn: lengths.append(learn.n_iter)))
    learn.dls = DataLoaders(Endless(learn.dls.train))
    learn.fit(1)
    assert lengths == [0]
    assert learn.step_count == 3


# One path for all precisions


def test_autocast_and_scaler_are_used_where_a_callback_sets_them(make_learner):
    class Half(Callback):
        def before_fit(self, learn):
            learn.autocast = lambda: torch.autocast("cpu", dtype=torch.bfloat16)

        def after_pred(self, learn):
            assert learn.pred.dtype == torch.bfloat16

        def after_loss(self, learn):
            assert learn.loss.dtype == torch.float32

    make_learner(Half()).fit(1)


def test_a_real_scaler_scales_what_handlers_of_after_backward_see(make_learner):
    grads = []

    def scaled(learn):
        learn.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)

    def look(learn):
        grads.append(learn.model.weight.grad.clone())

    plain = make_learner(Log(after_backward=look))
    plain.fit(1)
    learn = make_learner(Log(before_fit=scaled, after_backward=look))
    learn.fit(1)
    torch.testing.assert_close(grads[1], 8 * grads[0])
    torch.testing.assert_close(learn.model.weight, plain.model.weight)


def test_emit_is_there_for_loops_of_ones_own(make_learner):
    log = Log()
    learn = make_learner(log)
    learn.emit("before_fit")
    assert log.events == []  # nobody listens between fits


# Mixed precision


def with_scale(scale):
    class Scaled(Callback):
        def before_fit(self, learn):
            learn.scaler = torch.amp.GradScaler("cpu", init_scale=scale)

    return Scaled()


@pytest.mark.parametrize("clip", [[], [GradientClip(1.0)], [GradientClip(1.0, 0.1)]])
def test_a_step_that_the_scaler_skips_is_none(make_learner, clip):
    log, recorder = Log(), Recorder()
    halve = TorchScheduler(partial(torch.optim.lr_scheduler.StepLR, step_size=1))
    cbs = [with_scale(1e38), log, halve, recorder, *clip]
    learn = make_learner(*cbs, n_train=12, lr=0.01)
    before = learn.model.weight.clone()
    taken = []
    log.then["before_step"] = lambda learn: taken.append(learn.model.weight.clone())
    learn.fit(1)
    assert torch.equal(taken[0], before)
    skipped = 12 - learn.step_count
    assert 0 < skipped < 12
    assert log.events.count("after_step") == learn.step_count
    assert recorder.values("lr")[:skipped].unique().item() == 0.01
    assert not torch.equal(learn.model.weight, before)
    assert learn.model.weight.isfinite().all()


def test_the_scaled_fit_is_the_plain_one_but_for_the_steps_it_skipped(make_learner):
    plain, scaled = make_learner(n_train=6), make_learner(with_scale(1024.0), n_train=6)
    plain.fit(1)
    scaled.fit(1)
    torch.testing.assert_close(plain.model.weight, scaled.model.weight)
    assert scaled.step_count == 6


# Modes


class Modes(Callback):
    def __init__(self):
        self.seen = []

    def before_batch(self, learn):
        self.seen.append([module.training for module in learn.model])


def test_what_is_frozen_in_evaluation_mode_stays_so(make_learner):
    modes = Modes()
    learn = make_learner(modes, n_train=1, n_valid=1)
    learn.model = nn.Sequential(learn.model, nn.BatchNorm1d(1), nn.Dropout(0.5))
    learn.opt = torch.optim.SGD(learn.model.parameters(), lr=0.1)
    learn.model[1].eval()
    mean = learn.model[1].running_mean.clone()
    learn.fit(2)
    assert modes.seen == [[True, False, True], [False] * 3] * 2
    assert torch.equal(learn.model[1].running_mean, mean)
    learn.predict(torch.zeros(1, 3))
    assert learn.model.training
    assert [module.training for module in learn.model] == [True, False, True]


@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize("end", [None, CancelEpoch(), KeyboardInterrupt()])
def test_modes_are_afterwards_as_before(make_learner, root, end):
    learn = make_learner(*([Log(after_loss=raising(end))] if end else []))
    learn.model = nn.Sequential(learn.model, nn.Dropout(0.0)).train(root)
    learn.opt = torch.optim.SGD(learn.model.parameters(), lr=0.1)
    with (
        nullcontext()
        if not isinstance(end, KeyboardInterrupt)
        else pytest.raises(KeyboardInterrupt)
    ):
        learn.fit(1)
    assert {module.training for module in learn.model.modules()} == {root}


def test_a_model_that_is_all_in_evaluation_mode_is_trained(make_learner):
    modes = Modes()
    learn = make_learner(modes, n_train=1, n_valid=0)
    learn.model = nn.Sequential(learn.model).eval()
    learn.fit(1)
    assert modes.seen == [[True]]


# Memory


def test_after_a_fit_nothing_of_the_last_batch_is_kept(make_learner):
    learn = make_learner()
    learn.fit(1)
    assert learn.batch == learn.true_batch == ()
    assert learn.pred is None
    assert learn.loss.grad_fn is None


# Learned parameters of the loss


class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, pred, y):
        assert self.training == torch.is_grad_enabled()
        return self.scale.square() * nn.functional.mse_loss(pred, y)


def test_parameters_of_the_loss_are_trained(make_learner):
    start = make_learner()
    loss = Weighted()
    learn = Learner(start.model, start.dls, loss, torch.optim.SGD, lr=0.01)
    learn.fit(1)
    assert loss.scale.item() < 2
    assert loss.training


def test_an_optimizer_of_ones_own_may_leave_the_loss_alone(make_learner):
    start, loss = make_learner(), Weighted()
    Learner(start.model, start.dls, loss, start.opt).fit(1)
    assert loss.scale.item() == 2
