import pytest
import torch
from torch import nn

from minifast.data import DataLoaders
from minifast.errors import OptionError, UnknownNameError
from minifast.learner import Learner
from minifast.learner.callback import EVENTS, Callback
from minifast.learner.learner import depth


class Count(Callback):
    def __init__(self):
        self.batches, self.cleaned = 0, 0

    def before_fit(self, learn):
        raise AssertionError("no fit has begun")

    cleanup_fit = after_fit = before_fit

    def before_batch(self, learn):
        assert not learn.training
        assert learn.n_epochs == 0
        self.batches += 1

    def cleanup_pass(self, learn):
        self.cleaned += 1


# validate


def test_validate_is_the_mean_over_samples_not_over_batches(make_learner):
    learn = make_learner()
    x, y = torch.randn(7, 3), torch.randn(7, 1)
    uneven = [(x[:5], y[:5]), (x[5:], y[5:])]
    whole = nn.functional.mse_loss(learn.model(x), y).item()
    figures = learn.validate(uneven)
    assert figures == pytest.approx({"valid_loss": whole})


def test_validate_takes_the_validation_data_and_changes_nothing(make_learner):
    learn = make_learner(n_valid=2)
    before = learn.model.weight.clone()
    learn.model.weight.grad = torch.ones(1, 3)
    count = Count()
    learn.validate(cbs=[count])
    assert count.batches == 2
    assert count.cleaned == 1
    assert learn.history == []
    assert learn.step_count == 0
    assert torch.equal(learn.model.weight, before)
    assert torch.equal(learn.model.weight.grad, torch.ones(1, 3))


def test_figures_of_callbacks_are_in_what_validate_returns(make_learner):
    class Figure(Callback):
        def after_validate(self, learn):
            learn.row["seven"] = 7.0

    figures = make_learner(Figure()).validate()
    assert figures["seven"] == 7
    assert set(figures) == {"valid_loss", "seven"}


def test_validate_and_the_others_run_in_evaluation_mode(make_learner):
    learn = make_learner()
    learn.model = nn.Sequential(learn.model, nn.Dropout(0.5))
    assert learn.validate() == learn.validate()
    assert torch.equal(learn.get_preds()[0], learn.get_preds()[0])
    x = torch.randn(4, 3)
    assert torch.equal(learn.predict(x), learn.predict(x))
    assert not learn.predict(x).requires_grad


def test_without_validation_data_there_is_a_clear_error(make_learner):
    learn = make_learner(n_valid=0)
    for call in (learn.validate, learn.get_preds):
        with pytest.raises(
            OptionError, match=r"got: dls.valid is None\n.*validate\(dl"
        ):
            call()
    with pytest.raises(OptionError, match="none in the validation pass"):
        learn.validate([])


# predict and get_preds


def test_get_preds_gives_all_predictions_with_their_targets(make_learner):
    learn = make_learner()
    preds, targets = learn.get_preds()
    x = torch.cat([x for x, _ in learn.dls.valid])
    torch.testing.assert_close(preds, learn.model(x).detach())
    assert torch.equal(targets, torch.cat([y for _, y in learn.dls.valid]))
    assert len(learn.get_preds(learn.dls.train)[0]) == 12


def test_predict_needs_no_targets_and_no_loss(make_learner):
    learn = make_learner()
    learn.loss_func = None  # never called
    x = torch.randn(5, 3)
    torch.testing.assert_close(learn.predict(x), learn.model(x).detach())


def test_predict_goes_through_forward_and_callbacks(make_learner):
    class Twice(Learner):
        def forward(self):
            return 2 * self.model(self.batch[0])

    class Zero(Callback):
        def before_batch(self, learn):
            learn.batch = (0 * learn.batch[0], *learn.batch[1:])

    x = torch.randn(5, 3)
    learn = make_learner(kind=Twice)
    torch.testing.assert_close(learn.predict(x), 2 * learn.model(x).detach())
    assert torch.equal(make_learner(Zero()).predict(x), torch.zeros(5, 1))


def test_predict_gives_whatever_the_model_gives(make_learner):
    learn = make_learner()
    learn.model = nn.LSTM(3, 2)
    out, (h, c) = learn.predict(torch.randn(5, 4, 3))
    assert out.shape == (5, 4, 2)
    assert h.shape == c.shape == (1, 4, 2)


def test_without_targets_there_are_none(make_learner):
    learn, x = make_learner(), torch.randn(4, 3)
    for batch in ((x,), [x], x):
        preds, targets = learn.get_preds([batch, batch])
        torch.testing.assert_close(preds[:4], learn.model(x).detach())
        assert len(preds) == 8
        assert targets is None


# save and load


def test_save_and_load_go_on_as_if_nothing_had_happened(make_learner, tmp_path):
    straight, broken = (make_learner(opt=torch.optim.Adam) for _ in range(2))
    straight.fit(2)
    broken.fit(1)
    broken.save(tmp_path / "deep" / "weights.pt")
    again = make_learner(opt=torch.optim.Adam)
    again.load(tmp_path / "deep" / "weights.pt")
    again.fit(1)
    assert torch.equal(again.model.weight, straight.model.weight)


def test_load_can_leave_the_optimizer_alone(make_learner, tmp_path):
    learn = make_learner(opt=torch.optim.Adam)
    learn.fit(1)
    learn.save(tmp_path / "a.pt")
    other = make_learner(opt=torch.optim.Adam, lr=0.5)
    other.load(tmp_path / "a.pt", with_opt=False)
    assert torch.equal(other.model.weight, learn.model.weight)
    assert not other.opt.state
    assert other.opt.param_groups[0]["lr"] == 0.5


def test_a_scaler_that_is_on_is_restored(make_learner):
    learn = make_learner()
    learn.scaler = torch.amp.GradScaler("cpu", init_scale=32.0)
    learn.fit(1)
    state = learn.state_dict()
    learn.scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    learn.load_state_dict(state)
    assert learn.scaler.get_scale() == 32.0
    learn.scaler = torch.amp.GradScaler("cpu", enabled=False)
    learn.load_state_dict(state)
    assert not learn.scaler.is_enabled()


def test_a_state_that_does_not_fit_changes_neither_model_nor_optimizer(make_learner):
    learn = make_learner(opt=torch.optim.Adam)
    learn.fit(1)
    weights, moments = learn.model.state_dict(), learn.opt.state_dict()["state"]
    kept = {k: v.clone() for k, v in weights.items()}
    state = learn.state_dict()
    bad_model = state | {"model": weights | {"extra": torch.zeros(1)}}
    bad_opt = state | {"opt": {"state": {}, "param_groups": []}}
    bad_opt["model"] = {k: v + 1 for k, v in weights.items()}
    for bad in (bad_model, bad_opt):
        with pytest.raises(ValueError, match=r"weights|parameter groups"):
            learn.load_state_dict(bad)
        assert all(torch.equal(kept[k], v) for k, v in learn.model.state_dict().items())
        assert learn.opt.state_dict()["state"] == moments


# Who listens


def test_added_and_removed_callbacks_are_so_for_a_block(make_learner):
    own, guest = Count(), Count()
    learn = make_learner(own)
    with learn.added_cbs(guest):
        learn.validate()
        with learn.removed_cbs(own, guest):
            learn.validate()
    learn.validate()
    assert learn.cbs == [own]
    assert (own.batches, guest.batches) == (4, 2)


def test_added_callbacks_go_after_an_error_too(make_learner):
    learn = make_learner()
    with pytest.raises(ZeroDivisionError), learn.added_cbs(Count()):
        raise ZeroDivisionError
    assert learn.cbs == []
    twice = [Count()] * 2
    with pytest.raises(OptionError, match="given once"), learn.added_cbs(*twice):
        learn.validate()
    assert learn.cbs == []


def test_find_gives_the_first_of_a_class(make_learner):
    first = Count()
    learn = make_learner(Callback(), first, Count())
    assert learn.find(Count) is first
    with pytest.raises(UnknownNameError, match="must be one of: Callback, Count"):
        learn.find(Learner)


class Listener(Callback):
    def before_fit(self, learn): ...
    def before_batch(self, learn): ...
    def cleanup_fit(self, learn): ...


def test_events_are_as_deep_as_what_they_are_part_of():
    assert [depth(event) for event in EVENTS] == [
        0,
        1,
        *[2] * 3,
        *[3] * 8,
        *[2] * 4,
        1,
        0,
        0,
    ]


def test_printing_shows_who_listens_to_what(make_learner):
    class Early(Callback):
        order = -1

        def before_batch(self, learn): ...
        def after_validate(self, learn): ...
        def cleanup_fit(self, learn): ...

    learn = make_learner(Listener(), Early())
    assert repr(learn).splitlines() == [
        "Learner: Linear with 4 parameters, mse_loss, SGD",
        "before_fit              Listener",
        "  before_epoch          -",
        "    before_train        -",
        "    before_validate     -",
        "    before_predict      -",
        "      before_batch      Early, Listener",
        "      after_pred        -",
        "      after_loss        -",
        "      after_backward    -",
        "      before_step       -",
        "      after_step        -",
        "      after_batch       -",
        "      cleanup_batch     -",
        "    after_train         -",
        "    after_validate      Early",
        "    after_predict       -",
        "    cleanup_pass        -",
        "  after_epoch           -",
        "after_fit               -",
        "cleanup_fit             Listener, Early",
    ]


def test_printing_names_losses_that_are_objects(make_learner):
    learn = make_learner()
    learn.loss_func = nn.MSELoss()
    learn.dls = DataLoaders([])
    assert "MSELoss, SGD" in repr(learn)
