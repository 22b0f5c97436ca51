"""Gradient accumulation over several batches, and gradient clipping.

Book: ch. 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from minifast.errors import OptionError, whole_number
from minifast.learner import Callback, DeferStep, Order, tensors

if TYPE_CHECKING:
    from collections.abc import Callable

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

    order = Order.ACCUMULATE

    def __init__(self, n_batches: int) -> None:
        self.n_batches = whole_number("n_batches", n_batches, 1)
        self._begin()

    def _begin(self) -> None:
        self._n = 0  # batches so far
        self._unit = 0  # a weight of about the size of theirs: gradients stay moderate
        self._total: int | Tensor = 0  # the sum of their weights
        self._kept = True  # whether the gradients so far are still there

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

    def around_backward(self, learn: Learner, backward: Callable[[], Any]) -> None:
        """Weigh the gradient by the targets that the batch's loss is a mean over."""
        loss, n = learn.loss, learn.n_targets
        targets = next(tensors(learn.targets or learn.true_batch))
        self._unit = self._unit or max(1, targets.numel())
        self._total = self._total + n
        self._n += 1
        self._kept = False  # until we put off the step
        # A batch whose targets are all ignored has a loss of nan, and counts for 0.
        counted = loss if isinstance(n, int) else loss.where(n > 0, 0)
        learn.loss = counted * (n / self._unit)
        try:
            backward()
        finally:
            learn.loss = loss

    def after_backward(self, learn: Learner) -> None:
        """Put off the step until the group is complete."""
        if self._n < self.n_batches and learn.iter + 1 < learn.n_iter:
            self._kept = True
            raise DeferStep

    def before_step(self, learn: Learner) -> None:
        """Make the gradients those of the mean over the group."""
        groups = learn.opt.param_groups
        grads = [p.grad for g in groups for p in g["params"] if p.grad is not None]
        torch._foreach_mul_(grads, self._unit / self._total)

    def cleanup_batch(self, learn: Learner) -> None:
        """Begin a new group, if the gradients of this one were used or dropped."""
        if not self._kept:
            self._begin()


class GradientClip(Callback):
    """Limits the gradients before each step, by their joint norm or one by one.

    Clipping by the norm shortens the gradient and keeps its direction. With both
    limits, single values are clipped first.

    Args:
        max_norm: The largest Euclidean norm of all gradients together.
        max_value: The largest absolute value of a number in a gradient.

    Raises:
        OptionError: Unless one of the two is given, or both, and positive.

    Source: Pascanu, Mikolov, Bengio 2013, "On the difficulty of training recurrent
    neural networks", arXiv 1211.5063, section 3.2, algorithm 1.

    Book: ch. 12.
    """

    order = Order.CLIP

    def __init__(
        self, max_norm: float | None = None, max_value: float | None = None
    ) -> None:
        given = [limit for limit in (max_norm, max_value) if limit is not None]
        if not given or min(given) <= 0:
            must = "Gradients must be clipped by norm or by value, above 0."
            got = f"max_norm={max_norm}, max_value={max_value}"
            raise OptionError(must, got, "Write GradientClip(max_norm=1.0), say.")
        self.max_norm, self.max_value = max_norm, max_value

    def before_step(self, learn: Learner) -> None:
        """Clip the gradients in place."""
        parameters = [p for group in learn.opt.param_groups for p in group["params"]]
        if self.max_value is not None:
            clip_grad_value_(parameters, self.max_value)
        if self.max_norm is not None:
            clip_grad_norm_(parameters, self.max_norm)
