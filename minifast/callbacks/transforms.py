"""Callbacks that change a batch before the model gets it.

Book: ch. 13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minifast.errors import DTypeError, OptionError, describe
from minifast.learner import Callback, Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from minifast.learner import Learner


class BatchTransform(Callback):
    """Calls functions on the inputs of each batch, one after the other.

    They run where the batch is, on the GPU if ``DeviceCallback`` has moved it there.
    Several of these callbacks run in the order in which they are listed.

    Args:
        functions: The first gets the inputs, the next what it returns, and so on; the
            model gets what the last one returns. A single input comes as it is;
            several come as arguments and go as a tuple; those of a dictionary come as
            keywords and go as a dictionary.
        train: Whether training batches are changed.
        valid: Whether those of validation and prediction are.

    Raises:
        DTypeError: If one is no function.
        OptionError: If there is none, or no pass that they are for.

    Shape:
        inputs: (B, ...) -> what the functions make of them.

    Example:
        >>> as_images = BatchTransform(lambda x: x.view(-1, 1, 28, 28))

    Book: ch. 13.
    """

    order = Order.TRANSFORM

    def __init__(
        self, *functions: Callable[..., Any], train: bool = True, valid: bool = True
    ) -> None:
        for function in functions:
            if not callable(function):
                must, fix = "A batch transform must be a function.", "Pass it uncalled."
                raise DTypeError(must, describe(function), fix)
        if not functions or not (train or valid):
            must = "There must be a function, and batches that it changes."
            got = f"{len(functions)} functions, train={train}, valid={valid}"
            raise OptionError(must, got, "Leave the callback out.")
        self.functions, self.train, self.valid = functions, train, valid

    def before_batch(self, learn: Learner) -> None:
        """Put what the functions return in the place of the inputs."""
        if not (self.train if learn.training else self.valid):
            return
        batch, inputs = learn.batch, learn.inputs
        if isinstance(batch, dict):
            names = list(batch)[:inputs] if isinstance(inputs, int) else inputs
            changed = {name: batch[name] for name in names}
            for function in self.functions:
                changed = function(**changed)
            learn.batch = {**batch, **changed}
        elif isinstance(batch, tuple | list):
            n = inputs if isinstance(inputs, int) else len(inputs)
            learn.batch = (*self._call(tuple(batch[:n])), *batch[n:])
        else:
            (learn.batch,) = self._call((batch,))

    def _call(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        for function in self.functions:
            changed = function(*inputs)
            inputs = (changed,) if len(inputs) == 1 else tuple(changed)
        return inputs
