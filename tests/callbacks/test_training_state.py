import torch

from minifast.callback import Callback
from minifast.callbacks.training_state import set_training_state, training_state


class Counter(Callback):
    def __init__(self, n):
        self.n = n

    def state_dict(self):
        return {"n": self.n}

    def load_state_dict(self, state):
        self.n = state["n"]


def test_a_state_brings_another_learner_to_the_same_point(make_learner):
    trained, fresh = (make_learner(opt=torch.optim.Adam) for _ in range(2))
    trained.fit(2)
    state = training_state(trained, [Counter(1), Counter(2)])
    torch.rand(3)
    a, b, c = Counter(7), Counter(8), Counter(9)
    set_training_state(fresh, [a, Callback(), b, c], state)
    assert (a.n, b.n, c.n) == (1, 2, 9)
    assert fresh.history == trained.history
    assert fresh.history[0] is not trained.history[0]
    assert fresh.step_count == trained.step_count == 6
    draw = torch.rand(1)
    trained.fit(1)
    set_training_state(fresh, [], state)
    assert torch.equal(torch.rand(1), draw)


def test_the_history_stays_the_same_list(make_learner):
    learn = make_learner()
    learn.fit(1)
    state, history = training_state(learn, []), learn.history
    learn.fit(1)
    set_training_state(learn, [], state)
    assert learn.history is history
    assert len(history) == 1
