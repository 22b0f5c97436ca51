import random

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader as TorchLoader

from minifast.data import DataLoader, DataLoaders, TensorDataset, TensorLoader
from minifast.errors import DataError, ShapeError
from minifast.learner import state
from minifast.learner.callback import Callback
from minifast.learner.state import (
    random_state,
    set_random_state,
    set_training_state,
    training_state,
)

STATE = {"model": {}, "opt": {}, "scaler": {}}


def test_what_is_written_can_be_read(tmp_path):
    saved = STATE | {"n": 3, "weights": torch.arange(3.0), "row": [{"loss": 0.5}]}
    state.write(saved, tmp_path / "new" / "a.pt")
    again = state.read(tmp_path / "new" / "a.pt")
    assert torch.equal(again.pop("weights"), torch.arange(3.0))
    assert again == STATE | {"n": 3, "row": [{"loss": 0.5}]}


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    state.write(STATE | {"n": 1}, path)

    def half(state, part):
        part.write_bytes(b"half a fi")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(KeyboardInterrupt):
        state.write(STATE | {"n": 2}, path)
    assert state.read(path)["n"] == 1


def test_no_file_and_another_file_are_told_apart(tmp_path):
    with pytest.raises(DataError, match=r"got: no file .*a\.pt"):
        state.read(tmp_path / "a.pt")
    torch.save(nn.Linear(2, 1).state_dict(), tmp_path / "b.pt")
    with pytest.raises(DataError, match="holds something else\n  fix: If these"):
        state.read(tmp_path / "b.pt")


def test_code_in_a_file_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return eval, ("1/0",)

    torch.save(STATE | {"evil": Evil()}, tmp_path / "a.pt")
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        state.read(tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("saved", "difference"),
    [
        ({"weight": torch.zeros(1, 2)}, "bias: nothing in what was saved, \\(1,\\) in"),
        (
            {"weight": torch.zeros(3, 2), "bias": torch.zeros(1)},
            "weight: \\(3, 2\\) in what was saved, \\(1, 2\\) in the model",
        ),
        (
            {"weight": torch.zeros(1, 2), "bias": torch.zeros(1), "b2": torch.zeros(1)},
            "b2: \\(1,\\) in what was saved, nothing in the model",
        ),
    ],
)
def test_weights_of_another_model_are_refused(saved, difference):
    with pytest.raises(ShapeError, match=difference):
        state.check_weights(nn.Linear(2, 1), saved)


def test_weights_of_the_model_pass():
    model = nn.BatchNorm1d(2)
    assert state.check_weights(model, model.state_dict()) is None


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


def draws(dls):
    order = [int(x[0]) for x in dls.train]
    return order, random.random(), torch.rand(2).tolist()


def make_loaders(seed=1):
    x = torch.arange(8.0)[:, None]
    data = TensorDataset(x, x)
    generator = torch.Generator().manual_seed(seed)
    sampler = torch.utils.data.RandomSampler(data, generator=generator)
    return {
        "tensor": TensorLoader(x, x, batch_size=1, shuffle=True, generator=generator),
        "ours": DataLoader(data, 1, shuffle=True, generator=generator),
        "torch": TorchLoader(data, 1, shuffle=True, generator=generator),
        "torch, own sampler": TorchLoader(data, 1, sampler=sampler),
        "torch, default": TorchLoader(data, 1, shuffle=True),
    }


def test_the_same_random_numbers_come_again_from_every_loader():
    for loader in make_loaders().values():
        dls = DataLoaders(loader)
        draws(dls)
        state = random_state(dls)
        first = draws(dls)
        assert draws(dls) != first
        set_random_state(dls, state)
        assert draws(dls) == first


def test_the_state_survives_a_file_and_another_process_like_it(tmp_path):
    dls = DataLoaders(make_loaders()["tensor"], make_loaders()["ours"])
    torch.save(random_state(dls), tmp_path / "state.pt")
    first = draws(dls)
    fresh = DataLoaders(make_loaders(7)["tensor"], make_loaders(8)["ours"])
    set_random_state(fresh, torch.load(tmp_path / "state.pt", weights_only=True))
    assert draws(fresh) == first


def test_loaders_without_generators_are_fine():
    dls = DataLoaders([(torch.zeros(1),)])
    state = random_state(dls)
    assert state["loaders"] == []
    set_random_state(dls, state)
