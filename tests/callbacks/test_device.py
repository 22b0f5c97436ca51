from collections import namedtuple

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from minifast.callbacks.device import DeviceCallback, default_device, to_device
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
