import pytest
import torch

from minifast.errors import ShapeError
from minifast.optim import constant, linear
from minifast.viz import bars, draw_schedules, spread


def test_bars_run_from_top_to_bottom_with_their_values():
    ax = bars({"slow": 0.5, "fast": 41234.5}, label="GFLOP/s", log=True)
    assert [bar.get_width() for bar in ax.patches] == [0.5, 41234.5]
    assert ax.yaxis_inverted()
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "GFLOP/s"
    assert {text.get_text() for text in ax.texts} == {"0.5", "41,200"}


def test_bars_are_held_against_a_limit():
    ax = bars({"a": 1.0}, label="x", limit=("peak", 3.0))
    assert ax.lines[0].get_xdata()[0] == 3.0
    assert "peak" in ax.texts[-1].get_text()


def test_no_bars_are_refused():
    with pytest.raises(ShapeError, match="at least one bar"):
        bars({}, label="x")


def test_every_sample_gets_a_row_and_its_mean():
    samples = {"a": torch.tensor([1.0, 3.0]), "b": torch.tensor([10.0, 20.0, 30.0])}
    ax = spread(samples, label="x")
    assert [len(dots.get_offsets()) for dots in ax.collections] == [2, 3]
    assert [line.get_xdata()[0] for line in ax.lines] == [2.0, 20.0]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"]


def test_no_samples_are_refused():
    with pytest.raises(ShapeError, match="at least one sample"):
        spread({}, label="x")


def test_schedules_are_drawn_from_the_first_step_to_the_last():
    ax = draw_schedules({"down": linear(1, 0), "flat": constant(0.5)}, label="lr")
    down, flat = (line.get_ydata() for line in ax.lines)
    assert (down[0], down[100], down[-1]) == (1, 0.5, 0)
    assert set(flat) == {0.5}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["down", "flat"]
    assert ax.get_ylabel() == "lr"


def test_no_schedules_are_refused():
    with pytest.raises(ShapeError, match="at least one schedule"):
        draw_schedules({}, label="lr")
