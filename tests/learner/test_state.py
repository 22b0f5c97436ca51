import copy
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader as TorchLoader

from minifast.data import DataLoader, DataLoaders, TensorDataset, TensorLoader
from minifast.errors import DataError, OptionError, ShapeError
from minifast.learner import Callback, Learner
from minifast.learner.state import (
    check_random_state,
    random_state,
    set_random_state,
    set_training_state,
    training_state,
)


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
    return order, random.random(), np.random.rand(), torch.rand(2).tolist()  # noqa: NPY002


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
    torch.save(random_state(dls), tmp_path / "state.pt")  # it is plain
    first = draws(dls)
    fresh = DataLoaders(make_loaders(7)["tensor"], make_loaders(8)["ours"])
    set_random_state(fresh, torch.load(tmp_path / "state.pt", weights_only=True))
    assert draws(fresh) == first


class Noisy:
    """A data set that draws from a generator of its own."""

    def __init__(self):
        self.generator = torch.Generator().manual_seed(3)

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return torch.rand(2, generator=self.generator)


def test_a_generator_of_the_data_set_counts_too():
    dls = DataLoaders(DataLoader(Noisy(), 2))
    state = random_state(dls)
    first = torch.cat(list(dls.train))
    set_random_state(dls, state)
    assert torch.equal(torch.cat(list(dls.train)), first)


def test_loaders_without_generators_are_fine():
    dls = DataLoaders([(torch.zeros(1),)])
    state = random_state(dls)
    assert state["loaders"] == []
    set_random_state(dls, state)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_the_numbers_of_the_gpu_come_again():
    dls = DataLoaders([(torch.zeros(1),)])
    state = random_state(dls)
    first = torch.rand(2, device="cuda")
    set_random_state(dls, state)
    assert torch.equal(torch.rand(2, device="cuda"), first)


def test_numpy_is_not_imported_for_it():
    code = (
        "import sys, torch, minifast.learner.state as state\n"
        "from types import SimpleNamespace as Loaders\n"
        "for name in [n for n in sys.modules if n.split('.')[0] == 'numpy']:\n"
        "    del sys.modules[name]\n"
        "dls = Loaders(train=[], valid=[])\n"
        "found = state.random_state(dls)\n"
        "state.set_random_state(dls, found)\n"
        "assert found['numpy'] is None and 'numpy' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("part", "bad"),
    [
        ("python", (3, (1, 2), None)),
        ("python", 5),
        ("numpy", {"bit_generator": "PCG64"}),
        ("numpy", 5),
        ("torch", torch.zeros(3, dtype=torch.uint8)),
        ("loaders", [torch.zeros(5056, dtype=torch.uint8)]),
        ("loaders", None),
    ],
)
def test_random_numbers_that_are_none_are_refused_and_change_nothing(part, bad):
    dls = DataLoaders(make_loaders()["ours"])
    state = random_state(dls)
    expected = draws(dls)
    set_random_state(dls, state)
    with pytest.raises(DataError, match="one of the same generators"):
        set_random_state(dls, state | {part: bad})
    del state[part]
    with pytest.raises(DataError, match=f"got: KeyError: '{part}'"):
        check_random_state(dls, state)
    assert draws(dls) == expected


# All or nothing


class Picky(Callback):
    """Takes a state in two halves, of which the second may be wrong."""

    def __init__(self, a=0, b=0):
        self.a, self.b = a, b

    def state_dict(self):
        return {"a": self.a, "b": self.b}

    def load_state_dict(self, state):
        self.a = state["a"]
        self.b = int(state["b"])


class Scaled(nn.Module):
    """A loss with a weight."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, pred, y):
        return ((pred - y) * self.scale).square().mean()


def everything(learn, cbs):
    return copy.deepcopy(training_state(learn, cbs))


def damages(state, foreign):
    """Yield what is wrong with a state, and the state."""
    for name in state:
        yield f"no {name}", {k: v for k, v in state.items() if k != name}
        yield f"{name} is None", state | {name: None}
    yield "SGD", state | {k: foreign[k] for k in ("opt", "opt_class")}
    yield "SGD without its name", state | {"opt": foreign["opt"]}
    moments = copy.deepcopy(state["opt"])
    moments["state"][0]["exp_avg"] = torch.zeros(2)
    yield "moments of another shape", state | {"opt": moments}
    yield "another model", state | {"model": {"weight": torch.zeros(1, 4)}}
    yield "another loss", state | {"loss": {"other": torch.ones(1)}}
    yield "the scaler of another", state | {"scaler": {"scale": 2.0}}
    yield "rows", state | {"history": [1]}
    yield "pairs", state | {"callbacks": [5]}
    yield "a callback's", state | {"callbacks": [("Picky", {"a": 5, "b": "x"})]}
    yield "part of a callback's", state | {"callbacks": [("Picky", {"a": 5})]}
    yield (
        "random numbers",
        state | {"random": state.get("random", {}) | {"torch": None}},
    )


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def trained(make_learner, opt=torch.optim.Adam, steps=2):
    learn = make_learner(opt=opt)
    learn.loss_func = Scaled()
    learn.opt.add_param_group({"params": learn.loss_func.parameters()})
    learn.scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    learn.fit(steps)
    return learn


def test_what_is_refused_changes_nothing(make_learner):
    saved = everything(trained(make_learner, steps=1), [Picky(1, 2)])
    foreign = trained(make_learner, opt=torch.optim.SGD).state_dict()
    learn, cbs = trained(make_learner), [Picky(3, 4)]
    before, history = everything(learn, cbs), learn.history
    for what, state in damages(saved, foreign):
        with pytest.raises((DataError, OptionError, ShapeError)):
            set_training_state(learn, cbs, state)
        assert same(everything(learn, cbs), before), what
        assert learn.history is history
    set_training_state(learn, cbs, saved)
    assert same(everything(learn, cbs), saved)


NOT_OF_A_LEARNER = "step_count", "history", "rows", "callback", "pairs", "random"


def test_nor_does_a_state_that_load_refuses(make_learner):
    saved = trained(make_learner, steps=1).state_dict()
    foreign = trained(make_learner, opt=torch.optim.SGD).state_dict()
    learn = trained(make_learner)
    before = copy.deepcopy(learn.state_dict())
    for what, state in damages(saved, foreign):
        if any(word in what for word in NOT_OF_A_LEARNER) or what == "no opt_class":
            continue  # nor is the name of the class needed
        with pytest.raises((DataError, OptionError, ShapeError)):
            learn.load_state_dict(state)
        assert same(learn.state_dict(), before), what


def test_what_is_no_state_at_all_is_refused(make_learner):
    with pytest.raises(DataError, match=r"got: str .*\n  fix: A file is read by"):
        make_learner().load_state_dict("a.pt")


def test_an_error_of_a_callback_is_named_and_an_own_one_passes(make_learner):
    learn, cb = make_learner(), Picky()
    state = training_state(learn, [])
    state["callbacks"] = [("Picky", {"a": 1, "b": "x"})]
    with pytest.raises(
        DataError, match=r"state of Picky must .*\n  got: ValueError: inv"
    ):
        set_training_state(learn, [cb], state)

    class Refusing(Callback):
        def load_state_dict(self, state):
            if state:
                raise OptionError("No.")

    state["callbacks"] = [("Refusing", {"a": 1})]
    with pytest.raises(OptionError, match=r"^No\.$"):
        set_training_state(learn, [Refusing()], state)


# What is taken over


def test_a_resumed_learner_has_the_saved_hyper_parameters_a_loaded_one_its_own(
    make_learner, tmp_path
):
    saved = make_learner(opt=torch.optim.Adam, lr=0.1)
    saved.fit(1)
    saved.save(tmp_path / "a.pt")
    loaded, resumed = (make_learner(opt=torch.optim.Adam, lr=0.5) for _ in range(2))
    assert loaded.load(tmp_path / "a.pt") == []
    set_training_state(resumed, [], training_state(saved, []))
    for learn, lr in ((loaded, 0.5), (resumed, 0.1)):
        assert learn.opt.param_groups[0]["lr"] == lr
        (_, moments), (_, others) = (
            next(iter(each.opt.state.items())) for each in (saved, learn)
        )
        assert torch.equal(moments["exp_avg"], others["exp_avg"])


def test_two_learners_share_nothing_after_it(make_learner):
    one, other = (make_learner(opt=torch.optim.Adam) for _ in range(2))
    one.fit(1)
    other.load_state_dict(one.state_dict())
    kept = copy.deepcopy(one.state_dict())
    other.fit(1)
    assert same(one.state_dict(), kept)


def test_a_loss_with_weights_is_saved_and_loaded(make_learner, tmp_path):
    learn, other = (make_learner() for _ in range(2))
    learn.loss_func, other.loss_func = Scaled(), Scaled()
    with torch.no_grad():
        learn.loss_func.scale.fill_(3.0)
    learn.save(tmp_path / "a.pt")
    other.load(tmp_path / "a.pt", with_opt=False)
    assert other.loss_func.scale.item() == 1.0
    other.load(tmp_path / "a.pt")
    assert other.loss_func.scale.item() == 3.0
    with pytest.raises(ShapeError, match=r"loss.scale: .* in what was saved, nothing"):
        make_learner().load(tmp_path / "a.pt")


def test_the_rates_of_numpy_are_saved_as_numbers(make_learner, tmp_path):
    saved, loaded = make_learner(lr=np.logspace(-3, -1, 3)[1]), make_learner()
    saved.fit(1)
    saved.save(tmp_path / "a.pt")
    loaded.load(tmp_path / "a.pt")
    assert torch.equal(loaded.model.weight, saved.model.weight)


def test_a_body_is_loaded_without_its_head(make_learner, tmp_path):
    def new(n_out):
        model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, n_out))
        dls = make_learner().dls
        return Learner(model, dls, nn.functional.mse_loss, torch.optim.Adam)

    learn, other = new(1), new(2)
    learn.fit(1)
    learn.save(tmp_path / "a.pt")
    head = other.model[2].weight.clone()
    with pytest.raises(ShapeError, match=r"2.weight: \(1, 5\) in what was saved"):
        other.load(tmp_path / "a.pt")
    left = other.load(tmp_path / "a.pt", strict=False)
    assert [line.partition(":")[0] for line in left] == ["2.weight", "2.bias"]
    assert torch.equal(other.model[0].weight, learn.model[0].weight)
    assert torch.equal(other.model[2].weight, head)
    assert not other.opt.state


def test_a_compiled_model_and_a_plain_one_load_from_each_other(make_learner, tmp_path):
    plain, compiled = make_learner(), make_learner()
    compiled.model = torch.compile(compiled.model, backend="eager")
    for a, b in ((plain, compiled), (compiled, plain)):
        a.fit(1)
        a.save(tmp_path / "a.pt")
        b.load(tmp_path / "a.pt")
        for p, q in zip(a.model.parameters(), b.model.parameters(), strict=True):
            assert torch.equal(p, q)
