from torch import nn

from minifast.callback import EVENTS, Callback
from minifast.data.loaders import DataLoaders
from minifast.learner.table import depth


class Count(Callback):
    def before_fit(self, learn): ...
    def before_batch(self, learn): ...
    def cleanup_fit(self, learn): ...


def test_events_are_as_deep_as_what_they_are_part_of():
    assert [depth(event) for event in EVENTS] == [0, 1, 2, 2, *[3] * 6, 2, 2, 1, 0, 0]


def test_printing_shows_who_listens_to_what(make_learner):
    class Early(Callback):
        order = -1

        def before_batch(self, learn): ...
        def after_validate(self, learn): ...

    learn = make_learner(Count(), Early())
    assert repr(learn).splitlines() == [
        "Learner: Linear with 4 parameters, mse_loss, SGD",
        "before_fit              Count",
        "  before_epoch          -",
        "    before_train        -",
        "    before_validate     -",
        "      before_batch      Early, Count",
        "      after_pred        -",
        "      after_loss        -",
        "      after_backward    -",
        "      after_step        -",
        "      after_batch       -",
        "    after_train         -",
        "    after_validate      Early",
        "  after_epoch           -",
        "after_fit               -",
        "cleanup_fit             Count",
    ]


def test_printing_names_losses_that_are_objects(make_learner):
    learn = make_learner()
    learn.loss_func = nn.MSELoss()
    learn.dls = DataLoaders([])
    assert "MSELoss, SGD" in repr(learn)
