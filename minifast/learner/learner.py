"""What one does with a model: train it, judge it, use it, keep it.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from minifast.errors import OptionError, UnknownNameError, describe
from minifast.learner import checks, files, state
from minifast.learner.callback import Callback, CancelBatch, checked, handlers_by_event
from minifast.learner.loop import TrainingLoop
from minifast.metrics import Mean

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from torch import Tensor

    from minifast.learner.callback import Event


AnyCallback = TypeVar("AnyCallback", bound="Callback")


class Learner(TrainingLoop):
    """A model, data, a loss and an optimizer, with a loop that callbacks listen to.

    Its arguments are those of ``TrainingLoop``. Printing it shows who listens to what.

    Example:
        >>> from minifast.data.loaders import DataLoaders, TensorLoader
        >>> x = torch.linspace(-1, 1, 32)[:, None]
        >>> dls = DataLoaders(TensorLoader(x, 3 * x, batch_size=8))
        >>> mse = torch.nn.functional.mse_loss
        >>> learn = Learner(torch.nn.Linear(1, 1), dls, mse, torch.optim.SGD, lr=0.5)
        >>> learn.fit(10)
        >>> learn.validate(dls.train)["valid_loss"] < 1e-3
        True

    Book: ch. 11, "The protocol".
    """

    def validate(
        self, dl: Iterable[Any] | None = None, cbs: Iterable[Callback] = ()
    ) -> dict[str, float]:
        """Return the mean loss over a loader, and what callbacks measured on the way.

        Args:
            dl: The loader; ``dls.valid`` if left out.
            cbs: Who listens, beside the Learner's own callbacks.

        Returns:
            ``valid_loss``, and the figures of ``MetricsCallback`` if it listens.

        Raises:
            OptionError: If there is no loader, it is empty, or a fit is running.
        """
        loader, mean_loss = checks.loader_or_valid(self, dl), MeanLoss()
        with self._session(0, [mean_loss, *checked(cbs)]):
            self.row = {}
            self.emit("before_fit")
            self._validate(loader)
            self.emit("after_fit")
        return mean_loss.row() | self.row

    def get_preds(self, dl: Iterable[Any] | None = None) -> tuple[Tensor, Tensor]:
        """Return the predictions for all samples of a loader, and their targets.

        Args:
            dl: The loader; ``dls.valid`` if left out.

        Raises:
            OptionError: If there is no loader, it gives no batches or no targets, or a
                fit is running.

        Shape:
            -> predictions (N, ...) and targets (N, ...), on the device of the batches.
        """
        found = Collect()
        self.validate(dl, [found])
        if not found.targets:
            must = "The batches must hold targets beside the inputs."
            raise OptionError(must, describe(self.batch), "Use predict(x) for each.")
        return torch.cat(found.preds), torch.cat(found.targets)

    def predict(self, x: Any) -> Any:
        """Return the model's output for inputs, in evaluation mode, without gradients.

        Args:
            x: A batch of inputs; of a single one, make a batch: ``x[None]``.

        Shape:
            x: (B, ...), what the model is called with -> what it makes of it.
        """
        found = Collect()
        self.validate([(x,)], [found])
        return found.preds[0]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights and optimizer to a file, which is there whole or not at all.

        Raises:
            DTypeError: If there is more in them than tensors and plain values.
            DataError: If the file can't be written, on a full disk, say.
        """
        files.write(self.state_dict(), path)

    def load(
        self,
        path: str | os.PathLike[str],
        *,
        with_opt: bool = True,
        strict: bool = True,
    ) -> list[str]:
        """Take weights and what the optimizer remembers from a file that was saved.

        The hyper-parameters, such as the learning rate, stay those of this Learner.
        Only tensors and plain values are read: no code in the file is run. What is
        damaged or does not fit is refused before anything is changed.

        Args:
            path: What ``save`` or ``Checkpoint`` wrote, or ``torch.save`` with the
                parts that ``state_dict`` has.
            with_opt: Whether to take the states of optimizer, scaler and loss as well.
            strict: Whether all weights must fit; if not, those that fit by name and
                shape are taken, a body without its head, say, and nothing else is.

        Returns:
            A line for each weight that was left out: none, if strict.

        Raises:
            DataError: If there is no such file, it is damaged or holds something else.
            OptionError: If the optimizer is of another kind or has other groups.
            ShapeError: If names or shapes of the weights are not the model's.
        """
        saved = files.read(path)
        return self.load_state_dict(saved, with_opt=with_opt, strict=strict)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of model, loss, optimizer, scaler, with shared memory."""
        return state.learner_state(self)

    def load_state_dict(
        self, saved: Mapping[str, Any], with_opt: bool = True, *, strict: bool = True
    ) -> list[str]:
        """Take over what ``state_dict`` returned, as ``load`` does.

        Args:
            saved: The states of model, loss, optimizer and scaler.
            with_opt: Whether to take all of them, or that of the model alone.
            strict: Whether all weights must fit.

        Returns:
            A line for each weight that was left out: none, if strict.

        Raises:
            DataError: If a part is missing or is no such thing.
            OptionError: If the optimizer is of another kind or has other groups.
            ShapeError: If names or shapes of the weights are not the model's.
        """
        return state.set_learner_state(self, saved, with_opt=with_opt, strict=strict)

    @contextmanager
    def added_cbs(self, *cbs: Callback) -> Iterator[None]:
        """Have more callbacks for the length of a ``with`` block."""
        before = self.cbs
        self.cbs = checked([*before, *cbs])
        try:
            yield
        finally:
            self.cbs = before

    @contextmanager
    def removed_cbs(self, *cbs: Callback) -> Iterator[None]:
        """Do without some callbacks for the length of a ``with`` block."""
        before = self.cbs
        self.cbs = [cb for cb in before if not any(cb is other for other in cbs)]
        try:
            yield
        finally:
            self.cbs = before

    def find(self, kind: type[AnyCallback]) -> AnyCallback:
        """Return the first callback of a class, such as ``learn.find(Recorder)``.

        Raises:
            UnknownNameError: If there is none.
        """
        found = next((cb for cb in self.cbs if isinstance(cb, kind)), None)
        if found is None:
            names = {type(cb).__name__ for cb in self.cbs}
            raise UnknownNameError.of("callback", kind.__name__, names)
        return found

    def __repr__(self) -> str:
        """Show the loop with those who listen to each event, in the order of calls."""
        return handler_table(self)


class MeanLoss(Callback):
    """Adds up the losses of a pass, each as often as its batch has targets."""

    def __init__(self) -> None:
        self.mean = Mean()

    def after_batch(self, learn: Learner) -> None:
        """Add the loss, without waiting for the device."""
        self.mean.update(learn.loss, learn.weight)

    def row(self) -> dict[str, float]:
        """Return the mean under its name, or nothing if no batch ran to its end."""
        return {"valid_loss": self.mean.value()} if self.mean.count else {}


class Collect(Callback):
    """Keeps predictions and targets, and leaves each batch before its loss."""

    order = 1_000  # after all who may change the prediction

    def __init__(self) -> None:
        self.preds: list[Any] = []
        self.targets: list[Any] = []

    def after_pred(self, learn: Learner) -> None:
        """Keep both and leave the batch."""
        self.preds.append(learn.pred)
        self.targets.extend(learn.batch[1:2])
        raise CancelBatch


def handler_table(learn: Learner) -> str:
    """Return a heading and a line for each event, indented by what it is a part of."""
    n_weights = sum(p.numel() for p in learn.model.parameters())
    loss = getattr(learn.loss_func, "__name__", type(learn.loss_func).__name__)
    model, opt = type(learn.model).__name__, type(learn.opt).__name__
    lines = [f"Learner: {model} with {n_weights:,} parameters, {loss}, {opt}"]
    for event, handlers in handlers_by_event(learn.cbs).items():
        names = [type(getattr(h, "__self__", h)).__name__ for h in handlers]
        label = "  " * depth(event) + event
        lines.append(f"{label:<24}{', '.join(names) or '-'}")
    return "\n".join(lines)


def depth(event: Event) -> int:
    """Return how deep in the loop an event is: fit 0, epoch 1, pass 2, batch 3.

    Example:
        >>> depth("before_fit"), depth("before_train"), depth("after_loss")
        (0, 2, 3)
    """
    scope = event.partition("_")[2]
    return {"fit": 0, "epoch": 1, "train": 2, "validate": 2}.get(scope, 3)
