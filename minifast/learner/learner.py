"""What one does with a model: train it, judge it, use it, keep it.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from minifast.callback import checked
from minifast.errors import OptionError, UnknownNameError, describe
from minifast.learner import checks, saving
from minifast.learner.collect import Collect, MeanLoss
from minifast.learner.loop import TrainingLoop
from minifast.learner.table import handler_table

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from torch import Tensor

    from minifast.callback import Callback

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
        """Write weights and optimizer to a file, which is there whole or not at all."""
        saving.write(self.state_dict(), path)

    def load(self, path: str | os.PathLike[str], *, with_opt: bool = True) -> None:
        """Take weights and the optimizer's state from a file that was saved.

        Only tensors and plain values are read: no code in the file is run. What does
        not fit is refused before anything is changed.

        Args:
            path: What ``save`` or ``Checkpoint`` wrote.
            with_opt: Whether to take the optimizer's state too.

        Raises:
            DataError: If there is no such file, or it was not written by ``save``.
            ShapeError: If names or shapes of the weights are not the model's.
        """
        self.load_state_dict(saving.read(path), with_opt=with_opt)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of model, optimizer and scaler; their memory is shared."""
        return {k: getattr(self, k).state_dict() for k in ("model", "opt", "scaler")}

    def load_state_dict(self, state: Mapping[str, Any], with_opt: bool = True) -> None:
        """Take over what ``state_dict`` returned.

        Args:
            state: The states of model, optimizer and scaler.
            with_opt: Whether to take the last two as well.

        Raises:
            ShapeError: If names or shapes of the weights are not the model's.
        """
        saving.check_weights(self.model, state["model"])
        if with_opt:
            self.opt.load_state_dict(state["opt"])
        if with_opt and state["scaler"] and self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
        self.model.load_state_dict(state["model"])

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
