"""What every callback of the package keeps to; each new one is walked by itself."""

import copy
import importlib
import inspect
import pickle
import pkgutil
import random
from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR

import minifast.callbacks
from minifast.callbacks import BatchTransform
from minifast.data import DataLoaders
from minifast.learner import EVENTS, Callback, Learner, Order, files
from minifast.learner import state as states
from minifast.metrics import accuracy
from minifast.optim import constant

for _module in pkgutil.iter_modules(minifast.callbacks.__path__):
    importlib.import_module(f"minifast.callbacks.{_module.name}")


def subclasses(cls):
    for child in cls.__subclasses__():
        yield child
        yield from subclasses(child)


ALL = sorted(
    {cls for cls in subclasses(Callback) if cls.__module__.startswith("minifast.")},
    key=lambda cls: cls.__name__,
)
PUBLIC = [
    cls
    for cls in ALL
    if cls.__module__.startswith("minifast.callbacks") and cls.__name__[0] != "_"
]

# Arguments of those that need some; a folder takes the place of tmp_path.
ARGUMENTS = {
    "ActivationStats": lambda folder: {"which": nn.Linear},
    "Checkpoint": lambda folder: {"folder": folder / "checkpoints"},
    "CSVLogger": lambda folder: {"path": folder / "history.csv"},
    "DeviceCallback": lambda folder: {"device": "cpu"},
    "EarlyStopping": lambda folder: {"monitor": "epoch", "mode": "max"},
    "GradientAccumulation": lambda folder: {"n_batches": 2},
    "GradientClip": lambda folder: {"max_norm": 1.0},
    "MetricsCallback": lambda folder: {"accuracy": accuracy, "train": True},
    "OneCycle": lambda folder: {"lr_max": 0.5},
    "ParamScheduler": lambda folder: {"lr": constant(0.7), "momentum": constant(0.5)},
    "TorchScheduler": lambda folder: {"make": partial(StepLR, step_size=1)},
}


def build(cls, folder):
    if cls is BatchTransform:
        return cls(torch.clone)
    return cls(**ARGUMENTS.get(cls.__name__, lambda folder: {})(folder))


def make_learner(*cbs, device="cpu"):
    torch.manual_seed(0)
    x, y = torch.randn(24, 3, device=device), torch.arange(24, device=device) % 2
    dls = DataLoaders.from_tensors((x, y), (x, y), batch_size=4)
    opt = partial(torch.optim.SGD, momentum=0.9)
    model = nn.Linear(3, 2, device=device)
    return Learner(model, dls, nn.functional.cross_entropy, opt, lr=0.1, cbs=cbs)


each_public = pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)


def test_the_walk_finds_them():
    names = {cls.__name__ for cls in ALL}
    assert {"Recorder", "OneCycle", "Checkpoint", "_Ramp", "MeanLoss"} <= names
    assert set(ARGUMENTS) <= names


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_events_take_the_learner_and_say_what_is_done_there(cls):
    assert cls.__doc__
    assert isinstance(cls.order, int)
    for event in EVENTS:
        handler = getattr(cls, event)
        assert list(inspect.signature(handler).parameters) == ["self", "learn"], event
        assert handler.__doc__, f"{cls.__name__}.{event} has no docstring"


@each_public
def test_public_ones_can_be_imported_from_the_package(cls):
    assert cls.__name__ in minifast.callbacks.__all__
    assert getattr(minifast.callbacks, cls.__name__) is cls


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_their_order_is_in_the_table(cls):
    assert cls.order in set(Order)


def test_each_entry_of_the_table_names_those_it_is_for():
    source = inspect.getsource(Order)
    for cls in PUBLIC:
        entry = source.partition(f"    {Order(cls.order).name} = ")[2]
        said = entry.split("\n    ", 2)[1]
        usual = cls.order == Order.USUAL
        assert usual or f"``{cls.__name__}``" in said, f"{cls.__name__}: {said}"


@pytest.mark.parametrize("seed", range(5))
def test_those_of_equal_order_may_be_listed_in_any_order(seed, tmp_path, capsys):
    def trained(shuffled):
        skipped = {"OneCycle", "TorchScheduler", "SingleBatch"}  # who set rates, or end
        cbs = [build(c, tmp_path / str(shuffled)) for c in PUBLIC]
        cbs = [cb for cb in cbs if type(cb).__name__ not in skipped]
        if shuffled:
            random.Random(seed).shuffle(cbs)
        learn = make_learner(*cbs)
        learn.fit(2)
        return learn

    plain, shuffled = trained(False), trained(True)
    assert torch.equal(plain.model.weight, shuffled.model.weight)
    for row, other in zip(plain.history, shuffled.history, strict=True):
        assert row | {"time_s": 0} == other | {"time_s": 0}


@each_public
def test_a_fit_a_validation_and_another_fit_leave_no_trace(cls, tmp_path, capsys):
    cb = build(cls, tmp_path)
    learn = make_learner(cb)
    group = dict(learn.opt.param_groups[0])
    learn.fit(2)
    learn.validate()
    learn.get_preds()
    learn.fit(1)
    assert len(learn.history) == 3
    assert learn.opt.param_groups[0] == group
    assert learn.autocast is nullcontext
    assert not learn.scaler.is_enabled()
    assert not learn.model._forward_hooks
    assert not learn.model._backward_hooks
    assert learn.cbs == [cb]


@each_public
def test_they_pickle_and_copy_before_and_after_a_fit(cls, tmp_path, capsys):
    cb = build(cls, tmp_path)
    pickle.loads(pickle.dumps(cb))
    make_learner(cb).fit(1)
    again = pickle.loads(pickle.dumps(cb))
    assert type(again) is cls
    make_learner(again).fit(1)
    make_learner(copy.deepcopy(cb)).fit(1)


@each_public
def test_their_states_are_plain_values_and_can_be_taken_over(cls, tmp_path, capsys):
    seen = {}

    class Look(Callback):
        order = 10_000

        def after_epoch(self, learn):
            state = states.training_state(learn, learn.active_cbs)
            files.write(state, tmp_path / "state.pt")
            seen["read"] = files.read(tmp_path / "state.pt")
            seen["own"] = cb.state_dict()

    cb = build(cls, tmp_path)
    make_learner(cb, Look()).fit(1)
    (name, saved), _ = seen["read"]["callbacks"]
    assert name == cls.__name__
    assert_plain(saved)
    again = build(cls, tmp_path)

    class Load(Callback):
        order = 90  # as Checkpoint does, when the others are set up

        def before_fit(self, learn):
            again.load_state_dict(saved)
            assert str(again.state_dict()) == str(seen["own"])

    make_learner(again, Load()).fit(1)


def assert_plain(value):
    if isinstance(value, dict):
        for key, part in value.items():
            assert isinstance(key, str | int)
            assert_plain(part)
    elif isinstance(value, list | tuple):
        for part in value:
            assert_plain(part)
    else:
        assert value is None or isinstance(value, torch.Tensor | int | float | str)


@each_public
def test_they_ask_no_tensor_for_its_value_during_a_batch(
    cls, tmp_path, capsys, monkeypatch
):
    asked = count_syncs(monkeypatch)
    make_learner(*asked.marks, build(cls, tmp_path)).fit(2)
    assert asked.in_batches == []


def test_nor_does_the_loop_or_the_default_set(capsys, monkeypatch):
    asked = count_syncs(monkeypatch)
    learn = make_learner(*asked.marks, *minifast.callbacks.default_cbs(accuracy))
    learn.fit(2)
    assert asked.in_batches == []
    # An epoch ends with its two losses, the accuracy and the recorded losses.
    assert len(asked.at_all) == 2 * 4


class Asked:
    """Notes which methods that wait for the device are called, and when."""

    def __init__(self):
        self.at_all, self.in_batches, self.on = [], [], False
        asked = self

        class Begin(Callback):
            order = -10_000

            def before_batch(self, learn):
                asked.on = True

        class End(Callback):
            order = 10_000

            def after_batch(self, learn):
                asked.on = False

        self.marks = Begin(), End()


def count_syncs(monkeypatch):
    """Count what would wait, if these tensors were anywhere but on the CPU."""
    asked, deep = Asked(), []
    monkeypatch.setattr(torch.Tensor, "is_cpu", property(lambda tensor: False))

    def counted(name, method):
        def call(tensor, *args, **kwargs):
            if not deep:  # float() of a tensor asks item() in turn
                asked.at_all.append(name)
                if asked.on:
                    asked.in_batches.append(name)
            deep.append(name)
            try:
                return method(tensor, *args, **kwargs)
            finally:
                deep.pop()

        return call

    waiting = ["item", "tolist", "cpu", "numpy", "nonzero", "__float__", "__int__"]
    for name in [*waiting, "__bool__", "__index__"]:
        method = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, counted(name, method))
    return asked


def test_the_count_of_syncs_counts(monkeypatch):
    asked = count_syncs(monkeypatch)

    class Waits(Callback):
        def after_loss(self, learn):
            if learn.loss > 0:
                float(learn.loss.detach())

    make_learner(*asked.marks, Waits()).fit(1)
    assert asked.in_batches == ["__bool__", "__float__"] * 9


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@each_public
def test_on_a_gpu_no_batch_waits(cls, tmp_path, capsys):
    class Strict(Callback):
        order = -10_000

        def before_batch(self, learn):
            torch.cuda.set_sync_debug_mode("error")

        def cleanup_fit(self, learn):
            torch.cuda.set_sync_debug_mode("default")

    class Lax(Callback):
        order = 10_000

        def after_batch(self, learn):
            torch.cuda.set_sync_debug_mode("default")

    cb = build(cls, tmp_path)
    if hasattr(cb, "device"):
        cb.device = torch.device("cuda")
    make_learner(Strict(), cb, Lax(), device="cuda").fit(2)
