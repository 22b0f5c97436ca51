"""The loop as a table: its events, and who is called at each.

Book: ch. 11, "Who listens to what".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minifast.callback import handlers_by_event

if TYPE_CHECKING:
    from minifast.callback import Event
    from minifast.learner.learner import Learner


def handler_table(learn: Learner) -> str:
    """Return a heading and a line for each event, indented by what it is a part of."""
    n_weights = sum(p.numel() for p in learn.model.parameters())
    loss = getattr(learn.loss_func, "__name__", type(learn.loss_func).__name__)
    model, opt = type(learn.model).__name__, type(learn.opt).__name__
    lines = [f"Learner: {model} with {n_weights:,} parameters, {loss}, {opt}"]
    for event, handlers in handlers_by_event(learn.cbs).items():
        names = [type(getattr(h, "__self__", h)).__name__ for h in handlers]
        label = "  " * depth(event) + event
        lines.append(f"{label:<24}{', '.join(names) or '-'}")
    return "\n".join(lines)


def depth(event: Event) -> int:
    """Return how deep in the loop an event is: fit 0, epoch 1, pass 2, batch 3.

    Example:
        >>> depth("before_fit"), depth("before_train"), depth("after_loss")
        (0, 2, 3)
    """
    scope = event.partition("_")[2]
    return {"fit": 0, "epoch": 1, "train": 2, "validate": 2}.get(scope, 3)
