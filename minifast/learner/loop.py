"""Training loop: epochs, passes and batches, announced to callbacks, and nothing else.

Callbacks do the rest. What they read are the loop's attributes, all of them declared in
``__init__``.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Never

import torch
from torch import nn
from torch.amp import GradScaler

from minifast.errors import whole_number
from minifast.learner import checks, failures
from minifast.learner.batches import n_averaged, n_batches, split_batch
from minifast.learner.callback import (
    STAGES,
    Cancel,
    CancelBatch,
    CancelEpoch,
    CancelFit,
    CancelStep,
    DeferStep,
    checked,
    handlers_by_event,
    wrapped_verbs,
)
from minifast.optim import SGD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from torch import Tensor
    from torch.optim import Optimizer

    from minifast.data import DataLoaders
    from minifast.learner.callback import Callback, Event, Stage, Verb


class TrainingLoop:
    """Epochs of a training and a validation pass; each step of it is an event.

    The mathematics of a batch is in four methods, ``forward``, ``get_loss``,
    ``backward`` and ``step``: a subclass may override them, and callbacks may wrap
    them, several at a time (``Callback.around_forward`` and so on).

    Args:
        model: What is trained.
        dls: The loaders, as ``dls.train`` and ``dls.valid``. A batch is a tuple, what
            the model is called with, then what the loss gets beside the prediction; or
            a dictionary; or a tensor, if there are no targets.
        loss_func: Called as ``loss_func(pred, *targets)``; gives a scalar. Parameters
            that it has, as a module, are trained and saved like the model's.
        opt: An optimizer over the model's parameters, or what makes one when called as
            ``opt(parameters, lr=lr)``. Each fit goes on with it as the last left it.
        lr: The learning rate; the optimizer's own, if it has one, if left out; it may
            be given later, to ``fit`` or by ``OneCycle``. For several parameter groups
            a sequence, or ``slice(lowest, highest)``.
        cbs: Who listens to each fit, validation and prediction.
        inputs: How many parts of a batch, from its first one, the model is called with;
            or the names of those parts of a dictionary that it gets as keywords. The
            other parts are targets.
        splitter: From the model to its parameter groups, lists of parameters from the
            first layers to the last; without one there is a single group.
        unknown: There are no others; for those of other libraries the error says more.

    Raises:
        DTypeError: If ``dls`` holds no loaders, or one of ``cbs`` is no callback, or
            model, loss or optimizer are none, or an argument is not known.
        OptionError: If the optimizer holds none of the model's parameters, or can't do
            without a closure, or the rates are not as many as the groups.

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
        lr: float | Sequence[float] | slice | None = None,
        cbs: Iterable[Callback] = (),
        inputs: int | Sequence[str] = 1,
        splitter: Callable[[nn.Module], Sequence[Iterable[nn.Parameter]]] | None = None,
        **unknown: Never,
    ) -> None:
        checks.check_parts(type(self), model, dls, loss_func, unknown)
        self.model, self.dls, self.loss_func = model, dls, loss_func
        self._holds_all = not isinstance(opt, torch.optim.Optimizer)
        self.opt = checks.as_optimizer(opt, self, lr, splitter)
        self.cbs = checked(cbs)
        self.active_cbs: list[Callback] = []  # who listens to what is running
        # What callbacks read: it all exists before the first event.
        self.n_epochs = 0  # of this fit; 0 outside of one
        self.epoch = 0
        self.stage: Stage = "train"  # what the pass is for
        self.training = False  # whether it is a training pass
        self.dl: Iterable[Any] = ()  # the loader of this pass
        self.n_iter = 0  # its number of batches, 0 if it can't say
        self.iter = 0
        self.inputs = checks.inputs(inputs)
        self.batch: Any = ()  # what is computed with; callbacks may replace it
        self.true_batch: Any = ()  # what the loader gave, for metrics to compare with
        self.pred: Any = None
        self.loss = torch.tensor(torch.nan)
        self.step_count = 0  # optimizer steps, over all fits
        self.row: dict[str, float] = {}  # the figures of this epoch, by name
        self.history: list[dict[str, float]] = []  # one row an epoch, over all fits
        self.stop_reason = ""  # what the CancelFit that ended the last fit said
        # One path for all precisions: these do nothing until a callback replaces them.
        self.autocast: Callable[[], AbstractContextManager[Any]] = nullcontext
        self.scaler = GradScaler("cpu", enabled=False)
        self._nobody = self._on = handlers_by_event(())
        self._do: dict[Verb, Callable[[], Any]] = {}
        self._n_targets: int | Tensor | None = None

    @property
    def targets(self) -> tuple[Any, ...]:
        """The targets that the loader gave, for metrics to compare with."""
        return split_batch(self.true_batch, self.inputs)[1]

    @property
    def n_targets(self) -> int | Tensor:
        """How many targets the loss is a mean over, as ``count_targets`` says.

        Shape:
            -> an int, or () on the device, so that nobody need wait for it.
        """
        if self._n_targets is None:  # asked by several, and counted once
            self._n_targets = self.count_targets()
        return self._n_targets

    def emit(self, event: Event) -> None:
        """Call those who listen to ``event``; it costs a look-up if nobody does."""
        for handler in self._on[event]:
            handler(self)

    # The mathematics of a batch.

    def forward(self) -> Any:
        """Return the model's output for the inputs of the batch.

        Shape:
            inputs: (B, ...) -> what the model makes of it.
        """
        inputs, _ = split_batch(self.batch, self.inputs)
        if isinstance(inputs, dict):
            return self.model(**inputs)
        return self.model(*inputs)

    def get_loss(self) -> Tensor:
        """Return the loss of the prediction.

        Shape:
            ``pred`` and the targets of the batch -> (), floating.
        """
        _, targets = split_batch(self.batch, self.inputs)
        return self.loss_func(self.pred, *targets)

    def backward(self) -> None:
        """Add the gradient of the loss to the parameters' gradients."""
        self.scaler.scale(self.loss).backward()

    def step(self) -> bool:
        """Let the optimizer change the weights; return whether it has.

        In mixed precision the scaler skips a step whose gradients are not finite, and
        lowers its scale.
        """
        if not self.scaler.is_enabled():
            self.opt.step()
            return True
        scale = self.scaler.get_scale()
        self.scaler.step(self.opt)
        self.scaler.update()
        return self.scaler.get_scale() >= scale

    def count_targets(self) -> int | Tensor:
        """Return over how many targets the loss of this batch is a mean.

        Mean losses, metrics and accumulated gradients weigh batches by it. Here it is
        what torch's losses do: all numbers of the targets, or where they are classes,
        those that are not ignored, each as much as the class weighs. Override it for a
        loss that averages over anything else.

        Shape:
            -> an int, or () on the device of the targets.
        """
        return n_averaged(self.loss_func, self.true_batch, self.targets)

    # The loop.

    def fit(
        self,
        n_epochs: int,
        lr: float | Sequence[float] | slice | None = None,
        cbs: Iterable[Callback] = (),
    ) -> None:
        """Train: an epoch is a pass over ``dls.train``, then one over ``dls.valid``.

        Args:
            n_epochs: How many epochs, at least 1.
            lr: A new learning rate, which stays after the fit: a number for all
                parameter groups, if their rates are equal; a sequence with one for
                each; or ``slice(lowest, highest)``, which spreads them evenly, as
                factors, from the first group to the last.
            cbs: Who listens to this fit, beside the loop's own callbacks.

        Raises:
            OptionError: If ``n_epochs`` is not such a number, a pass gives no batch, a
                fit is running already, a signal is raised where it has no meaning, the
                rates don't fit the groups, there is none, or a schedule beside ``lr``,
                or the optimizer lacks a parameter.
        """
        n_epochs = whole_number("n_epochs", n_epochs, 1, checks.NO_EPOCHS)
        with self._listening(cbs), _Scope(self, CancelFit, "cleanup_fit"):
            checks.check_parameters(self)
            checks.set_rates(self, lr)
            self.n_epochs, self.epoch, self.stop_reason = n_epochs, 0, ""
            self.opt.zero_grad()  # a fit that was interrupted may have left some
            self.emit("before_fit")
            epochs = range(self.epoch, n_epochs)  # from 0, or where a run goes on
            for self.epoch in epochs:
                self._one_epoch()
            self.emit("after_fit")

    def _one_epoch(self) -> None:
        self.row = {"epoch": self.epoch}
        self.emit("before_epoch")
        self._pass(self.dls.train, "train")
        if self.dls.valid is not None:
            self._pass(self.dls.valid, "validate")
        self.history.append(self.row)
        self.emit("after_epoch")

    def _pass(self, dl: Iterable[Any], stage: Stage) -> None:
        before, after = STAGES[stage]
        one_batch = _Scope(self, CancelBatch, "cleanup_batch")
        with self._modes(dl, stage), _Scope(self, CancelEpoch, "cleanup_pass"):
            self.emit(before)
            for self.iter, self.batch in enumerate(dl):
                self.true_batch = self.batch
                self.pred = self._n_targets = None  # the last one's memory is free
                with one_batch:
                    self._one_batch()
            failures.check_not_empty(self)
            self.emit(after)

    def _one_batch(self) -> None:
        self.emit("before_batch")
        with self.autocast():
            self.pred = self._do["forward"]()
            self.emit("after_pred")
            if self.stage == "predict":
                return
            self.loss = checks.scalar(self._do["get_loss"]())
            self._after_loss()
        if self.training:
            self._update()
        self.emit("after_batch")

    def _after_loss(self) -> None:
        if self.training or not self._on["after_loss"]:
            self.emit("after_loss")
            return
        loss = self.loss.clone()  # what listeners add counts in training alone
        self.emit("after_loss")
        self.loss = loss

    def _update(self) -> None:
        """Backward and step; the gradients end with it, unless it is put off."""
        try:
            self._do["backward"]()
            if self._is_deferred():
                return
            self._step()
        except CancelStep:
            pass
        except Cancel:
            self.opt.zero_grad()
            raise
        self.opt.zero_grad()

    def _is_deferred(self) -> bool:
        """Announce the gradients; return whether somebody wants more added to them."""
        try:
            self.emit("after_backward")
        except DeferStep:
            return True
        return False

    def _step(self) -> None:
        self.scaler.unscale_(self.opt)  # once, whoever looks at the gradients
        try:
            self.emit("before_step")
        except Cancel:
            self.scaler.update()  # or it would take the next ones for unscaled, too
            raise
        if self._do["step"]() is not False:
            self.step_count += 1
            self.emit("after_step")

    # What goes around it, and is undone.

    @contextmanager
    def _listening(self, cbs: Iterable[Callback]) -> Iterator[None]:
        """Let everybody listen, for the length of a fit, validation or prediction."""
        checks.check_idle(self._on is self._nobody)
        active = [*self.cbs, *checked(cbs)]
        on, do = handlers_by_event(active), wrapped_verbs(self, active)
        try:
            self._on, self._do, self.active_cbs = on, do, active
            yield
        except Cancel as signal:
            raise checks.misplaced(signal) from signal
        finally:
            self._on, self._do, self.active_cbs, self.n_epochs = self._nobody, {}, [], 0
            self.batch = self.true_batch = ()  # their memory is free, and the graph's
            self.pred, self._n_targets, self.loss = None, None, self.loss.detach()

    @contextmanager
    def _modes(self, dl: Iterable[Any], stage: Stage) -> Iterator[None]:
        """Set the modes of model and autograd; add to an error where it happened."""
        self.dl, self.n_iter, self.stage = dl, n_batches(dl), stage
        self.training = stage == "train"
        self.iter, self.batch, self.true_batch, self.pred = -1, (), (), None
        before = set_mode(self.model, self.training)
        if isinstance(self.loss_func, nn.Module):
            before += set_mode(self.loss_func, self.training)
        try:
            with torch.set_grad_enabled(self.training):
                yield
        except Cancel:
            raise
        except Exception as error:
            failures.explain(self, error)
            raise
        finally:
            for module, training in before:
                module.training = training


class _Scope:
    """A fit, pass or batch: ends at its signal, and cleans up whatever ends it."""

    def __init__(
        self, loop: TrainingLoop, signal: type[Cancel], cleanup: Event
    ) -> None:
        self.loop, self.signal, self.cleanup = loop, signal, cleanup

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        left = isinstance(error, self.signal)
        if left and self.signal is CancelFit:
            self.loop.stop_reason = str(error)
        failed: BaseException | None = None
        for handler in reversed(self.loop._on[self.cleanup]):
            try:
                handler(self.loop)
            except BaseException as other:
                other.__cause__ = other.__cause__ or failed  # neither is lost
                failed = other
        if failed is not None:
            raise failed
        return left


def set_mode(model: nn.Module, training: bool) -> list[tuple[nn.Module, bool]]:
    """Set training or evaluation mode; return what the modes of all modules were.

    Modules in evaluation mode inside a model in training mode have been frozen there by
    somebody, such as the batch normalization of a pre-trained body: they stay so.

    Example:
        >>> model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
        >>> _ = set_mode(model, True)
        >>> [layer.training for layer in model]
        [True, False]
    """
    before = [(module, module.training) for module in model.modules()]
    frozen = [module for module, on in before if model.training and not on]
    model.train(training)
    for module in frozen:
        module.training = False
    return before
