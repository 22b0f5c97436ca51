import pytest
import torch
from torch import nn

from minifast.callbacks import OneCycle, ParamScheduler, lr_find
from minifast.errors import DTypeError, OptionError, ShapeError
from minifast.learner import Learner
from minifast.optim import constant


@pytest.mark.parametrize("n_epochs", [0, -1, 1.5, "2", None])
def test_the_number_of_epochs_must_be_positive(make_learner, n_epochs):
    with pytest.raises(OptionError, match="whole number of at least 1"):
        make_learner().fit(n_epochs)


def test_data_without_loaders_are_refused(make_learner):
    learn = make_learner()
    with pytest.raises(DTypeError, match=r"Use DataLoaders\(train, valid\)"):
        Learner(learn.model, [1, 2], learn.loss_func, learn.opt)


def test_an_optimizer_over_other_parameters_is_refused(make_learner):
    learn = make_learner()
    other = torch.optim.SGD(nn.Linear(3, 1).parameters(), lr=0.1)
    with pytest.raises(OptionError, match="must hold parameters of the model"):
        Learner(learn.model, learn.dls, learn.loss_func, other)


def test_the_optimizer_may_be_made_or_given(make_learner):
    learn = make_learner(opt=torch.optim.Adam, lr=0.5)
    assert isinstance(learn.opt, torch.optim.Adam)
    assert learn.opt.param_groups[0]["lr"] == 0.5
    given = torch.optim.SGD(learn.model.parameters(), lr=0.1)
    again = Learner(learn.model, learn.dls, learn.loss_func, given, lr=0.2)
    assert again.opt is given
    assert given.param_groups[0]["lr"] == 0.2
    assert Learner(learn.model, learn.dls, learn.loss_func, torch.optim.Adam).opt


def test_a_learning_rate_may_come_later_and_must_come(make_learner):
    plain = make_learner()
    learn = Learner(plain.model, plain.dls, plain.loss_func)
    before = plain.model.weight.clone()
    with pytest.raises(OptionError, match="got: none, and SGD has none of its own"):
        learn.fit(1)
    learn.fit(1, cbs=[OneCycle(0.1)])
    assert not torch.equal(plain.model.weight, before)
    assert plain.model.weight.isfinite().all()
    with pytest.raises(OptionError, match="There must be a learning rate"):
        learn.fit(1)  # the schedule has put back that there is none
    lr_find(learn, n_steps=4)
    learn.fit(1, lr=0.2)
    assert learn.opt.param_groups[0]["lr"] == 0.2
    assert plain.model.weight.isfinite().all()


def test_groups_wait_for_their_rates_too(make_learner):
    def split(model):
        return [[model.weight], [model.bias]]

    plain = make_learner()
    learn = Learner(plain.model, plain.dls, plain.loss_func, splitter=split)
    learn.fit(1, lr=slice(0.01, 0.1))
    lrs = [group["lr"] for group in learn.opt.param_groups]
    assert lrs == pytest.approx([0.01, 0.1])
    assert Learner(plain.model, plain.dls, plain.loss_func, lr=0.3).opt.param_groups[0][
        "lr"
    ] == pytest.approx(0.3)


def test_a_rate_beside_a_schedule_is_refused(make_learner):
    learn = make_learner(OneCycle(0.1))
    with pytest.raises(OptionError, match=r"fit\(lr=0.5\) beside OneCycle"):
        learn.fit(1, lr=0.5)
    assert learn.opt.param_groups[0]["lr"] == 0.1
    make_learner(ParamScheduler(weight_decay=constant(0.1))).fit(1, lr=0.5)


def test_an_optimizer_that_needs_a_closure_is_refused(make_learner):
    with pytest.raises(OptionError, match="got: LBFGS, which needs a closure"):
        make_learner(opt=torch.optim.LBFGS)
    made = make_learner()
    given = torch.optim.LBFGS(made.model.parameters())
    with pytest.raises(OptionError, match=r"override step\(\)"):
        Learner(made.model, made.dls, made.loss_func, given)


def test_a_subclass_may_step_with_a_closure(make_learner):
    class Again(Learner):
        def step(self):
            def closure():
                self.opt.zero_grad()
                with torch.enable_grad():
                    self.pred = self.forward()
                    loss = self.get_loss()
                loss.backward()
                return loss

            self.opt.step(closure)
            return True

    learn = make_learner(opt=torch.optim.LBFGS, lr=0.5, kind=Again)
    learn.fit(5)
    assert learn.validate()["valid_loss"] < 1e-3


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        ({"model": nn.Linear}, DTypeError, r"the class Linear\n  fix: .*Linear\(\)\?"),
        ({"model": None}, DTypeError, "must be a torch.nn.Module"),
        ({"dls": nn.ReLU()}, DTypeError, "got: ReLU ReLU"),
        ({"model": 1, "dls": nn.ReLU()}, DTypeError, "got: int, then ReLU"),
        ({"loss_func": nn.MSELoss}, DTypeError, r"Did you mean MSELoss\(\)\?"),
        ({"loss_func": "mse"}, DTypeError, "got: str of length 3"),
        ({"opt": "adam"}, DTypeError, "got: str of length 4"),
        ({"inputs": "image"}, OptionError, r"Pass inputs=\['image'\]"),
        ({"inputs": 0}, OptionError, "got: inputs=0"),
    ],
)
def test_what_a_learner_cannot_be_made_of_is_refused(
    make_learner, args, error, message
):
    made = make_learner()
    parts = {"model": made.model, "dls": made.dls, "loss_func": made.loss_func}
    with pytest.raises(error, match=message):
        Learner(**(parts | args), lr=0.1)


def test_a_loss_that_is_no_scalar_is_refused(make_learner):
    learn = make_learner()
    learn.loss_func = nn.MSELoss(reduction="none")
    with pytest.raises(ShapeError, match=r"one number.*\n  got: tensor \(4, 1\)"):
        learn.fit(1)
    learn.loss_func = lambda pred, y: 0.5
    with pytest.raises(DTypeError, match=r"got: float 0\.5"):
        learn.fit(1)
