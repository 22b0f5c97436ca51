"""Early stopping, and which of several epochs is the best.

Book: ch. 12, "Knowing when to stop".
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

import torch

from minifast.errors import OptionError, UnknownNameError, did_you_mean
from minifast.learner import Callback, CancelFit, Order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from minifast.learner import Learner


class EarlyStopping(Callback):
    """Ends a fit when a figure has not become better for some epochs.

    The best epoch is that of this fit. It remembers nothing: the rows of the fit say it
    all, also after a restart. The weights stay those of the last epoch; ``Checkpoint``
    keeps the best.

    Where only some epochs validate, the others are passed over: they are not counted.

    Args:
        monitor: The figure to judge by.
        patience: After how many epochs with that figure, but without a new best, to
            stop, at least 1.
        min_delta: By how much a new best must beat the last.
        mode: Whether small or large is good; by the name of the figure if ``"auto"``.

    Raises:
        OptionError: If ``patience`` is below 1, or the name does not say what is good.

    Source: Prechelt 1998, "Early Stopping - But When?", section 2.

    Book: ch. 12, "Knowing when to stop".
    """

    order = Order.STOP

    def __init__(
        self,
        monitor: str = "valid_loss",
        *,
        patience: int = 3,
        min_delta: float = 0.0,
        mode: Mode = "auto",
    ) -> None:
        if patience < 1:
            must = "The patience must be at least 1 epoch."
            raise OptionError(must, f"patience={patience}", "Pass a positive number.")
        self.monitor, self.mode = monitor, direction(monitor, mode)
        self.patience, self.min_delta = patience, min_delta

    def before_fit(self, learn: Learner) -> None:
        """Stop a resumed fit that had been stopped."""
        self._stop_if_due(learn, n_rows=learn.epoch)

    def after_epoch(self, learn: Learner) -> None:
        """Stop if the best is too long ago."""
        self._stop_if_due(learn, n_rows=learn.epoch + 1)

    def _stop_if_due(self, learn: Learner, n_rows: int) -> None:
        rows = learn.history[len(learn.history) - n_rows :]
        check_figure(rows, self.monitor, wait=learn.dls.valid is not None)
        best = best_row(rows, self.monitor, self.mode, self.min_delta)
        since = [row for row in rows[best + 1 :] if self.monitor in row]
        if len(since) >= self.patience:
            raise CancelFit(f"no better {self.monitor} in {self.patience} epochs")


class TerminateOnNaN(Callback):
    """Ends a fit when the training loss is infinite or not a number.

    Looking at a loss waits for the device, so it is not done at each batch. Little is
    lost: once a weight is nan, so are all the losses that follow. A single infinite
    loss between two looks, of which the weights recover, goes unseen.

    Args:
        every: After how many batches to look, and at the end of each training pass.

    Raises:
        OptionError: If ``every`` is below 1.

    Book: ch. 12, "Steps that are too long".
    """

    order = Order.STOP

    def __init__(self, every: int = 50) -> None:
        if every < 1:
            must = "The number of batches between two looks must be at least 1."
            raise OptionError(must, f"every={every}", "Pass a positive number.")
        self.every = every

    def after_batch(self, learn: Learner) -> None:
        """Look at the loss once in so many training batches."""
        if learn.training and (learn.iter + 1) % self.every == 0:
            self._look(learn)

    def after_train(self, learn: Learner) -> None:
        """Look at the last loss."""
        self._look(learn)

    def _look(self, learn: Learner) -> None:
        if not torch.isfinite(learn.loss):
            loss, step = learn.loss.item(), learn.step_count
            raise CancelFit(f"the loss was {loss} after {step} steps")


Mode = Literal["auto", "min", "max"]
# Words that say what is good. Small comes first: a "brier_score" is an error.
_SMALL_IS_GOOD = re.compile(
    "loss|losses|error|err|perplexity|ppl|crossentropy|nll|mae|mse|rmse|mape|brier|ece"
    "|wer|cer|hamming|distance"
)
_LARGE_IS_GOOD = re.compile(
    "accuracy|acc|f1|fbeta|auc|auroc|precision|recall|sensitivity|specificity|dice|iou"
    "|miou|jaccard|r2|score|bleu|rouge|mcc|kappa"
)


def direction(monitor: str, mode: Mode = "auto") -> Literal["min", "max"]:
    """Return whether a figure should be small or large.

    Args:
        monitor: The name of the figure. Its words count, such as the second one of
            ``"valid_loss"``.
        mode: What was asked for; ``"auto"`` goes by the name.

    Raises:
        OptionError: If there is no such mode, or the name says nothing.

    Example:
        >>> direction("cross_entropy"), direction("valid_accuracy")
        ('min', 'max')
        >>> direction("quality", "max")
        'max'
    """
    if mode == "min" or mode == "max":  # one by one, for the type checker
        return mode
    if mode != "auto":
        raise OptionError("The mode must be auto, min or max.", repr(mode))
    name = monitor.lower().replace("cross_entropy", "crossentropy")
    words = re.findall("[a-z]+[0-9]*", name)
    if any(_SMALL_IS_GOOD.fullmatch(word) for word in words):
        return "min"
    if any(_LARGE_IS_GOOD.fullmatch(word) for word in words):
        return "max"
    raise OptionError(
        "It must be known whether a figure should be small or large.",
        f"{monitor!r}, a name that does not say so",
        'Pass mode="min" or mode="max".',
    )


def best_row(
    rows: Sequence[Mapping[str, float]],
    monitor: str,
    mode: Mode = "auto",
    min_delta: float = 0.0,
) -> int:
    """Return the number of the best row, the first one of equals; -1 if there is none.

    Rows without the figure are passed over, and so are those where it is nan.

    Args:
        rows: The figures of epochs by name, such as those in ``learn.history``.
        monitor: The name of the figure to judge by, such as ``"valid_loss"``.
        mode: Whether small or large is good; by the name of the figure if ``"auto"``.
        min_delta: By how much a row must beat the best so far to take its place.

    Raises:
        OptionError: If there is no such mode, or the name does not say what is good.

    Example:
        >>> best_row([{"valid_loss": 0.5}, {"valid_loss": 0.3}], "valid_loss")
        1
    """
    sign = -1.0 if direction(monitor, mode) == "min" else 1.0
    best, best_score = -1, -math.inf
    for i, row in enumerate(rows):
        score = sign * row.get(monitor, math.nan)
        if score > best_score + min_delta:  # never true of nan
            best, best_score = i, score
    return best


def check_figure(
    rows: Sequence[Mapping[str, float]], monitor: str, *, wait: bool
) -> None:
    """Refuse the name of a figure that is in none of the rows and will not come.

    Args:
        rows: The figures of the epochs of a fit, by name.
        monitor: The name of the figure.
        wait: Whether there are validation data, so that an epoch without a
            ``valid_loss`` may be followed by one with it.

    Raises:
        UnknownNameError: If there is no such figure, although the last epoch validated,
            or is one of those that any epoch has.
    """
    if not rows or any(monitor in row for row in rows):
        return
    last = rows[-1]
    unfinished = "train_loss" in last and "valid_loss" not in last
    if wait and unfinished and not monitor.startswith("train_"):
        return
    must = f"The figure to monitor must be one of: {', '.join(last)}."
    fix = did_you_mean(monitor, last) or "Add MetricsCallback to the callbacks."
    raise UnknownNameError(must, repr(monitor), fix)
