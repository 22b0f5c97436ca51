import pytest
import torch

from minifast.data import DataLoaders, TensorLoader
from minifast.errors import UnknownNameError
from minifast.foundations import Var
from minifast.learner import EVENTS, Callback, Learner
from minifast.viz import COLORS, draw_chain, draw_events, draw_graph, draw_roadmap


def box_colors(ax):
    from matplotlib.colors import to_hex

    return [to_hex(box.get_edgecolor()).upper() for box in ax.patches]


def test_the_roadmap_marks_what_is_done_and_where_we_stand():
    colors = box_colors(draw_roadmap("forward"))
    assert (
        colors == [COLORS["green"]] * 2 + [COLORS["vermilion"]] + [COLORS["grey"]] * 6
    )


def test_the_roadmap_can_be_drawn_without_a_place():
    assert set(box_colors(draw_roadmap())) == {COLORS["grey"]}


def test_an_unknown_step_is_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'backward'"):
        draw_roadmap("backwards")


def test_a_chain_has_its_boxes_and_what_flows():
    ax = draw_chain(["f", "g"], ["x", "y", "z"], ["", "dy", "dz"])
    texts = [text.get_text() for text in ax.texts if text.get_text()]
    assert sorted(texts) == sorted(["f", "g", "x", "y", "z", "dy", "dz"])


def test_a_chain_needs_one_more_label_than_boxes():
    with pytest.raises(ValueError, match="shorter"):
        draw_chain(["f"], ["x", "y"], ["dx"])


def test_a_graph_shows_every_value_once_under_its_parents():
    x, w = Var(torch.ones(4, 3), name="x"), Var(torch.ones(3, 2), name="w")
    ax = draw_graph(((x @ w).relu() + (x @ w)).sum())
    boxes = [text for text in ax.texts if text.get_text()]
    height = {}
    for text in boxes:
        height.setdefault(text.get_text().split()[0], []).append(text.get_position()[1])
    assert {name: len(ys) for name, ys in height.items()} == {
        "x": 1,
        "w": 1,
        "@": 2,
        "relu": 1,
        "+": 1,
        "sum": 1,
    }
    assert min(height["x"]) > max(height["@"])
    assert min(height["@"]) > height["+"][0] > height["sum"][0]


def test_a_lone_value_is_a_graph():
    ax = draw_graph(Var(1.0, name="x"))
    assert [text.get_text() for text in ax.texts] == ["x   ()"]


class Counter(Callback):
    def after_batch(self, learn):
        pass

    def cleanup_fit(self, learn):
        pass


def test_every_event_is_a_row_with_those_who_listen():
    x = torch.zeros(4, 1)
    dls = DataLoaders(TensorLoader(x, x, batch_size=2))
    loss = torch.nn.functional.mse_loss
    learn = Learner(torch.nn.Linear(1, 1), dls, loss, torch.optim.SGD, cbs=[Counter()])
    ax = draw_events(learn)
    row = {text.get_text(): text.get_position()[1] for text in ax.texts}
    shown = [event for event in EVENTS if "predict" not in event]  # no part of a fit
    assert [row[event] for event in shown] == list(range(len(shown)))
    assert "before_predict" not in row
    listeners = [t.get_position()[1] for t in ax.texts if t.get_text() == "Counter"]
    assert listeners == [row["after_batch"], row["cleanup_fit"]]
    assert len(ax.patches) == 4  # fit, epoch, pass, batch
