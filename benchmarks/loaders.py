"""A pass over data in memory: slices and gathers, our loaders, torch's and fastai's.

    python benchmarks/loaders.py --json results.json

Rows of floats and one label each, cut into batches that nobody uses. Two tables, in
order and shuffled; times are those of one batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import peers
import torch
import torch.utils.data
from common import Contender, compare, machine, parse_arguments, report

from minifast.data import DataLoader, TensorDataset, TensorLoader

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterable, Iterator

    from torch import Tensor

N, PIXELS, BATCH = 50_000, 784, 64


def slices(x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The least there is to do in order: nothing is copied."""
    for start in range(0, len(x), BATCH):
        yield x[start : start + BATCH], y[start : start + BATCH]


def gathers(x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The least there is to do shuffled: draw an order, and copy rows."""
    for rows in torch.randperm(len(x)).split(BATCH):
        yield x.index_select(0, rows), y.index_select(0, rows)


def indexed(x: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The same with square brackets, as one first writes it."""
    for rows in torch.randperm(len(x)).split(BATCH):
        yield x[rows], y[rows]


def torch_whole(dataset: TensorDataset, shuffle: bool) -> Iterable[Any]:
    """The loader of torch when it gives the data set the numbers of a whole batch."""
    from torch.utils.data import BatchSampler, RandomSampler, SequentialSampler

    order = (RandomSampler if shuffle else SequentialSampler)(dataset)
    sampler = BatchSampler(order, BATCH, drop_last=False)
    return torch.utils.data.DataLoader(dataset, batch_size=None, sampler=sampler)


def drain(make: Callable[[], Iterable[Any]]) -> Contender:
    def run() -> None:
        for _ in make():
            pass

    return Contender(run, scale=BATCH / N)


def contenders(x: Tensor, y: Tensor, shuffle: bool) -> dict[str, Contender]:
    """Return a contender for each loader that is there, the bare pass first."""
    ours = TensorDataset(x, y)
    theirs = torch.utils.data.TensorDataset(x, y)
    loaders: dict[str, Iterable[Any] | None] = {
        "minifast TensorLoader": TensorLoader(x, y, batch_size=BATCH, shuffle=shuffle),
        "torch DataLoader, whole batches": torch_whole(ours, shuffle),
        "fastai DataLoader, whole batches": peers.fastai_loader(
            ours, BATCH, shuffle, whole=True
        ),
        "torch DataLoader": torch.utils.data.DataLoader(theirs, BATCH, shuffle=shuffle),
        "minifast DataLoader": DataLoader(ours, BATCH, shuffle=shuffle),
        "fastai DataLoader": peers.fastai_loader(ours, BATCH, shuffle),
    }
    if shuffle:
        bare = {
            "gathering": drain(lambda: gathers(x, y)),
            "indexing": drain(lambda: indexed(x, y)),
        }
    else:
        bare = {"slicing": drain(lambda: slices(x, y))}
    found = {name: each for name, each in loaders.items() if each is not None}
    return bare | {name: drain(lambda each=each: each) for name, each in found.items()}


def by_sample(x: Tensor, y: Tensor, arguments: Namespace) -> list[dict]:
    """Compare the loaders that read sample by sample with torch's, on its own."""
    tables = []
    for shuffle in (False, True):
        found = contenders(x, y, shuffle)
        names = ["torch DataLoader", "minifast DataLoader", "fastai DataLoader"]
        chosen = {name: found[name] for name in names if name in found}
        order = "shuffled" if shuffle else "in order"
        tables.append(compare(f"Sample by sample, {order}", chosen, arguments))
    return tables


def main() -> None:
    arguments = parse_arguments(__doc__)
    torch.manual_seed(0)
    about = machine() | peers.installed()
    print(f"# Loaders: {N:,} x {PIXELS} floats in memory, batches of {BATCH}\n")
    print(", ".join(f"{key}: {value}" for key, value in about.items()))
    x, y = torch.randn(N, PIXELS), torch.randint(0, 10, (N,))
    tables = [
        compare("In order", contenders(x, y, False), arguments),
        compare("Shuffled", contenders(x, y, True), arguments),
        *by_sample(x, y, arguments),
    ]
    report(arguments.json, machine=about, tables=tables)


if __name__ == "__main__":
    main()
