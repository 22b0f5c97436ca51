import pickle

import pytest
import torch

from minifast.errors import DTypeError, OptionError, UnknownNameError
from minifast.learner import Learner
from minifast.learner.callback import (
    EVENTS,
    Callback,
    Cancel,
    CancelBatch,
    CancelEpoch,
    CancelFit,
    CancelStep,
    EventError,
    checked,
    handlers_by_event,
    takes_part_in_lr_find,
)


class First(Callback):
    order = -1

    def before_fit(self, learn): ...
    def after_batch(self, learn): ...


class Plain(Callback):
    def before_fit(self, learn): ...


class Other(Callback):
    def before_fit(self, learn): ...


def test_events_in_running_order_each_a_documented_method():
    assert len(EVENTS) == len(set(EVENTS)) == 20
    assert EVENTS[0] == "before_fit"
    assert EVENTS[-1] == "cleanup_fit"
    for event in EVENTS:
        method = getattr(Callback, event)
        assert method.__doc__
        assert method(Callback(), None) is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("after_bach", "after_batch"),
        ("before_bacth", "before_batch"),
        ("befor_batch", "before_batch"),
        ("beforebatch", "before_batch"),
        ("after_batches", "after_batch"),
        ("cleanup_fitt", "cleanup_fit"),
        ("begin_fit", "before_fit"),
        ("after_validation", "after_validate"),
        ("before_training", "before_train"),
    ],
)
def test_a_misspelled_event_is_an_error_that_names_the_closest(name, meant):
    with pytest.raises(EventError) as caught:
        type("Wrong", (Callback,), {name: lambda self, learn: None})
    assert str(caught.value) == (
        "A method named like an event must be an event.\n"
        f"  got: Wrong.{name}\n"
        f"  fix: Did you mean {meant!r}?"
    )


def test_event_errors_are_type_errors_and_unknown_names():
    assert issubclass(EventError, TypeError)
    assert issubclass(EventError, UnknownNameError)


def test_an_event_like_name_that_is_close_to_none_gets_the_list():
    with pytest.raises(EventError, match="fix: Events are before_fit, before_epoch"):
        type("Wrong", (Callback,), {"on_xyzzy_quux": lambda self, learn: None})


def test_other_methods_values_and_private_names_are_free():
    class Fine(Callback):
        before_counts = (1, 2)  # a value, nothing to call

        def plot(self): ...
        def _after_hours(self): ...
        def state(self, learn): ...

    assert not any(handlers_by_event([Fine()]).values())


@pytest.mark.parametrize(
    "handler", [lambda self: None, lambda self, learn, loss: None, lambda: None]
)
def test_an_event_with_other_arguments_is_an_error_of_the_class(handler):
    with pytest.raises(EventError, match="must take learn, and nothing else"):
        type("Wrong", (Callback,), {"after_loss": handler})


def test_an_event_with_defaults_beside_the_learner_is_fine():
    class Fine(Callback):
        def after_loss(self, learn, scale=2): ...
        def after_step(self, *args): ...

    assert len(handlers_by_event([Fine()])["after_loss"]) == 1


def test_an_event_that_is_no_method_is_an_error_of_the_class():
    with pytest.raises(EventError, match=r"got: Wrong.after_loss = 3"):
        type("Wrong", (Callback,), {"after_loss": 3})


def test_only_overridden_events_are_called():
    table = handlers_by_event([First(), Plain()])
    assert tuple(table) == EVENTS
    assert {event for event, found in table.items() if found} == {
        "before_fit",
        "after_batch",
    }


def test_order_decides_and_ties_keep_the_order_of_the_list():
    def names(*cbs):
        return [type(h.__self__) for h in handlers_by_event(cbs)["before_fit"]]

    assert names(Plain(), Other(), First()) == [First, Plain, Other]
    assert names(Other(), First(), Plain()) == [First, Other, Plain]


def test_order_can_be_set_on_one_object():
    late, early = Plain(), Other()
    late.order = 5
    found = handlers_by_event([late, early])["before_fit"]
    assert [h.__self__ for h in found] == [early, late]


def test_an_inherited_event_is_overridden_too():
    class Child(Plain): ...

    assert len(handlers_by_event([Child()])["before_fit"]) == 1


def test_an_event_set_on_one_object_is_called():
    calls = []
    cb = Callback()
    cb.before_fit = calls.append
    handlers_by_event([cb])["before_fit"][0]("learn")
    assert calls == ["learn"]


def test_checked_makes_a_new_list_and_takes_any_collection():
    cbs = [Plain()]
    found = checked(cbs)
    assert found == cbs
    assert found is not cbs
    assert len(checked(cb for cb in cbs)) == 1
    assert checked(()) == []


@pytest.mark.parametrize(
    ("cbs", "message"),
    [
        ([Plain], "got: the class Plain\n  fix: Did you mean Plain\\(\\)\\?"),
        ([print], "Every callback must be an instance of Callback"),
        ([int], "Every callback must be an instance of Callback"),
        (Plain(), "must come as a list"),
        (None, "must come as a list"),
        (Plain, "must come as a list"),
    ],
)
def test_what_is_no_callback_is_refused(cbs, message):
    with pytest.raises(DTypeError, match=message):
        checked(cbs)


def test_a_callback_given_twice_is_refused():
    cb = Plain()
    with pytest.raises(OptionError, match="one and the same Plain twice"):
        checked([cb, Other(), cb])
    assert len(checked([Plain(), Plain()])) == 2


@pytest.mark.parametrize("signal", [CancelStep, CancelBatch, CancelEpoch, CancelFit])
def test_signals_say_where_they_belong_and_carry_a_reason(signal):
    assert issubclass(signal, Cancel)
    assert signal.raised_in
    assert str(signal("why")) == "why"


def test_a_callback_has_an_empty_state_unless_it_says_otherwise():
    cb = Plain()
    assert cb.state_dict() == {}
    cb.load_state_dict({})


def test_callbacks_and_errors_pickle():
    assert isinstance(pickle.loads(pickle.dumps(Plain())), Plain)
    error = EventError("must", "got", "fix")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


class Twice(Callback):
    def around_forward(self, learn, forward):
        return 2 * forward()


class PlusOne(Callback):
    order = 1

    def around_forward(self, learn, forward):
        return forward() + 1


def test_wrapped_verbs_nest_by_order_and_not_by_their_place_in_the_list(make_learner):
    x = torch.randn(5, 3)
    plain = make_learner().predict(x)
    for cbs in ([Twice(), PlusOne()], [PlusOne(), Twice()]):
        torch.testing.assert_close(make_learner(*cbs).predict(x), 2 * (plain + 1))


def test_a_verb_is_wrapped_in_a_subclass_too(make_learner):
    class Negative(Learner):
        def forward(self):
            return -super().forward()

    x = torch.randn(5, 3)
    learn = make_learner(Twice(), kind=Negative)
    torch.testing.assert_close(learn.predict(x), -2 * make_learner().predict(x))


def test_each_verb_can_be_wrapped(make_learner):
    calls = []

    class Note(Callback):
        def around_forward(self, learn, forward):
            calls.append("forward")
            return forward()

        def around_get_loss(self, learn, get_loss):
            calls.append("get_loss")
            return get_loss()

        def around_backward(self, learn, backward):
            calls.append("backward")
            backward()

        def around_step(self, learn, step):
            calls.append("step")
            return step()

    learn, plain = make_learner(Note(), n_train=1, n_valid=1), make_learner(n_train=1)
    learn.fit(1)
    plain.fit(1)
    assert calls == ["forward", "get_loss", "backward", "step", "forward", "get_loss"]
    assert torch.equal(learn.model.weight, plain.model.weight)


def test_a_step_that_says_it_was_none_is_none(make_learner):
    class Never(Callback):
        def around_step(self, learn, step):
            return False

        def after_step(self, learn):
            raise AssertionError("there was no step")

    learn = make_learner(Never())
    learn.fit(1)
    assert learn.step_count == 0


@pytest.mark.parametrize("name", ["around_forwards", "around_loss", "around_x"])
def test_a_misspelled_verb_is_an_error(name):
    with pytest.raises(EventError, match="must be an event"):
        type("Wrong", (Callback,), {name: lambda self, learn, inner: inner()})


def test_a_verb_with_other_arguments_is_an_error():
    with pytest.raises(EventError, match="must take learn and forward, and nothing"):
        type("Wrong", (Callback,), {"around_forward": lambda self, learn: None})


@pytest.mark.parametrize(
    ("methods", "takes_part"),
    [
        ({}, False),
        ({"before_batch": lambda self, learn: None}, True),
        ({"after_batch": lambda self, learn: None}, False),
        ({"around_step": lambda self, learn, step: step()}, True),
        ({"before_batch": lambda self, learn: None, "in_lr_find": False}, False),
        ({"in_lr_find": True}, True),
    ],
)
def test_what_computes_takes_part_in_lr_find(methods, takes_part):
    assert takes_part_in_lr_find(type("Mine", (Callback,), methods)()) is takes_part
