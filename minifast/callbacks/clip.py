"""Keep gradients from exploding.

Book: ch. 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from minifast.callback import Callback
from minifast.errors import OptionError

if TYPE_CHECKING:
    from minifast.learner import Learner


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
