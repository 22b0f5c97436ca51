import random

import torch
from torch.utils.data import DataLoader as TorchLoader

from minifast.callbacks.random_state import random_state, set_random_state
from minifast.data.loaders import DataLoader, DataLoaders, Dataset, TensorLoader


def draws(dls):
    order = [int(x[0]) for x in dls.train]
    return order, random.random(), torch.rand(2).tolist()


def make_loaders(seed=1):
    x = torch.arange(8.0)[:, None]
    data = Dataset(x, x)
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
