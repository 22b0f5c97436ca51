"""Train with large batches that do not fit into memory.

Book: ch. 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from minifast.errors import OptionError
from minifast.learner import Callback, CancelStep

if TYPE_CHECKING:
    from torch import Tensor

    from minifast.learner import Learner


class GradientAccumulation(Callback):
    """Takes one step for several batches, with the gradient of the mean over them all.

    The step is that of one large batch with the same samples, to within rounding, also
    where the batches differ in size. Layers that look at the whole batch, such as batch
    normalization, still see the small ones. The last group of a pass may be smaller.

    Args:
        n_batches: How many batches make a step.

    Raises:
        OptionError: If ``n_batches`` is below 1, or the loader has no length.

    Book: ch. 12.
    """

    order = -10  # before those who prepare a step

    def __init__(self, n_batches: int) -> None:
        if n_batches < 1:
            must = "The number of batches for a step must be at least 1."
            raise OptionError(must, f"n_batches={n_batches}", "Pass a positive number.")
        self.n_batches = n_batches
        self._n = self._unit = self._total = 0  # batches, first weight, sum of weights
        self._loss: Tensor | None = None  # as it was before it was weighed

    def before_train(self, learn: Learner) -> None:
        """Begin a group; drop what a pass that was left early may have begun."""
        if not learn.n_iter:
            raise OptionError(
                "The loader must know how many batches it gives.",
                f"{type(learn.dl).__name__}, which has no length",
                "Give it a __len__: the last group ends with the pass.",
            )
        learn.opt.zero_grad()
        self._begin()

    def after_loss(self, learn: Learner) -> None:
        """Weigh the loss by the size of the batch, relative to the first one's."""
        if not learn.training:
            return
        self._loss, self._unit = learn.loss, self._unit or learn.weight
        if learn.weight != self._unit:
            learn.loss = learn.loss * (learn.weight / self._unit)

    def after_backward(self, learn: Learner) -> None:
        """Put off the step until the group is complete."""
        assert self._loss is not None
        learn.loss, self._loss = self._loss, None
        self._total += learn.weight
        self._n += 1
        if self._n < self.n_batches and learn.iter + 1 < learn.n_iter:
            raise CancelStep
        grads = [p.grad for p in learn.model.parameters() if p.grad is not None]
        torch._foreach_mul_(grads, self._unit / self._total)
        self._begin()

    def _begin(self) -> None:
        self._n = self._unit = self._total = 0
        self._loss = None


class GradientClip(Callback):
    """Limits the gradients before each step, by their joint norm or one by one.

    Clipping by the norm shortens the gradient and keeps its direction. In mixed
    precision the gradients are divided by the loss scale first.

    Args:
        max_norm: The largest Euclidean norm of all gradients together.
        max_value: The largest absolute value of a number in a gradient.

    Raises:
        OptionError: Unless one of the two is given, and positive.

    Source: Pascanu, Mikolov, Bengio 2013, "On the difficulty of training recurrent
    neural networks", arXiv 1211.5063, section 3.2, algorithm 1.

    Book: ch. 12.
    """

    order = 10  # after GradientAccumulation, which decides whether there is a step

    def __init__(
        self, max_norm: float | None = None, max_value: float | None = None
    ) -> None:
        given = [limit for limit in (max_norm, max_value) if limit is not None]
        if len(given) != 1 or given[0] <= 0:
            must = "Gradients must be clipped either by norm or by value, above 0."
            got = f"max_norm={max_norm}, max_value={max_value}"
            raise OptionError(must, got, "Write GradientClip(max_norm=1.0), say.")
        self.max_norm, self.max_value = max_norm, max_value

    def after_backward(self, learn: Learner) -> None:
        """Clip the gradients in place."""
        learn.scaler.unscale_(learn.opt)
        parameters = learn.model.parameters()
        if self.max_norm is not None:
            clip_grad_norm_(parameters, self.max_norm)
        if self.max_value is not None:
            clip_grad_value_(parameters, self.max_value)
