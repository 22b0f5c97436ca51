import pytest
import torch

from minifast.callbacks.debug import SingleBatch, Trace
from minifast.errors import OptionError
from minifast.learner import EVENTS, handlers_by_event


def test_a_trace_notes_all_events(make_learner):
    trace = Trace()
    assert all(handlers_by_event([trace]).values())
    learn = make_learner(trace, n_train=2, n_valid=1)
    learn.predict(torch.zeros(1, 3))
    assert trace.events[0] == "before_predict"
    trace.events.clear()
    learn.fit(1)
    assert {*trace.events, "before_predict", "after_predict"} == set(EVENTS)
    assert trace.events[0] == "before_fit"
    assert trace.events[-1] == "cleanup_fit"
    assert trace.events.count("after_step") == 2


def test_a_trace_prints_as_an_indented_list(make_learner):
    trace = Trace()
    make_learner(trace, n_train=1, n_valid=0).fit(1)
    assert repr(trace).splitlines() == [
        "before_fit",
        "  before_epoch",
        "    before_train",
        "      before_batch",
        "      after_pred",
        "      after_loss",
        "      after_backward",
        "      before_step",
        "      after_step",
        "      after_batch",
        "      cleanup_batch",
        "    after_train",
        "    cleanup_pass",
        "  after_epoch",
        "after_fit",
        "cleanup_fit",
    ]


def test_a_live_trace_writes_at_once(make_learner, capsys):
    learn = make_learner(Trace(live=True), n_train=1, n_valid=0)
    learn.loss_func = None
    with pytest.raises(TypeError):
        learn.fit(1)
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "      after_pred",
        "      cleanup_batch",
        "    cleanup_pass",
        "cleanup_fit",
    ]


@pytest.mark.parametrize("n", [1, 2])
def test_single_batch_ends_both_passes_and_finishes_the_epoch(make_learner, n):
    trace = Trace()
    learn = make_learner(SingleBatch(n), trace, n_train=5, n_valid=4)
    learn.fit(1)
    assert learn.step_count == n
    assert trace.events.count("before_batch") == 2 * n
    assert trace.events[-3:] == ["after_epoch", "after_fit", "cleanup_fit"]


def test_single_batch_needs_a_batch():
    with pytest.raises(OptionError, match="got: n_batches=0"):
        SingleBatch(0)
