import torch

from minifast.callback import EVENTS, Callback
from minifast.data.loaders import DataLoaders, TensorLoader
from minifast.learner import Learner
from minifast.viz import draw_events


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
    assert [row[event] for event in EVENTS] == list(range(len(EVENTS)))
    listeners = [t.get_position()[1] for t in ax.texts if t.get_text() == "Counter"]
    assert listeners == [row["after_batch"], row["cleanup_fit"]]
    assert len(ax.patches) == 4  # fit, epoch, pass, batch
