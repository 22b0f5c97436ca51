import copy
import inspect
import pickle

import pytest
import torch

from minifast.errors import DTypeError, MinifastError, MissingAttributeError
from minifast.learner import EVENTS, Learner
from minifast.learner.habits import ARGUMENTS, ATTRIBUTES, event_meant


def words(table):
    return [(name, fix) for names, fix in table.items() for name in names.split()]


@pytest.mark.parametrize(("name", "fix"), words(ARGUMENTS))
def test_an_argument_of_another_library_is_explained(make_learner, name, fix):
    learn = make_learner()
    with pytest.raises(DTypeError) as caught:
        Learner(learn.model, learn.dls, learn.loss_func, lr=0.1, **{name: None})
    must, got, hint = str(caught.value).splitlines()
    assert must.startswith("Learner takes model, dls, loss_func, opt, lr, cbs")
    assert got == f"  got: {name}=..."
    assert hint == f"  fix: {fix}"


def test_any_other_is_a_misspelling_or_none(make_learner):
    learn = make_learner()
    parts = learn.model, learn.dls, learn.loss_func
    with pytest.raises(TypeError, match="Did you mean 'splitter'"):
        Learner(*parts, spliter=None)
    with pytest.raises(TypeError, match="fix: Leave it out"):
        Learner(*parts, zzz=None)


@pytest.mark.parametrize(("name", "fix"), words(ATTRIBUTES))
def test_an_attribute_of_another_library_is_explained(make_learner, name, fix):
    learn = make_learner()
    assert not hasattr(learn, name)
    assert getattr(learn, name, None) is None
    with pytest.raises(MissingAttributeError) as caught:
        getattr(learn, name)
    assert str(caught.value).splitlines()[1:] == [f"  got: .{name}", f"  fix: {fix}"]


def test_no_name_of_our_own_is_in_the_tables(make_learner):
    attributes = {name for name, _ in words(ATTRIBUTES)}
    assert not attributes & {*dir(make_learner())}
    arguments = {name for name, _ in words(ARGUMENTS)}
    assert not arguments & {*inspect.signature(Learner).parameters}


def test_other_attributes_are_missing_as_usual(make_learner):
    learn = make_learner()
    with pytest.raises(AttributeError, match="has no attribute 'zzz'") as caught:
        learn.zzz  # noqa: B018
    assert not isinstance(caught.value, MinifastError)
    assert (caught.value.name, caught.value.obj) == ("zzz", learn)


def test_a_property_that_fails_says_how():
    class Fails(Learner):
        @property
        def recorder(self):
            return torch.nothing

    fails = Fails.__new__(Fails)  # as copying and unpickling begin
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        fails.recorder  # noqa: B018


def test_learners_copy_and_pickle(make_learner):
    learn = make_learner()
    learn.loss_func = torch.nn.functional.mse_loss
    for again in (copy.deepcopy(learn), pickle.loads(pickle.dumps(learn))):
        again.fit(1)
        assert len(again.history) == 1


def test_a_subclass_may_have_arguments_of_its_own(make_learner):
    class Own(Learner):
        def __init__(self, *args, metrics, **kwargs):
            super().__init__(*args, **kwargs)
            self.metrics = metrics

    learn = make_learner()
    own = Own(learn.model, learn.dls, learn.loss_func, lr=0.1, metrics=3)
    assert own.metrics == 3


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("on_train_epoch_end", "after_epoch"),
        ("on_train_batch_start", "before_batch"),
        ("on_validation_end", "after_validate"),
        ("on_validation_epoch_start", "before_validate"),
        ("on_train_begin", "before_fit"),
        ("on_fit_end", "after_fit"),
        ("on_before_optimizer_step", "before_step"),
        ("on_after_backward", "after_backward"),
        ("begin_epoch", "before_epoch"),
        ("on_loss_begin", "before_loss"),  # there is none: did_you_mean takes over
        ("on_exception", ""),
    ],
)
def test_events_of_other_libraries_are_known(name, event):
    assert event_meant(name) == event
    assert not event or event in EVENTS or name == "on_loss_begin"
