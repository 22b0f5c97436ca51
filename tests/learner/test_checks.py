import pytest
import torch
from torch import nn

from minifast.data import DataLoaders
from minifast.errors import DTypeError, OptionError, ShapeError
from minifast.learner import Learner


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


def test_a_learning_rate_is_needed_where_the_optimizer_has_none(make_learner):
    learn = make_learner()
    with pytest.raises(OptionError, match="got: none, and SGD has none of its own"):
        Learner(learn.model, learn.dls, learn.loss_func)
    opt = Learner(learn.model, learn.dls, learn.loss_func, lr=0.3).opt
    assert opt.param_groups[0]["lr"] == 0.3


def test_a_pass_without_a_batch_is_refused(make_learner):
    learn = make_learner()
    learn.dls = DataLoaders([], None)
    with pytest.raises(OptionError, match="none in the training pass of epoch 0"):
        learn.fit(1)


def test_an_iterator_is_found_out_in_the_second_epoch(make_learner):
    learn = make_learner(n_valid=0)
    learn.dls = DataLoaders(iter(learn.dls.train))
    with pytest.raises(OptionError, match=r"epoch 1, from list_iterator\n.*used up"):
        learn.fit(2)


def test_a_loss_that_is_no_scalar_is_refused(make_learner):
    learn = make_learner()
    learn.loss_func = nn.MSELoss(reduction="none")
    with pytest.raises(ShapeError, match=r"one number.*\n  got: tensor \(4, 1\)"):
        learn.fit(1)
    learn.loss_func = lambda pred, y: 0.5
    with pytest.raises(DTypeError, match=r"got: float 0\.5"):
        learn.fit(1)


def test_an_error_of_the_model_says_in_which_batch_and_what_it_got(make_learner):
    learn = make_learner()
    learn.dls = DataLoaders([*learn.dls.train, (torch.zeros(4, 7), torch.zeros(4, 1))])
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as caught:
        learn.fit(1)
    shapes = "(tensor (4, 7) float32 on cpu, tensor (4, 1) float32 on cpu)"
    note = f"In batch 3 of the training pass of epoch 0; last batch: {shapes}"
    assert caught.value.__notes__ == [note]


def test_an_error_of_the_loss_says_what_it_got(make_learner):
    learn = make_learner()
    learn.loss_func = nn.functional.cross_entropy
    learn.dls = DataLoaders([({"x": [torch.zeros(4, 3)]}, torch.zeros(5))])
    learn.forward = lambda: torch.zeros(4, 2)
    with pytest.raises((RuntimeError, ValueError)) as caught:
        learn.fit(1)
    assert "{'x': (tensor (4, 3)" in caught.value.__notes__[0]
    assert "prediction: tensor (4, 2) float32 on cpu" in caught.value.__notes__[0]


def test_an_error_of_the_loader_is_told_as_such(make_learner):
    class Broken:
        def __iter__(self):
            raise OSError("no disk")

    learn = make_learner()
    learn.dls = DataLoaders(Broken())
    with pytest.raises(OSError, match="no disk") as caught:
        learn.fit(1)
    assert "the training pass of epoch 0; last batch: none" in caught.value.__notes__[0]
