"""See what happens, and try a whole fit in a moment.

Book: ch. 11.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from minifast.errors import OptionError
from minifast.learner import Callback, CancelEpoch, Event
from minifast.learner.learner import depth

if TYPE_CHECKING:
    from minifast.learner import Learner


def _noted(event: Event) -> Any:
    """Return the handler that notes an event."""

    def handler(self: Trace, learn: Learner) -> None:
        self._note(event)

    handler.__doc__ = f"Note ``{event}``."
    return handler


class Trace(Callback):
    """Notes all events, in ``events``; printing it shows them, indented by their scope.

    Args:
        live: Whether to write each event to standard output when it comes, too.

    Book: ch. 11.
    """

    order = -1_000  # before anybody can raise

    def __init__(self, live: bool = False) -> None:
        self.live = live
        self.events: list[Event] = []

    before_fit = _noted("before_fit")
    before_epoch = _noted("before_epoch")
    before_train = _noted("before_train")
    before_validate = _noted("before_validate")
    before_batch = _noted("before_batch")
    after_pred = _noted("after_pred")
    after_loss = _noted("after_loss")
    after_backward = _noted("after_backward")
    after_step = _noted("after_step")
    after_batch = _noted("after_batch")
    after_train = _noted("after_train")
    after_validate = _noted("after_validate")
    after_epoch = _noted("after_epoch")
    after_fit = _noted("after_fit")
    cleanup_fit = _noted("cleanup_fit")

    def _note(self, event: Event) -> None:
        self.events.append(event)
        if self.live:
            sys.stdout.write(_line(event) + "\n")

    def __repr__(self) -> str:
        """Show the events so far, a line each."""
        return "\n".join(map(_line, self.events))


class SingleBatch(Callback):
    """Ends each pass after its first batch, or few, to see whether all of it runs.

    Args:
        n_batches: After how many.

    Raises:
        OptionError: If ``n_batches`` is below 1.

    Book: ch. 11.
    """

    order = 1_000  # after all who have something to do with the batch

    def __init__(self, n_batches: int = 1) -> None:
        if n_batches < 1:
            must = "The number of batches in a pass must be at least 1."
            raise OptionError(must, f"n_batches={n_batches}", "Pass a positive number.")
        self.n_batches = n_batches

    def after_batch(self, learn: Learner) -> None:
        """Leave the pass."""
        if learn.iter + 1 >= self.n_batches:
            raise CancelEpoch


def _line(event: Event) -> str:
    return "  " * depth(event) + event
