"""Tracing a fit, and trying one in a moment; apart, as they are for debugging only.

Book: ch. 11.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from minifast.errors import whole_number
from minifast.learner import EVENTS, Callback, CancelEpoch, Event, Order
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

    order = Order.FIRST
    in_lr_find = False

    def __init__(self, live: bool = False) -> None:
        self.live = live
        self.events: list[Event] = []

    def _note(self, event: Event) -> None:
        self.events.append(event)
        if self.live:
            sys.stdout.write(_line(event) + "\n")

    def __repr__(self) -> str:
        """Show the events so far, a line each."""
        return "\n".join(map(_line, self.events))


for _event in EVENTS:
    setattr(Trace, _event, _noted(_event))


class SingleBatch(Callback):
    """Ends each pass after its first batch, or few, to see whether all of it runs.

    Args:
        n_batches: After how many.

    Raises:
        OptionError: If ``n_batches`` is below 1.

    Book: ch. 11.
    """

    order = Order.LAST

    def __init__(self, n_batches: int = 1) -> None:
        self.n_batches = whole_number("n_batches", n_batches, 1)

    def after_batch(self, learn: Learner) -> None:
        """Leave the pass."""
        if learn.iter + 1 >= self.n_batches:
            raise CancelEpoch


def _line(event: Event) -> str:
    return "  " * depth(event) + event
