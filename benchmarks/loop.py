"""What a training loop costs: one by hand, our Learner, fastai's, Lightning's Trainer.

    python benchmarks/loop.py --json results.json

All get the same ready-made batches, model, loss and torch's SGD. Times are those of one
batch: the data itself reads the clock, at the request for the first batch and at that
for the last, so that what it takes to begin and to end a fit is outside. It is in the
last table, which times fits of two batches.

Two tables for each model. Bare, nothing is recorded. Recording, a loop keeps the mean
loss and the accuracy of the epoch, in training and in validation; with the default
callbacks ours keeps the loss and the learning rate of each batch and no accuracy in
training, which is about what fastai's does.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, NamedTuple

import peers
import torch
import torch.nn.functional as F
from common import Contender, compare, machine, parse_arguments, report
from torch import nn

from minifast.book import wait_for_gpu
from minifast.callbacks import MetricsCallback, ProgressCallback, default_cbs
from minifast.data import DataLoaders
from minifast.learner import Learner
from minifast.metrics import accuracy

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Iterator

    from torch import Tensor

    from minifast.learner import Callback

    Batch = tuple[Tensor, Tensor]
    Fit = Callable[[], object]

LR = 0.01


class Setting(NamedTuple):
    """A model, the shape of its input, and the batches that it is trained with."""

    name: str
    make_model: Callable[[], nn.Module]
    shape: tuple[int, ...]
    batch_size: int
    n_batches: int


class Batches:
    """Batches in memory; ``seconds`` is what the latest pass took, but for the last."""

    def __init__(
        self, setting: Setting, n_batches: int, device: str, clock: Callable[[], float]
    ) -> None:
        size = setting.batch_size
        x = torch.randn(n_batches * size, *setting.shape, device=device)
        y = torch.randint(0, 10, (n_batches * size,), device=device)
        self.batches: list[Batch] = list(zip(x.split(size), y.split(size), strict=True))
        self.clock, self.seconds = clock, 0.0

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        wait_for_gpu()
        start = self.clock()
        yield from self.batches[:-1]
        wait_for_gpu()
        self.seconds = self.clock() - start
        yield self.batches[-1]


def mlp(hidden: int) -> nn.Module:
    return nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def cnn() -> nn.Module:
    """Four convolutions with stride 2, 28 to 2 pixels wide, then a linear layer."""
    layers: list[nn.Module] = []
    for inputs, outputs, size in ((1, 8, 5), (8, 16, 3), (16, 32, 3), (32, 32, 3)):
        layers += [nn.Conv2d(inputs, outputs, size, 2, size // 2), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)]
    return nn.Sequential(*layers, *head)


SETTINGS = (
    Setting("MLP 784-50-10, batches of 64", lambda: mlp(50), (784,), 64, 782),
    Setting("MLP 784-50-10, batches of 512", lambda: mlp(50), (784,), 512, 98),
    Setting("MLP 784-2000-10, batches of 64", lambda: mlp(2000), (784,), 64, 200),
    Setting("CNN on 28 x 28, batches of 64", cnn, (1, 28, 28), 64, 200),
    Setting("CNN on 28 x 28, batches of 512", cnn, (1, 28, 28), 512, 50),
)


def raw(model: nn.Module, train: Batches, valid: Batches) -> Fit:
    """The loop by hand."""
    opt = torch.optim.SGD(model.parameters(), lr=LR)

    def fit() -> None:
        model.train()
        for x, y in train:
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            opt.zero_grad()
        model.eval()
        with torch.no_grad():
            for x, y in valid:
                F.cross_entropy(model(x), y)

    return fit


class Sums:
    """What a loop by hand records: sums that stay on the device until the end."""

    def __init__(self) -> None:
        self.loss: Tensor | float = 0.0
        self.right: Tensor | int = 0
        self.n = 0

    def add(self, loss: Tensor, logits: Tensor, y: Tensor) -> None:
        """Take in one batch, without waiting for the device."""
        self.loss = self.loss + loss.detach() * len(y)
        self.right = self.right + (logits.detach().argmax(1) == y).sum()
        self.n += len(y)

    def means(self) -> tuple[float, float]:
        """Return the mean loss and the accuracy."""
        return float(self.loss) / self.n, float(self.right) / self.n


def raw_recording(model: nn.Module, train: Batches, valid: Batches) -> Fit:
    """The loop by hand, with the mean loss and the accuracy of both passes."""
    opt = torch.optim.SGD(model.parameters(), lr=LR)

    def fit() -> list[tuple[float, float]]:
        model.train()
        in_training, in_validation = Sums(), Sums()
        for x, y in train:
            logits = model(x)
            loss = F.cross_entropy(logits, y)
            loss.backward()
            opt.step()
            opt.zero_grad()
            in_training.add(loss, logits, y)
        model.eval()
        with torch.no_grad():
            for x, y in valid:
                logits = model(x)
                in_validation.add(F.cross_entropy(logits, y), logits, y)
        return [in_training.means(), in_validation.means()]

    return fit


def ours(
    model: nn.Module, train: Batches, valid: Batches, cbs: Iterable[Callback] = ()
) -> Fit:
    loaders = DataLoaders(train, valid)
    learn = Learner(model, loaders, F.cross_entropy, torch.optim.SGD, lr=LR, cbs=cbs)
    return lambda: learn.fit(1)


def silent_defaults() -> list[Callback]:
    """The callbacks that a Learner usually has, but for the one that prints."""
    found = default_cbs(accuracy)
    return [each for each in found if not isinstance(each, ProgressCallback)]


BARE = {
    "raw loop": raw,
    "minifast": ours,
    "fastai": lambda *given: peers.fastai_learner(*given, LR),
    "Lightning": lambda *given: peers.lightning_trainer(*given, LR),
}
RECORDING = {
    "raw loop": raw_recording,
    "minifast": lambda *given: ours(*given, [MetricsCallback(accuracy, train=True)]),
    "minifast, default callbacks": lambda *given: ours(*given, silent_defaults()),
    "fastai": lambda *given: peers.fastai_learner(*given, LR, records=True),
    "Lightning": lambda *given: peers.lightning_trainer(*given, LR, records=True),
}


def fits(
    recipes: dict[str, Callable[..., Fit | None]],
    setting: Setting,
    n_batches: int,
    device: str,
    clock: Callable[[], float],
) -> Iterator[tuple[str, Fit, Batches]]:
    """Give each loop that is there equal weights, and the same batches of its own."""
    start = setting.make_model().to(device)
    train, valid = (Batches(setting, n, device, clock) for n in (n_batches, 2))
    for name, recipe in recipes.items():
        own = copy.copy(train)
        fit = recipe(copy.deepcopy(start), own, copy.copy(valid))
        if fit is not None:
            yield name, fit, own


def timed_by_data(fit: Fit, train: Batches) -> Contender:
    def run() -> float:
        fit()
        return train.seconds

    return Contender(run, scale=1 / (len(train) - 1), own_clock=True)


def per_batch(
    title: str,
    recipes: dict[str, Callable[..., Fit | None]],
    setting: Setting,
    arguments: Namespace,
    device: str,
) -> dict:
    found = fits(recipes, setting, setting.n_batches, device, arguments.clock)
    contenders = {name: timed_by_data(fit, train) for name, fit, train in found}
    return compare(f"{setting.name}, {title}, {device}", contenders, arguments)


def two_batches(arguments: Namespace, device: str) -> dict:
    found = fits(RECORDING, SETTINGS[0], 2, device, arguments.clock)
    contenders = {name: Contender(fit) for name, fit, _ in found}
    title = f"A fit of two batches, recording, {device}"
    return compare(title, contenders, arguments)


def main() -> None:
    arguments = parse_arguments(__doc__)
    torch.manual_seed(0)
    about = machine() | peers.installed()
    print("# The training loop: time for one batch\n")
    print(", ".join(f"{key}: {value}" for key, value in about.items()))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tables = []
    for setting in SETTINGS:
        for title, recipes in (("bare", BARE), ("recording", RECORDING)):
            tables.append(per_batch(title, recipes, setting, arguments, device))
    tables.append(two_batches(arguments, device))
    report(arguments.json, machine=about, tables=tables)


if __name__ == "__main__":
    main()
