"""Learner: a model with its data, loss and optimizer, to train, judge, use and keep.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from torch.nn.parameter import is_lazy

from minifast.errors import UnknownNameError
from minifast.learner import checks, files, habits, state
from minifast.learner.batches import join
from minifast.learner.callback import (
    Callback,
    CancelFit,
    Order,
    checked,
    handlers_by_event,
)
from minifast.learner.loop import TrainingLoop
from minifast.metrics import Mean

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from minifast.learner.callback import Event


AnyCallback = TypeVar("AnyCallback", bound="Callback")


class Learner(TrainingLoop):
    """A model, data, a loss and an optimizer, with a loop that callbacks listen to.

    Its arguments are those of ``TrainingLoop``. Printing it shows who listens to what.

    Example:
        >>> import torch
        >>> from minifast.data import DataLoaders, TensorLoader
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

        It is a validation pass without a fit: what a fit has recorded stays as it is.

        Args:
            dl: The loader; ``dls.valid`` if left out.
            cbs: Who listens, beside the Learner's own callbacks.

        Returns:
            ``valid_loss``, and the figures of ``MetricsCallback`` if it listens.

        Raises:
            OptionError: If there is no loader, it is empty, or a fit is running.
        """
        loader, mean_loss = checks.loader_or_valid(self, dl), MeanLoss()
        with self._listening([mean_loss, *checked(cbs)]), suppress(CancelFit):
            row, self.row = self.row, {}
            try:
                self._pass(loader, "validate")
            finally:
                figures, self.row = self.row, row
        return mean_loss.row() | figures

    def get_preds(self, dl: Iterable[Any] | None = None) -> tuple[Any, Any]:
        """Return the predictions for all samples of a loader, and their targets.

        Args:
            dl: The loader; ``dls.valid`` if left out.

        Returns:
            Predictions, in the form in which the model gives them, and targets, None if
            there are none. Batches whose tensors can't be joined, because texts have
            other lengths in each, say, give lists with an entry for each sample.

        Raises:
            OptionError: If there is no loader, it gives no batches, or a fit is
                running.

        Shape:
            -> predictions (N, ...) and targets (N, ...), on the device of the batches.
        """
        found = self._predict(checks.loader_or_valid(self, dl))
        targets = join(found.targets)
        return join(found.preds), targets[0] if len(targets) == 1 else targets or None

    def predict(self, *inputs: Any) -> Any:
        """Return the model's output for inputs, in evaluation mode, without gradients.

        Args:
            inputs: A batch of what the model is called with; of a single sample, make a
                batch: ``x[None]``.

        Shape:
            inputs: (B, ...) each, what the model is called with -> what it makes of it.
        """
        by_name = len(inputs) == 1 and not isinstance(self.inputs, int)
        return self._predict([inputs[0] if by_name else inputs]).preds[0]

    def _predict(self, dl: Iterable[Any]) -> Collect:
        found = Collect()
        with self._listening([found]), suppress(CancelFit):
            self._pass(dl, "predict")
        return found

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

    if not TYPE_CHECKING:  # or a type checker would take any attribute for one

        def __getattr__(self, name: str) -> Any:
            """Say what to write for a name of another library; else fail as usual."""
            habits.explain_attribute(self, name)
            return super().__getattribute__(name)

    def __repr__(self) -> str:
        """Show the loop with those who listen to each event, in the order of calls."""
        return handler_table(self)


class MeanLoss(Callback):
    """Adds up the losses of a pass, each as often as its batch has targets."""

    def __init__(self) -> None:
        self.mean = Mean()

    def after_batch(self, learn: Learner) -> None:
        """Add the loss, without waiting for the device."""
        self.mean.update(learn.loss, learn.n_targets)

    def row(self) -> dict[str, float]:
        """Return the mean under its name, or nothing if no batch ran to its end."""
        return {"valid_loss": self.mean.value()} if not self.mean.is_empty else {}


class Collect(Callback):
    """Keeps the predictions and targets of a pass."""

    order = Order.LAST  # after all who may change the prediction

    def __init__(self) -> None:
        self.preds: list[Any] = []
        self.targets: list[tuple[Any, ...]] = []

    def after_pred(self, learn: Learner) -> None:
        """Keep both."""
        self.preds.append(learn.pred)
        self.targets.append(learn.targets)


def handler_table(learn: Learner) -> str:
    """Return a heading and a line for each event, indented by what it is a part of."""
    parameters = list(learn.model.parameters())
    n_weights = sum(p.numel() for p in parameters if not is_lazy(p))
    lazy = any(map(is_lazy, parameters))
    more = " and some that the first batch makes" if lazy else ""
    loss = getattr(learn.loss_func, "__name__", type(learn.loss_func).__name__)
    model, opt = type(learn.model).__name__, type(learn.opt).__name__
    lines = [f"Learner: {model} with {n_weights:,} parameters{more}, {loss}, {opt}"]
    for event, names in listeners(learn).items():
        label = "  " * depth(event) + event
        lines.append(f"{label:<24}{', '.join(names) or '-'}")
    return "\n".join(lines)


def listeners(learn: Learner) -> dict[Event, list[str]]:
    """Return for each event who listens to it, as class names in the order of calls."""
    return {
        event: [
            type(getattr(handler, "__self__", handler)).__name__
            for handler in (reversed(called) if "cleanup" in event else called)
        ]
        for event, called in handlers_by_event(learn.cbs).items()
    }


def depth(event: Event) -> int:
    """Return how deep in the loop an event is: fit 0, epoch 1, pass 2, batch 3.

    Example:
        >>> depth("before_fit"), depth("before_train"), depth("after_loss")
        (0, 2, 3)
    """
    scope = event.partition("_")[2]
    passes = dict.fromkeys(["train", "validate", "predict", "pass"], 2)
    return ({"fit": 0, "epoch": 1} | passes).get(scope, 3)
