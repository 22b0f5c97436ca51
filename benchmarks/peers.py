"""The libraries that minifast is compared with, each doing the task of the script.

A function gives None where its library is not installed; the row is then left out, and
a note says so. Nothing here is imported by minifast.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import sys
import warnings
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    from torch import Tensor, nn

PEERS = ("fastai", "lightning")


def installed() -> dict[str, str]:
    """Return the versions of the peers that are there; print what is left out."""
    found = {name: version(name) for name in PEERS if importlib.util.find_spec(name)}
    for name in PEERS:
        if name not in found:
            print(f"{name} is not installed: its rows are left out.")
    return found


@cache
def load(module: str) -> ModuleType | None:
    """Import a module of a peer, without its warnings, or return None."""
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        return None
    _let_torchvision_load()
    warnings.filterwarnings("ignore")  # theirs about each other, not ours to mend
    loaded = importlib.import_module(module)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return loaded


@cache
def _let_torchvision_load() -> object:
    """Make up for a torchvision built for CUDA beside a torch built without it.

    Its compiled operators can't be loaded then, and its import stops where it describes
    two of them to torch. Once these two names are declared, it goes through; only the
    operators themselves are missing, which nothing here calls.
    """
    if importlib.util.find_spec("torchvision") is None:
        return None
    try:
        return importlib.import_module("torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(operator + signature)
        return library  # which must live as long as the names are needed


def fastai_learner(
    model: nn.Module,
    train: Iterable[Any],
    valid: Iterable[Any],
    lr: float,
    records: bool = False,
) -> Callable[[], object] | None:
    """One epoch of fastai's Learner with torch's SGD.

    Recording, it is as it comes, with accuracy, but without its progress bar; bare, it
    keeps only the callback that changes between training and evaluation.
    """
    if load("fastai.learner") is None:
        return None
    from fastai.callback.core import TrainEvalCallback
    from fastai.callback.progress import ProgressCallback
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.metrics import accuracy
    from fastai.optimizer import OptimWrapper

    learn = Learner(
        DataLoaders(train, valid, device=next(model.parameters()).device),
        model,
        loss_func=F.cross_entropy,
        opt_func=partial(OptimWrapper, opt=torch.optim.SGD),
        lr=lr,
        metrics=accuracy if records else None,
    )
    for callback in list(learn.cbs):
        bare = not records and not isinstance(callback, TrainEvalCallback)
        if bare or isinstance(callback, ProgressCallback):
            learn.remove_cb(callback)
    learn.logger = lambda *_: None
    return lambda: learn.fit(1)


def lightning_trainer(
    model: nn.Module,
    train: Iterable[Any],
    valid: Iterable[Any],
    lr: float,
    records: bool = False,
) -> Callable[[], object] | None:
    """One epoch of Lightning's Trainer, without checkpoints, bars and loggers.

    Recording, it logs loss and accuracy once an epoch, as its documentation shows.
    """
    lightning = load("lightning.pytorch")
    if lightning is None:
        return None

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.model = model

        def measure(self, batch: tuple[Tensor, Tensor], part: str) -> Tensor:
            logits = self.model(batch[0])
            loss = F.cross_entropy(logits, batch[1])
            if records:
                right = (logits.detach().argmax(1) == batch[1]).float().mean()
                figures = {f"{part}_loss": loss, f"{part}_accuracy": right}
                n = len(batch[0])
                self.log_dict(figures, on_step=False, on_epoch=True, batch_size=n)
            return loss

        def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
            return self.measure(batch, "train")

        def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
            self.measure(batch, "valid")

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=lr)

    def fit() -> None:
        trainer = lightning.Trainer(
            max_epochs=1,
            accelerator="gpu" if next(model.parameters()).is_cuda else "cpu",
            devices=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(Module(), train, valid)

    return fit


def fastai_loader(
    dataset: Any, batch_size: int, shuffle: bool, whole: bool = False
) -> Iterable[Any] | None:
    """The loader of fastai in one process; ``whole`` asks for a batch by one list."""
    if load("fastai.data.load") is None:
        return None
    from fastai.data.load import DataLoader

    class WholeBatches(DataLoader):
        def create_batch(self, indices: Iterable[int]) -> Any:
            return self.dataset[list(indices)]

        def create_item(self, index: int) -> int:
            return index

    kind = WholeBatches if whole else DataLoader
    return kind(dataset, bs=batch_size, shuffle=shuffle, num_workers=0, n=len(dataset))
