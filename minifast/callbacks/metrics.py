"""Mean losses, metrics and time of each epoch.

Book: ch. 11, "Counting without waiting".
"""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any, cast

from minifast.errors import DTypeError, OptionError, describe
from minifast.learner import Callback, Order
from minifast.learner.failures import check_call
from minifast.metrics import Average, Mean, Metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from minifast.learner import Learner


class MetricsCallback(Callback):
    """Puts the mean losses, metrics and the time of each epoch into ``learn.row``.

    The names are ``train_loss``, ``valid_loss``, those of the metrics (over the
    validation data) and ``time_s``. All is added up on the device, and read when the
    validation pass, or an epoch without one, has ended: no batch waits for a figure.

    Args:
        metrics: Each a ``Metric``, or a function of predictions and targets that is a
            mean over the targets, such as ``accuracy``.
        train: Whether to measure over the training batches too, as ``train_accuracy``,
            say: each before its step, so by a model that is changing.
        named: More of them, under names of your own.

    Raises:
        DTypeError: If one of them is no metric.
        OptionError: If two of them have one name.

    Book: ch. 11, "Counting without waiting".
    """

    order = Order.MEASURE

    def __init__(
        self,
        *metrics: Metric | Callable[..., Any],
        train: bool = False,
        **named: Metric | Callable[..., Any],
    ) -> None:
        found = [_as_metric(metric) for metric in metrics]
        found += [_as_metric(metric, name) for name, metric in named.items()]
        names = [metric.name for metric in found]
        if len(set(names)) < len(names):
            must = "Each metric must have a name of its own."
            raise OptionError(must, ", ".join(names), "Write name=metric.")
        self.train_loss, self.valid_loss = Mean(), Mean()
        self.train_metrics = copy.deepcopy(found) if train else []
        self.valid_metrics = found
        self._began_s = time.perf_counter()

    def before_epoch(self, learn: Learner) -> None:
        """Forget the figures of the last epoch, and start the clock."""
        _reset(self.train_loss, self.train_metrics)
        self.before_validate(learn)
        self._began_s = time.perf_counter()

    def before_validate(self, learn: Learner) -> None:
        """Forget the figures of the last validation."""
        _reset(self.valid_loss, self.valid_metrics)

    def after_batch(self, learn: Learner) -> None:
        """Add up, on the device."""
        if learn.training:
            loss, metrics = self.train_loss, self.train_metrics
        else:
            loss, metrics = self.valid_loss, self.valid_metrics
        n = learn.n_targets
        loss.update(learn.loss, n)
        if metrics:
            target = _target(learn)
            for metric in metrics:
                _update(metric, learn.pred, target, n)

    def after_validate(self, learn: Learner) -> None:
        """Fill the row where there is no epoch, in ``learn.validate``."""
        if not learn.n_epochs:
            learn.row.update(_figures("valid", self.valid_loss, self.valid_metrics))

    def after_epoch(self, learn: Learner) -> None:
        """Fill the row, and wait for the device to do so."""
        learn.row.update(_figures("train", self.train_loss, self.train_metrics))
        learn.row.update(_figures("valid", self.valid_loss, self.valid_metrics))
        learn.row["time_s"] = time.perf_counter() - self._began_s


def _as_metric(metric: Any, name: str | None = None) -> Metric:
    """Return a metric, under another name if one is given."""
    must = "A metric must be a Metric, or a function of predictions and targets."
    if isinstance(metric, type):
        got, fix = f"the class {metric.__name__}", f"Write {metric.__name__}(...)."
        raise DTypeError(must, got, fix)
    if hasattr(metric, "update"):
        found: Metric = copy.deepcopy(metric)  # two of one kind must not share a sum
        if name:
            found.name = name
        lacking = [n for n in ("name", "reset", "value") if not hasattr(found, n)]
        if lacking:
            must = "A Metric must have name, reset, update and value."
            got = f"{type(metric).__name__} without {', '.join(lacking)}"
            fix = "Wrap it in a class that has them, or pass a function."
            raise DTypeError(must, got, fix)
        return found
    if not callable(metric):
        raise DTypeError(must, describe(metric), "Write accuracy, say.")
    return cast("Metric", Average(metric, name))


def _update(metric: Metric, pred: Any, target: Any, n: int | Tensor) -> None:
    try:
        if isinstance(metric, Average):  # it weighs as the loss does
            metric.update(pred, target, n)
        else:
            metric.update(pred, target)
    except Exception as error:
        func = metric.func if isinstance(metric, Average) else metric.update
        check_call("metric", func, (pred, target), error)
        raise


def _target(learn: Learner) -> Any:
    """Return what the loader gave to compare with, the first part if there are more."""
    targets = learn.targets
    if not targets:
        must = "A metric must have targets to compare with."
        got = f"a batch without: {describe(learn.batch)}"
        raise DTypeError(must, got, "Leave metrics out, or see Learner(inputs=...).")
    return targets[0]


def _reset(loss: Mean, metrics: list[Metric]) -> None:
    loss.reset()
    for metric in metrics:
        metric.reset()


def _figures(part: str, loss: Mean, metrics: list[Metric]) -> dict[str, float]:
    """Return losses and metrics by name; nothing if no batch ran to its end."""
    if loss.is_empty:
        return {}
    prefix = "train_" if part == "train" else ""
    values = {f"{prefix}{metric.name}": metric.value() for metric in metrics}
    return {f"{part}_loss": loss.value(), **values}
