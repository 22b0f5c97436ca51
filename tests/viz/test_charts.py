import pytest
import torch
from matplotlib.colors import to_hex

from minifast.callbacks import LRCurve, Recorder
from minifast.errors import ShapeError, UnknownNameError
from minifast.optim import constant, linear
from minifast.viz import (
    TRAIN,
    VALID,
    plot_bars,
    plot_history,
    plot_losses,
    plot_lr_curve,
    plot_schedules,
    plot_spread,
)


def test_bars_run_from_top_to_bottom_with_their_values():
    ax = plot_bars({"slow": 0.5, "fast": 41234.5}, label="GFLOP/s", log=True)
    assert [bar.get_width() for bar in ax.patches] == [0.5, 41234.5]
    assert ax.yaxis_inverted()
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "GFLOP/s"
    assert {text.get_text() for text in ax.texts} == {"0.5", "41,200"}


def test_bars_are_held_against_a_limit():
    ax = plot_bars({"a": 1.0}, label="x", limit=("peak", 3.0))
    assert ax.lines[0].get_xdata()[0] == 3.0
    assert "peak" in ax.texts[-1].get_text()


def test_no_bars_are_refused():
    with pytest.raises(ShapeError, match="at least one bar"):
        plot_bars({}, label="x")


def test_every_sample_gets_a_row_and_its_mean():
    samples = {"a": torch.tensor([1.0, 3.0]), "b": torch.tensor([10.0, 20.0, 30.0])}
    ax = plot_spread(samples, label="x")
    assert [len(dots.get_offsets()) for dots in ax.collections] == [2, 3]
    assert [line.get_xdata()[0] for line in ax.lines] == [2.0, 20.0]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"]


def test_no_samples_are_refused():
    with pytest.raises(ShapeError, match="at least one sample"):
        plot_spread({}, label="x")


def test_schedules_are_drawn_from_the_first_step_to_the_last():
    ax = plot_schedules({"down": linear(1, 0), "flat": constant(0.5)}, label="lr")
    down, flat = (line.get_ydata() for line in ax.lines)
    assert (down[0], down[100], down[-1]) == (1, 0.5, 0)
    assert set(flat) == {0.5}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["down", "flat"]
    assert ax.get_ylabel() == "lr"


def test_no_schedules_are_refused():
    with pytest.raises(ShapeError, match="at least one schedule"):
        plot_schedules({}, label="lr")


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def colors(ax):
    return [to_hex(line.get_color()).upper() for line in ax.lines]


def test_a_curve_of_learning_rates_is_drawn_with_its_suggestions():
    lrs = tuple(10.0**i for i in range(-6, 1))
    curve = LRCurve(lrs, (8, 8, 7, 3, 2, 9, 500), 1)
    ax = plot_lr_curve(curve, label="loss, nats")
    batches, smooth, *marks = ax.lines
    assert tuple(batches.get_xdata()) == lrs
    assert tuple(batches.get_ydata()) == curve.losses
    assert tuple(smooth.get_ydata()) == curve.smooth
    assert [m.get_xdata()[0] for m in marks] == list(curve.suggestions.values())
    assert len({mark.get_linestyle() for mark in marks}) == 3  # not by colour alone
    assert legend(ax)[2:] == [
        "steepest: 0.0001",
        "valley: 0.0001",
        "minimum_tenth: 0.001",
    ]
    assert (ax.get_xscale(), ax.get_xlabel()) == ("log", "learning rate")
    assert ax.get_ylabel() == "loss, nats"
    bottom, top = ax.get_ylim()
    assert bottom < 2  # the lowest loss
    assert 8 < top < 50  # without the explosion


def test_a_curve_without_a_suggestion_is_drawn_all_the_same():
    ax = plot_lr_curve(LRCurve((0.1, 0.2, 0.3), (1.0, 1.0, 1.0), 1))
    assert len(ax.lines) == 2
    ax = plot_lr_curve(LRCurve((0.1, 0.2, 0.3), (1.0, 50.0, 900.0), 1))
    assert len(ax.lines) == 2


@pytest.fixture
def trained(make_learner):
    """A recorder and the history of three epochs of four batches."""
    recorder = Recorder()
    learn = make_learner(recorder, n_train=4)
    learn.fit(3)
    for epoch, row in enumerate(learn.history):
        row["valid_loss"] = 2.0 - epoch
    return recorder, learn.history


def test_losses_are_drawn_over_batches_and_validation_at_the_ends_of_epochs(trained):
    recorder, history = trained
    ax = plot_losses(recorder, history, label="loss, nats")
    *ends, batches, smooth, valid = ax.lines
    assert [line.get_xdata()[0] for line in ends] == [4, 8, 12]
    assert list(batches.get_xdata()) == list(range(1, 13))
    assert list(batches.get_ydata()) == recorder.losses.tolist()
    assert len(smooth.get_ydata()) == 12
    assert sorted(valid.get_xydata().tolist()) == [[4, 2], [8, 1], [12, 0]]
    assert colors(ax)[-2:] == [TRAIN, VALID]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("batch", "loss, nats")


def test_smoothing_is_a_mean_over_neighbours_also_at_the_ends():
    recorder = Recorder()
    losses = torch.randn(150)
    recorder.load_state_dict({"losses": losses, "values": {}, "epoch_ends": [150]})
    smooth = torch.tensor(plot_losses(recorder).lines[-1].get_ydata())
    for i in (0, 2, 80, 149):
        near = losses[max(0, i - 3) : i + 4]
        assert smooth[i].item() == pytest.approx(near.mean().item(), abs=1e-6)


def test_validation_losses_that_are_not_there_are_left_out(trained):
    recorder, history = trained
    del history[1]["valid_loss"]
    ax = plot_losses(recorder, [{"valid_loss": 9.0}, *history])  # an earlier fit's
    assert sorted(ax.lines[-1].get_xydata().tolist()) == [[4, 2], [12, 0]]
    assert legend(plot_losses(recorder)) == ["each batch", "training, smoothed"]


def test_an_empty_recorder_is_refused():
    with pytest.raises(
        ShapeError, match=r"an empty recorder\n  fix: Give the recorder"
    ):
        plot_losses(Recorder())


HISTORY = [
    {"epoch": 0, "train_loss": 3.0, "valid_loss": 4.0, "accuracy": 0.5},
    {"epoch": 1, "train_loss": 2.0},
    {"epoch": 0, "train_loss": 1.0, "valid_loss": 3.5, "accuracy": 0.6},
]


def test_a_history_is_drawn_over_all_epochs():
    ax = plot_history(HISTORY, label="loss, nats")
    train, valid = ax.lines
    assert train.get_xydata().tolist() == [[0, 3], [1, 2], [2, 1]]
    assert valid.get_xydata().tolist() == [[0, 4], [2, 3.5]]
    assert colors(ax) == [TRAIN, VALID]
    assert legend(ax) == ["training", "validation"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss, nats")


def test_a_metric_is_drawn_where_it_was_measured():
    ax = plot_history(HISTORY, "accuracy")
    assert ax.lines[0].get_xydata().tolist() == [[0, 0.5], [2, 0.6]]
    assert (legend(ax), colors(ax)) == (["validation"], [VALID])
    assert ax.get_ylabel() == "accuracy"


def test_a_figure_that_no_epoch_has_is_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'accuracy'"):
        plot_history(HISTORY, "acuracy")
    with pytest.raises(UnknownNameError):
        plot_history([])
