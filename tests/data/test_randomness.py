import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from minifast.data.randomness import draw_seed, unchanged_generators


def draw_all():
    return random.random(), np.random.random(), torch.rand(1).item()  # noqa: NPY002


class Owner:
    """Keeps generators as attributes, in lists, and in what is in those."""

    def __init__(self):
        self.torch = torch.Generator().manual_seed(0)
        self.steps = [np.random.default_rng(0), (random.Random(0),)]
        self.itself = self
        self.samples = [random.Random(0)] * 1000

    def draw(self):
        return (
            torch.rand(1, generator=self.torch).item(),
            self.steps[0].random(),
            self.steps[1][0].random(),
        )


def test_global_generators_are_put_back():
    with unchanged_generators(None):
        inside = draw_all()
    assert draw_all() == inside


def test_generators_of_the_owner_and_of_what_it_owns_are_put_back():
    owner = Owner()
    owner.part = Owner()
    with unchanged_generators(owner):
        inside = owner.draw(), owner.part.draw()
    assert (owner.draw(), owner.part.draw()) == inside


@pytest.mark.parametrize(
    "make",
    [
        np.random.default_rng,
        np.random.RandomState,
        lambda seed: np.random.Generator(np.random.MT19937(seed)),
        random.Random,
    ],
)
def test_every_kind_of_generator_is_put_back(make):
    owner = Owner()
    owner.generator = make(5)
    with unchanged_generators(owner):
        inside = [owner.generator.random() for _ in range(700)]
    assert [owner.generator.random() for _ in range(700)] == inside


def test_they_are_put_back_when_something_fails():
    state = torch.get_rng_state()
    with pytest.raises(KeyError), unchanged_generators(None):
        raise KeyError(torch.rand(1))
    assert torch.equal(torch.get_rng_state(), state)


def test_what_has_no_state_is_left_out():
    owner = Owner()
    owner.system, owner.slots = random.SystemRandom(), object()
    with unchanged_generators(owner):
        pass


def test_a_long_list_is_not_searched():
    owner = Owner()
    with unchanged_generators(owner):
        first = owner.samples[0].random()
    assert owner.samples[0].random() != first


def test_seeds_are_drawn_from_the_default_generator():
    torch.manual_seed(3)
    seeds = [draw_seed() for _ in range(3)]
    torch.manual_seed(3)
    assert [draw_seed() for _ in range(3)] == seeds
    assert len(set(seeds)) == 3
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_looking_does_not_start_cuda_and_rewinds_it_if_the_data_set_does(monkeypatch):
    started, offsets = [False], []
    generator = SimpleNamespace(set_offset=offsets.append)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: started[0])
    monkeypatch.setattr(torch.cuda, "default_generators", [generator])
    with unchanged_generators(None):
        pass
    assert offsets == []
    with unchanged_generators(None):
        started[0] = True
    assert offsets == [0]


@pytest.mark.gpu
def test_generators_on_the_gpu_are_put_back():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    for _ in range(2):  # before it was used for the first time, if so, and after
        with unchanged_generators(None):
            inside = torch.rand(3, device="cuda").tolist()
        assert torch.rand(3, device="cuda").tolist() == inside
