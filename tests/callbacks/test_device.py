from collections import namedtuple

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from minifast.callbacks.device import DeviceCallback, default_device, to_device
from minifast.errors import OptionError
from minifast.learner import Callback

Pair = namedtuple("Pair", "x y")


def test_the_default_device_is_the_accelerator_or_the_cpu():
    device = default_device()
    assert torch.zeros(1, device=device).device.type == device.type
    assert (device.type == "cpu") == (not torch.accelerator.is_available())


def test_nested_batches_keep_their_form():
    x = torch.zeros(2)
    batch = (x, [x, {"a": x, "b": 3}], Pair(x, None), pack_sequence([x]), "text")
    moved = to_device(batch, "meta")
    assert isinstance(moved, tuple)
    assert moved[0].device.type == "meta"
    assert moved[1][0].device.type == moved[1][1]["a"].device.type == "meta"
    assert moved[1][1]["b"] == 3
    assert isinstance(moved[2], Pair)
    assert moved[2].x.device.type == "meta"
    assert moved[2].y is None
    assert moved[3].data.device.type == "meta"
    assert moved[4] == "text"


def test_what_is_there_is_not_copied():
    x = torch.zeros(2)
    assert to_device((x,), "cpu")[0] is x


def test_the_batch_is_moved_before_any_other_callback_sees_it(make_learner):
    class Look(Callback):
        order = -99

        def before_batch(self, learn):
            assert learn.batch[0].device.type == "meta"

    learn = make_learner(Look(), DeviceCallback("meta"))
    learn.loss_func = nn.functional.mse_loss
    learn.get_preds()
    assert learn.model.weight.device.type == "meta"


def test_the_weights_of_a_loss_are_moved_too(make_learner):
    class Weighted(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("weight", torch.ones(1))

        def forward(self, pred, y):
            return (self.weight * (pred - y)).mean()

    learn = make_learner()
    learn.loss_func = Weighted()
    learn.fit(1, cbs=[DeviceCallback("meta")])
    assert learn.loss_func.weight.device.type == "meta"


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    with pytest.raises(OptionError, match=r"machine has\.\n  got: 'gpu'\n  fix: Leave"):
        DeviceCallback("gpu")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 0)
    for name in ("cuda", "mps", "xpu:1"):
        with pytest.raises(OptionError, match=f"got: {name}, of 0 accelerators"):
            DeviceCallback(name)


def test_the_accelerator_that_is_there_is_taken_by_its_number(monkeypatch):
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: cuda)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 2)
    assert DeviceCallback("cuda:1").device.index == 1
    for name in ("cuda:2", "mps"):
        with pytest.raises(OptionError, match=f"got: {name}, of 2 accelerators"):
            DeviceCallback(name)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_model_and_optimizer_state_move_to_the_gpu_and_back(make_learner):
    learn = make_learner(opt=torch.optim.Adam)
    learn.fit(1)
    learn.fit(1, cbs=[DeviceCallback("cuda")])
    assert learn.model.weight.is_cuda
    assert learn.opt.state[learn.model.weight]["exp_avg"].is_cuda
    learn.fit(1, cbs=[DeviceCallback("cpu")])
    assert not learn.model.weight.is_cuda


def test_the_optimizers_state_is_moved_only_if_it_is_elsewhere(make_learner):
    learn, moved = make_learner(opt=torch.optim.Adam), []
    learn.fit(1)
    learn.opt.load_state_dict = moved.append
    DeviceCallback("cpu").before_fit(learn)
    assert moved == []
    state = learn.opt.state[learn.model.weight]
    state["exp_avg"] = state["exp_avg"].to("meta")
    DeviceCallback("cpu").before_fit(learn)
    assert len(moved) == 1
