"""The Learner: a training loop, its callback protocol, prediction and saving.

``callback`` says what a loop announces and who may listen; ``loop`` holds the loop, in
one column; ``learner`` adds validation and prediction, and ``state``, with ``files``
and ``fitting``, what is saved and taken over again.

Book: ch. 11, "The protocol".
"""

from minifast.learner.batches import n_batches, tensors
from minifast.learner.callback import (
    EVENTS,
    Callback,
    Cancel,
    CancelBatch,
    CancelEpoch,
    CancelFit,
    CancelStep,
    DeferStep,
    Event,
    EventError,
    Order,
    handlers_by_event,
)
from minifast.learner.learner import Learner
from minifast.learner.loop import TrainingLoop

__all__ = [
    "EVENTS",
    "Callback",
    "Cancel",
    "CancelBatch",
    "CancelEpoch",
    "CancelFit",
    "CancelStep",
    "DeferStep",
    "Event",
    "EventError",
    "Learner",
    "Order",
    "TrainingLoop",
    "handlers_by_event",
    "n_batches",
    "tensors",
]
