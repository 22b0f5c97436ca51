"""All that the rest of a training depends on, as one value.

Book: ch. 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minifast.callbacks.random_state import random_state, set_random_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from minifast.callback import Callback
    from minifast.learner import Learner


def training_state(learn: Learner, cbs: Iterable[Callback]) -> dict[str, Any]:
    """Return the states of Learner, callbacks and random numbers.

    Args:
        learn: The Learner.
        cbs: The callbacks whose states count.

    Returns:
        Plain values and tensors, which share their memory with the Learner's.

    Book: ch. 12.
    """
    return learn.state_dict() | {
        "step_count": learn.step_count,
        "history": [dict(row) for row in learn.history],
        "random": random_state(learn.dls),
        "callbacks": [(type(cb).__name__, cb.state_dict()) for cb in cbs],
    }


def set_training_state(
    learn: Learner, cbs: Iterable[Callback], state: Mapping[str, Any]
) -> None:
    """Go back to a state, of this process or another.

    Args:
        learn: The Learner, with the same model and the same kind of optimizer.
        cbs: The callbacks; each takes the next saved state of its class, if any is
            left.
        state: What ``training_state`` returned.

    Book: ch. 12.
    """
    learn.load_state_dict(state)
    learn.step_count = state["step_count"]
    learn.history[:] = [dict(row) for row in state["history"]]
    saved = list(state["callbacks"])
    for cb in cbs:
        of_class = [pair for pair in saved if pair[0] == type(cb).__name__]
        if of_class:
            saved.remove(of_class[0])
            cb.load_state_dict(of_class[0][1])
    set_random_state(learn.dls, state["random"])
