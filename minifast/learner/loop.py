"""The training loop, and nothing else.

The loop announces what happens; callbacks do the rest. What they read are the loop's
attributes, all of them declared in ``__init__``.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.amp import GradScaler

from minifast.learner import checks
from minifast.learner.callback import (
    Cancel,
    CancelBatch,
    CancelEpoch,
    CancelFit,
    CancelStep,
    checked,
    handlers_by_event,
)
from minifast.optim import SGD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from torch import nn
    from torch.optim import Optimizer

    from minifast.data import DataLoaders
    from minifast.learner.callback import Callback, Event, Handler


class TrainingLoop:
    """Epochs of a training and a validation pass; each step of it is an event.

    The mathematics of a batch is in four methods, which a subclass may override:
    ``forward``, ``get_loss``, ``backward`` and ``step``.

    Args:
        model: What is trained.
        dls: The loaders, as ``dls.train`` and ``dls.valid``. A batch is a tuple: what
            the model is called with, then what the loss gets beside the prediction.
        loss_func: Called as ``loss_func(pred, *targets)``; gives a scalar.
        opt: An optimizer over the model's parameters, or what makes one when called as
            ``opt(parameters, lr=lr)``. Each fit goes on with it as the last left it.
        lr: The learning rate; the optimizer's own, if it has one, if left out.
        cbs: Who listens to each fit and validation.

    Raises:
        DTypeError: If ``dls`` holds no loaders, or one of ``cbs`` is no callback.
        OptionError: If the optimizer holds none of the model's parameters, or has no
            learning rate.

    Shape:
        A batch: (B, ...) inputs, (B, ...) targets; the loss: ().

    Book: ch. 11, "The protocol".
    """

    def __init__(
        self,
        model: nn.Module,
        dls: DataLoaders,
        loss_func: Callable[..., Tensor],
        opt: Optimizer | Callable[..., Optimizer] = SGD,
        *,
        lr: float | None = None,
        cbs: Iterable[Callback] = (),
    ) -> None:
        checks.check_loaders(dls)
        self.model, self.dls, self.loss_func = model, dls, loss_func
        self.opt = checks.as_optimizer(opt, model, lr)
        self.cbs = checked(cbs)
        self.active_cbs: list[Callback] = []  # who listens to the fit that is running
        # What callbacks read: it all exists before the first event.
        self.n_epochs = 0  # of this fit; 0 where nothing is trained
        self.epoch = 0
        self.dl: Iterable[Any] = ()  # the loader of this pass
        self.n_iter = 0  # its number of batches, 0 if it can't say
        self.iter = 0
        self.training = False
        self.batch: Any = ()
        self.pred: Any = None
        self.loss = torch.tensor(torch.nan)
        self.step_count = 0  # optimizer steps, over all fits
        self.row: dict[str, float] = {}  # the figures of this epoch, by name
        self.history: list[dict[str, float]] = []  # one row an epoch, over all fits
        self.stop_reason = ""  # what the CancelFit that ended the fit said
        # One path for all precisions: these do nothing until a callback replaces them.
        self.autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
        self.scaler = GradScaler("cpu", enabled=False)
        self._nobody = self._on = handlers_by_event(())

    @property
    def weight(self) -> int:
        """How much the batch counts in a mean over batches, its number of targets."""
        return weight(self.batch)

    def emit(self, event: Event) -> None:
        """Call those who listen to ``event``; it costs a look-up if nobody does."""
        for handler in self._on[event]:
            handler(self)

    # The mathematics of a batch.

    def forward(self) -> Any:
        """Return the model's output for the batch.

        Shape:
            ``batch[0]``: (B, ...) -> what the model makes of it.
        """
        return self.model(self.batch[0])

    def get_loss(self) -> Tensor:
        """Return the loss of the prediction.

        Shape:
            ``pred`` and ``batch[1:]`` -> (), floating.
        """
        return checks.scalar(self.loss_func(self.pred, *self.batch[1:]))

    def backward(self) -> None:
        """Add the gradient of the loss to the parameters' gradients."""
        self.scaler.scale(self.loss).backward()

    def step(self) -> None:
        """Let the optimizer change the weights, and drop the gradients."""
        self.scaler.step(self.opt)
        self.scaler.update()
        self.opt.zero_grad()

    # The loop.

    def fit(
        self, n_epochs: int, lr: float | None = None, cbs: Iterable[Callback] = ()
    ) -> None:
        """Train: an epoch is a pass over ``dls.train``, then one over ``dls.valid``.

        Args:
            n_epochs: How many epochs, at least 1.
            lr: A new learning rate for all parameter groups; it stays after the fit.
            cbs: Who listens to this fit, beside the loop's own callbacks.

        Raises:
            OptionError: If ``n_epochs`` is not such a number, a pass gives no batch, a
                fit is running already, or a signal is raised where it has no meaning.
        """
        checks.check_epochs(n_epochs)
        with self._session(n_epochs, cbs):
            self.opt.zero_grad()  # a fit that was interrupted may have left some
            for group in self.opt.param_groups if lr is not None else ():
                group["lr"] = lr
            self.emit("before_fit")
            epochs = range(self.epoch, n_epochs)  # from 0, or where a run goes on
            for self.epoch in epochs:
                self._one_epoch()
            self.emit("after_fit")

    def _one_epoch(self) -> None:
        self.row = {"epoch": self.epoch}
        self.emit("before_epoch")
        self._train(self.dls.train)
        if self.dls.valid is not None:
            self._validate(self.dls.valid)
        self.history.append(self.row)
        self.emit("after_epoch")

    def _train(self, dl: Iterable[Any]) -> None:
        with suppress(CancelEpoch), self._pass(dl, training=True):
            self.emit("before_train")
            self._all_batches(dl)
            self.emit("after_train")

    def _validate(self, dl: Iterable[Any]) -> None:
        with suppress(CancelEpoch), self._pass(dl, training=False):
            self.emit("before_validate")
            self._all_batches(dl)
            self.emit("after_validate")

    def _all_batches(self, dl: Iterable[Any]) -> None:
        for self.iter, self.batch in enumerate(dl):
            self.pred = None  # the last one's memory is free for this one's
            with suppress(CancelBatch):
                self._one_batch()
        checks.check_not_empty(self)

    def _one_batch(self) -> None:
        self.emit("before_batch")
        with self.autocast():
            self.pred = self.forward()
            self.emit("after_pred")
            self.loss = self.get_loss()
            self.emit("after_loss")
        if self.training:
            self.backward()
            with suppress(CancelStep):
                self.emit("after_backward")
                self.step()
                self.step_count += 1
                self.emit("after_step")
        self.emit("after_batch")

    @contextmanager
    def _session(self, n_epochs: int, cbs: Iterable[Callback]) -> Iterator[None]:
        """Let everybody listen, and clean up after whatever ends it."""
        checks.check_idle(self._on is self._nobody)
        active = [*self.cbs, *checked(cbs)]
        self._on = on = handlers_by_event(active)
        self.active_cbs, self.n_epochs = active, n_epochs
        self.epoch, self.stop_reason = 0, ""
        try:
            try:
                yield
            except CancelFit as signal:
                self.stop_reason = str(signal)
            finally:
                self._clean_up(on["cleanup_fit"])
        except Cancel as signal:
            raise checks.misplaced(signal) from signal
        finally:
            self._on, self.active_cbs = self._nobody, []

    def _clean_up(self, handlers: tuple[Handler, ...]) -> None:
        """Call all of them, also those after one that fails."""
        if handlers:
            try:
                handlers[0](self)
            finally:
                self._clean_up(handlers[1:])

    @contextmanager
    def _pass(self, dl: Iterable[Any], *, training: bool) -> Iterator[None]:
        """Set the modes of model and autograd; add to an error where it happened."""
        self.dl, self.n_iter, self.training = dl, n_batches(dl), training
        self.iter, self.batch, self.pred = -1, (), None
        self.model.train(training)
        try:
            with torch.set_grad_enabled(training):
                yield
        except Cancel:
            raise
        except Exception as error:
            error.add_note(checks.where(self))
            raise


def n_batches(dl: Iterable[Any]) -> int:
    """Return how many batches a loader gives, or 0 if it can't say.

    Example:
        >>> n_batches([1, 2, 3]), n_batches(iter([1, 2, 3]))
        (3, 0)
    """
    try:
        return len(dl)  # type: ignore[arg-type]
    except TypeError:
        return 0


def weight(batch: Any) -> int:
    """Return how much a batch counts in a mean over batches of different sizes.

    A loss is a mean over its targets, so that is their number: B for classes of
    pictures, B times T for those of tokens. Without targets it is that of the inputs.

    Shape:
        batch: inputs and targets, of any shapes, also nested.

    Example:
        >>> import torch
        >>> weight((torch.zeros(4, 28, 28), torch.zeros(4)))
        4
    """
    if isinstance(batch, Tensor):
        return batch.numel()
    parts = list(batch.values()) if isinstance(batch, dict) else batch
    if isinstance(parts, tuple | list):
        for part in (*parts[1:], *parts[:1]):
            if n := weight(part):
                return n
    return 0
