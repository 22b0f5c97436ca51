from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import MultiStepLR

from minifast.callbacks.checkpoint import Checkpoint
from minifast.callbacks.gradients import GradientAccumulation
from minifast.callbacks.metrics import MetricsCallback
from minifast.callbacks.recorder import Recorder
from minifast.callbacks.scheduler import OneCycle, ParamScheduler, TorchScheduler
from minifast.callbacks.stopping import EarlyStopping, TerminateOnNaN
from minifast.data import DataLoaders
from minifast.errors import DataError, DTypeError
from minifast.learner import Callback, CancelFit, Learner, files, state
from minifast.optim import linear

N_EPOCHS = 4
X = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
Y = X.sum(1, keepdim=True)


class Crash(Callback):
    """Raises what Ctrl-C raises, in a batch in the middle of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def after_backward(self, learn):
        if learn.epoch == self.epoch and learn.iter == 1:
            raise KeyboardInterrupt


def new(*cbs, seed=0, generator=True):
    """Return what a new process would make: nothing shared but the arguments."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1)
    )
    dls = DataLoaders.from_tensors(
        (X, Y),
        (X, Y),
        batch_size=4,
        generator=torch.Generator().manual_seed(seed) if generator else None,
    )
    opt = partial(torch.optim.AdamW, weight_decay=0.1)
    return Learner(model, dls, nn.functional.mse_loss, opt, lr=0.01, cbs=cbs)


def assert_same(a, b):
    for name, value in a.model.state_dict().items():
        assert torch.equal(value, b.model.state_dict()[name]), name
    for p, q in zip(a.model.parameters(), b.model.parameters(), strict=True):
        for key, value in a.opt.state[p].items():
            assert torch.equal(value, b.opt.state[q][key]), key
    assert a.opt.param_groups[0]["lr"] == b.opt.param_groups[0]["lr"]
    assert a.opt.param_groups[0].keys() == b.opt.param_groups[0].keys()
    assert a.step_count == b.step_count
    assert figures(a) == figures(b)


def figures(learn):
    return [{k: v for k, v in row.items() if k != "time_s"} for row in learn.history]


EXTRAS = {
    "nothing": list,
    "one cycle": lambda: [OneCycle(0.1)],
    "torch's scheduler": lambda: [
        TorchScheduler(partial(MultiStepLR, milestones=[3, 9, 12]))
    ],
    "accumulation": lambda: [GradientAccumulation(2)],
}


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("crash", [0, 1, 3])
@pytest.mark.parametrize("generator", [True, False])
def test_an_interrupted_fit_ends_as_if_it_had_not_been(
    tmp_path, extra, crash, generator
):
    def cbs(folder):
        return [*EXTRAS[extra](), MetricsCallback(), Recorder()], Checkpoint(
            tmp_path / folder, resume=True
        )

    own, checkpoint = cbs("whole")
    whole = new(*own, checkpoint, generator=generator)
    whole.fit(N_EPOCHS)

    own, checkpoint = cbs("broken")
    broken = new(*own, checkpoint, Crash(crash), generator=generator)
    with pytest.raises(KeyboardInterrupt):
        broken.fit(N_EPOCHS)

    own, checkpoint = cbs("broken")
    # Another seed: nothing that matters may come from the new process.
    resumed = new(*own, checkpoint, seed=0 if crash == 0 else 7, generator=generator)
    resumed.fit(N_EPOCHS)
    assert_same(whole, resumed)
    a, b = whole.find(Recorder), resumed.find(Recorder)
    assert torch.equal(a.losses, b.losses)
    assert torch.equal(a.values("lr"), b.values("lr"))
    assert a.epoch_ends == b.epoch_ends

    for learn in (whole, resumed):  # and what comes after is the same too
        torch.manual_seed(3)
        learn.fit(1)
    assert_same(whole, resumed)


def test_a_fit_can_go_on_in_the_same_process(tmp_path):
    whole = new(OneCycle(0.1))
    whole.fit(N_EPOCHS)
    learn = new(OneCycle(0.1), Checkpoint(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        learn.fit(N_EPOCHS, cbs=[Crash(2)])
    learn.cbs[1] = Checkpoint(tmp_path, resume=True)
    learn.fit(N_EPOCHS)
    assert_same(whole, learn)


def test_a_finished_fit_is_not_done_again(tmp_path):
    first = new(Checkpoint(tmp_path, resume=True))
    first.fit(2)
    again = new(Checkpoint(tmp_path, resume=True), seed=5)
    again.fit(2)
    assert_same(first, again)
    again.fit(2)  # only the first fit resumes
    assert len(again.history) == 4


def test_a_fit_can_be_made_longer(tmp_path):
    new(Checkpoint(tmp_path)).fit(2)
    longer = new(Checkpoint(tmp_path, resume=True), seed=3)
    longer.fit(3)
    whole = new()
    whole.fit(3)
    assert_same(whole, longer)


def test_a_fit_that_was_stopped_early_stays_stopped(tmp_path):
    def stopping():
        stop = EarlyStopping(patience=1, mode="max")  # a falling loss is no progress
        return MetricsCallback(), stop, Checkpoint(tmp_path, resume=True)

    first = new(*stopping())
    first.fit(10)
    assert 1 < len(first.history) < 10
    again = new(*stopping())
    again.fit(10)
    assert len(again.history) == len(first.history)
    assert again.stop_reason == first.stop_reason
    assert_same(first, again)


def test_without_resume_or_a_file_a_fit_begins_at_the_beginning(tmp_path):
    new(Checkpoint(tmp_path)).fit(2)
    fresh = new(Checkpoint(tmp_path))
    fresh.fit(1)
    plain = new()
    plain.fit(1)
    assert_same(plain, fresh)
    nothing = new(Checkpoint(tmp_path / "empty", resume=True))
    nothing.fit(1)
    assert_same(plain, nothing)


def test_validation_does_not_use_up_the_resuming(tmp_path):
    new(Checkpoint(tmp_path)).fit(1)
    learn = new(Checkpoint(tmp_path, resume=True), seed=4)
    learn.validate()
    assert learn.history == []
    learn.fit(2)
    assert len(learn.history) == 2


class Figures(Callback):
    order = -1

    def __init__(self, *values):
        self.values = values

    def after_epoch(self, learn):
        learn.row["valid_loss"] = self.values[learn.epoch]


def test_the_best_epoch_and_each_epoch_are_kept(tmp_path):
    weights = []

    class Note(Callback):
        def after_epoch(self, learn):
            weights.append(learn.model[0].weight.detach().clone())

    keep = Checkpoint(tmp_path, monitor="valid_loss", every_epoch=True)
    new(Figures(3, 1, 2, 1), Note(), keep).fit(4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best.pt",
        "epoch-000.pt",
        "epoch-001.pt",
        "epoch-002.pt",
        "epoch-003.pt",
        "last.pt",
    ]
    for path, epoch in {keep.best: 1, keep.last: 3, "epoch-002.pt": 2}.items():
        learn = new(seed=9)
        learn.load(tmp_path / path)
        assert torch.equal(learn.model[0].weight, weights[epoch])


def test_the_file_holds_plain_values_only(tmp_path):
    learn = new(OneCycle(0.1), Recorder(), MetricsCallback(), Checkpoint(tmp_path))
    learn.fit(1)
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    assert saved["epochs_done"] == 1
    assert [name for name, _ in saved["callbacks"]] == [
        "OneCycle",
        "Recorder",
        "MetricsCallback",
        "Checkpoint",
    ]


def test_callbacks_take_the_states_of_their_class_in_order(tmp_path):
    class Counter(Callback):
        def __init__(self, n=0):
            self.n = n

        def state_dict(self):
            return {"n": self.n}

        def load_state_dict(self, state):
            self.n = state["n"]

    new(Counter(1), Counter(2), Checkpoint(tmp_path)).fit(1)
    a, b, c = Counter(), Counter(), Counter(9)
    new(Recorder(), a, b, c, Checkpoint(tmp_path, resume=True)).fit(1)
    assert (a.n, b.n, c.n) == (1, 2, 9)


def test_a_schedule_that_was_interrupted_is_still_undone_after_the_fit(tmp_path):
    def scheduled():
        return ParamScheduler(lr=linear(0.5, 0.1)), Checkpoint(tmp_path, resume=True)

    broken = new(*scheduled(), Crash(2))
    with pytest.raises(KeyboardInterrupt):
        broken.fit(3)
    resumed = new(*scheduled())
    resumed.fit(3)
    assert resumed.opt.param_groups[0]["lr"] == 0.01


def test_a_fit_with_a_schedule_of_ours_can_be_made_longer(tmp_path):
    new(OneCycle(0.1), Checkpoint(tmp_path)).fit(2)
    longer = new(OneCycle(0.1), Recorder(), Checkpoint(tmp_path, resume=True))
    longer.fit(4)
    whole = new(OneCycle(0.1), Recorder())
    whole.fit(4)
    rates = [learn.find(Recorder).values("lr") for learn in (longer, whole)]
    assert torch.equal(rates[0], rates[1][10:])
    assert longer.opt.param_groups[0]["lr"] == 0.01


class ByNumPy:
    """A metric as one writes it with NumPy: its value is an np.float64."""

    name = "squared"

    def reset(self):
        self.seen = []

    def update(self, pred, target):
        self.seen.append((pred - target).square().mean().item())

    def value(self):
        return np.mean(self.seen)


def test_the_figures_of_numpy_can_be_resumed_and_loaded(tmp_path):
    def fit(n_epochs, resume=False):
        learn = new(MetricsCallback(ByNumPy()), Checkpoint(tmp_path, resume=resume))
        learn.fit(n_epochs)
        return learn

    first = fit(1)
    assert type(first.history[0]["squared"]) is np.float64
    again = fit(2, resume=True)
    assert [row["epoch"] for row in again.history] == [0, 1]
    assert type(again.history[0]["squared"]) is float
    new().load(tmp_path / "last.pt")


class NumPyNoise(Callback):
    def before_batch(self, learn):
        x, y = learn.batch
        learn.batch = x + np.random.randn(), y  # noqa: NPY002


def test_numbers_drawn_from_numpy_come_again(tmp_path):
    np.random.seed(0)  # noqa: NPY002
    whole = new(NumPyNoise(), Checkpoint(tmp_path))
    whole.fit(1)
    kept = (tmp_path / "last.pt").read_bytes()
    whole.fit(2, cbs=[])  # draws on
    np.random.seed(0)  # noqa: NPY002
    straight = new(NumPyNoise())
    straight.fit(3)
    np.random.seed(7)  # noqa: NPY002
    (tmp_path / "last.pt").write_bytes(kept)
    resumed = new(NumPyNoise(), Checkpoint(tmp_path, resume=True))
    resumed.fit(3)
    assert_same(straight, resumed)


def test_what_cannot_be_written_is_refused_before_the_training(tmp_path):
    class Odd(Callback):
        def state_dict(self):
            return {"fn": len}

    learn = new(Odd(), Checkpoint(tmp_path))
    with pytest.raises(DTypeError, match="at callbacks > 0 > Odd > fn"):
        learn.fit(1)
    assert learn.step_count == 0
    assert list(tmp_path.iterdir()) == []


def test_each_fit_has_a_best_epoch_of_its_own(tmp_path):
    for folders in (("a", "a"), ("a", "b")):
        learn = new()
        for folder, figures in zip(folders, [(3, 1, 2), (9, 7, 8)], strict=True):
            keep = Checkpoint(tmp_path / folder, monitor="valid_loss")
            learn.fit(3, cbs=[Figures(*figures), keep])
        best = new()
        best.fit(1, cbs=[Resumed(keep.best)])
        assert [row["valid_loss"] for row in best.history] == [3, 1, 2, 9, 7]


class Resumed(Callback):
    """Takes up a file and goes no further."""

    def __init__(self, path):
        self.path = path

    def before_fit(self, learn):
        state.set_training_state(learn, [], files.read(self.path))
        raise CancelFit


def test_the_rows_of_a_resumed_fit_belong_to_it(tmp_path):
    def keep():
        return Checkpoint(tmp_path, monitor="valid_loss", resume=True)

    new(Figures(3, 1), keep()).fit(2)
    best = (tmp_path / "best.pt").read_bytes()
    again = new(Figures(3, 1, 2), keep())
    again.fit(3)
    assert (tmp_path / "best.pt").read_bytes() == best
    more = new(Figures(3, 1, 2, 0), keep())
    more.fit(4)
    assert (tmp_path / "best.pt").read_bytes() != best


class Spoil(Callback):
    def before_epoch(self, learn):
        if learn.epoch == 2:
            learn.model[0].weight.data.fill_(torch.nan)


def test_an_epoch_of_nan_is_never_the_best(tmp_path):
    # An accuracy is a number also where no weight is one.
    for figures in ((3, 2, torch.nan, torch.nan), (3, 2, 1, 0)):
        keep = Checkpoint(tmp_path, monitor="valid_loss")
        new(Figures(*figures), Spoil(), keep).fit(4)
        assert files.read(keep.best)["epochs_done"] == 2


def test_with_terminate_on_nan_no_epoch_of_nan_is_written_at_all(tmp_path):
    keep = Checkpoint(tmp_path)
    new(Spoil(), TerminateOnNaN(), keep).fit(4)
    assert files.read(keep.last)["epochs_done"] == 2
    new(Spoil(), keep).fit(4)
    assert files.read(keep.last)["epochs_done"] == 4


def test_a_file_that_does_not_fit_is_refused_again_and_again(tmp_path):
    new(Checkpoint(tmp_path)).fit(1)
    whole = (tmp_path / "last.pt").read_bytes()
    learn = new(Checkpoint(tmp_path, resume=True), seed=4)
    before = learn.model[0].weight.clone()
    learn.save(tmp_path / "last.pt")
    for content in (whole[:-9], (tmp_path / "last.pt").read_bytes()):
        (tmp_path / "last.pt").write_bytes(content)
        with pytest.raises(DataError, match="Checkpoint wrote"):
            learn.fit(2)
        assert (tmp_path / "last.pt").read_bytes() == content
    assert learn.history == []
    assert torch.equal(learn.model[0].weight, before)
    (tmp_path / "last.pt").write_bytes(whole)
    learn.fit(2)
    assert [row["epoch"] for row in learn.history] == [0, 1]


def test_two_processes_may_write_into_one_folder(tmp_path):
    """Between any two steps of one process's writing, another writes the whole file."""
    path = tmp_path / "last.pt"
    other = new(Checkpoint(tmp_path))
    other.fit(1)
    with files.replaced(path) as file:
        other.fit(1)
        file.write(path.read_bytes())
    assert files.read(path)["epochs_done"] == 1
