"""Callbacks: the events that a training loop announces, and who may listen or cut in.

A callback is an object with a method for each event that it cares about. Every method
gets the ``Learner``, reads its state, and may change it. Rules that all of them keep:

* ``before_x`` may be followed by anything; ``after_x`` comes only if x ran to its end;
  ``cleanup_x`` always comes, once, also after an error or Ctrl-C.
* What a handler returns is ignored. To leave a step, a batch, a pass or the fit, it
  raises the signal of that name.
* What a callback changes for a fit, a pass or a batch (a rate, a weight, a precision)
  it puts back in the ``cleanup`` of the same. Clean-ups are called in the opposite
  order of all others: who was first to change a thing is the last to put it back.
* ``fit`` events come in ``fit`` alone. A validation and a prediction outside of a fit
  are passes without one, so looking at a model disturbs nobody's record of its fit.
* To change the mathematics of a batch, a callback wraps a verb of the loop: see
  ``around_forward`` and the three beside it.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from minifast.errors import (
    DTypeError,
    OptionError,
    UnknownNameError,
    describe,
    did_you_mean,
)
from minifast.learner.habits import event_meant

if TYPE_CHECKING:
    from minifast.learner import Learner

Handler = Callable[[Any], None]  # called with the Learner

Event = Literal[
    "before_fit",
    "before_epoch",
    "before_train",
    "before_validate",
    "before_predict",
    "before_batch",
    "after_pred",
    "after_loss",
    "after_backward",
    "before_step",
    "after_step",
    "after_batch",
    "cleanup_batch",
    "after_train",
    "after_validate",
    "after_predict",
    "cleanup_pass",
    "after_epoch",
    "after_fit",
    "cleanup_fit",
]
EVENTS: tuple[Event, ...] = get_args(Event)

Stage = Literal["train", "validate", "predict"]  # what a pass over a loader is for
STAGES: dict[Stage, tuple[Event, Event]] = {
    "train": ("before_train", "after_train"),
    "validate": ("before_validate", "after_validate"),
    "predict": ("before_predict", "after_predict"),
}

Verb = Literal["forward", "get_loss", "backward", "step"]
VERBS: tuple[Verb, ...] = get_args(Verb)
_AROUND = {f"around_{verb}": verb for verb in VERBS}

_COMPUTING: tuple[Event, ...] = (
    "before_batch",
    "after_pred",
    "after_loss",
    "after_backward",
    "before_step",
)

# Public methods with these beginnings are meant as events, ours or another library's.
_EVENT_LIKE = ("before_", "after_", "cleanup_", "around_", "begin_", "on_")


class Order(IntEnum):
    """Order in which callbacks are called at an event: a smaller number comes first.

    Those of equal order may be listed in any order: they don't depend on each other.
    Clean-ups are called in the opposite order.

    Book: ch. 11, "Who listens to what".
    """

    FIRST = -1_000
    """``Trace``, which wants to see an event before anybody can raise."""
    DEVICE = -100
    """``DeviceCallback``, so that everybody else finds the batch where it is used."""
    TRANSFORM = -80
    """``BatchTransform``, which changes the batch that all others are about."""
    MEASURE = -50
    """``MetricsCallback``, so that everybody else finds ``learn.row`` filled."""
    ACCUMULATE = -10
    """``GradientAccumulation``, which completes the gradient that others change."""
    USUAL = 0
    """Schedules, ``Recorder``, and your own callbacks if you say nothing."""
    CLIP = 10
    """``GradientClip``, the last to touch the gradient."""
    SHOW = 60
    """``ProgressCallback`` and ``CSVLogger``, which read what has been measured."""
    SCHEDULE = 70
    """``TorchScheduler``, which goes on by figures that have been shown."""
    SAVE = 90
    """``Checkpoint``, which saves what all of these have updated."""
    STOP = 100
    """``EarlyStopping``, ``TerminateOnNaN``, after all who end an epoch."""
    LAST = 1_000
    """``SingleBatch``, ``lr_find``, after all who have to do with a batch."""


class EventError(UnknownNameError, TypeError):
    """A callback's method is named like an event but is none, or takes no learner."""


class Cancel(Exception):
    """Base of the signals by which a callback leaves a part of the loop.

    Args:
        reason: Why, for the reader; what ``CancelFit`` says is kept in
            ``learn.stop_reason``.
    """

    raised_in: ClassVar[str] = "no event: raise one of its kinds, CancelFit say"


class DeferStep(Cancel):
    """Put the optimizer's step off: keep the gradients, and add the next batch's.

    Book: ch. 12, "Larger batches than fit".
    """

    raised_in = "after_backward"


class CancelStep(Cancel):
    """Skip the optimizer's step and drop its gradients; go on to ``after_batch``.

    Book: ch. 11, "The protocol".
    """

    raised_in = "after_backward, before_step or after_step"


class CancelBatch(Cancel):
    """Leave this batch now, without its ``after_batch``; go on with the next one.

    Gradients that it has left are dropped.

    Book: ch. 11, "The protocol".
    """

    raised_in = "an event of a batch, from before_batch to after_batch"


class CancelEpoch(Cancel):
    """Leave this pass over a loader now, without the event that says it has ended.

    Leaving the training pass early still validates and still ends the epoch.

    Book: ch. 11, "The protocol".
    """

    raised_in = "an event of a pass, from before_train to after_train, say"


class CancelFit(Cancel):
    """Leave the fit now, without its ``after_fit``; clean-ups still come.

    Book: ch. 11, "The protocol".
    """

    raised_in = "any event but a clean-up"


class Callback:
    """Base of everything that listens to a training loop.

    A subclass overrides the events that it wants, by name; each of the methods below
    says what exists by then. A misspelled name is an error when the class is defined.
    Those with a smaller ``order`` are called first; equals, as they stand in the list.

    Example:
        >>> class CountBatches(Callback):
        ...     n = 0
        ...     def after_batch(self, learn):
        ...         self.n += 1
        >>> class Typo(Callback):
        ...     def after_bach(self, learn): ...
        Traceback (most recent call last):
        ...
        minifast...EventError: A method named like an event must be an event.
          got: Typo.after_bach
          fix: Did you mean 'after_batch'?

    Book: ch. 11, "The protocol".
    """

    order: int = Order.USUAL
    sets: Collection[str] = ()
    """The hyper-parameters that it gives a value of its own in each training batch."""
    in_lr_find: ClassVar[bool | None] = None
    """Whether to take part when ``lr_find`` trains for a moment, and undoes it.

    If nothing is said, those do that have a say in how a batch is computed: they handle
    an event from ``before_batch`` to ``before_step``, or wrap a verb. So what moves,
    mixes or clips takes part, and what keeps a record or stops a fit doesn't.
    """

    def before_fit(self, learn: Learner) -> None:
        """All is set up, nothing has run; ``epoch`` may be set to begin later than 0.

        In ``fit`` alone: validating and predicting by themselves have no such event.
        """

    def before_epoch(self, learn: Learner) -> None:
        """``epoch`` counts from 0; ``row`` is new, for the figures of this epoch."""

    def before_train(self, learn: Learner) -> None:
        """``dl``, ``n_iter``, ``training`` are set; the model is in training mode."""

    def before_validate(self, learn: Learner) -> None:
        """As before training, but in evaluation mode and without gradients."""

    def before_predict(self, learn: Learner) -> None:
        """As before validating; batches will have no loss and no ``after_batch``."""

    def before_batch(self, learn: Learner) -> None:
        """``iter`` and ``batch`` are set; the batch may be replaced.

        ``true_batch`` stays what the loader gave: metrics compare with its targets.
        """

    def after_pred(self, learn: Learner) -> None:
        """``pred`` is what the model gave, in the precision of ``autocast``."""

    def after_loss(self, learn: Learner) -> None:
        """``loss`` is a scalar, before any scaling for low precision.

        What is added to it counts in training; the loss of a validation stays itself.
        """

    def after_backward(self, learn: Learner) -> None:
        """In training only: gradients are there, multiplied by the scaler's scale."""

    def before_step(self, learn: Learner) -> None:
        """In training, if there is a step: gradients are complete, and not scaled."""

    def after_step(self, learn: Learner) -> None:
        """In training, if a step was taken: weights are new, ``step_count`` is up."""

    def after_batch(self, learn: Learner) -> None:
        """All but the gradients is there still: where to measure and count."""

    def cleanup_batch(self, learn: Learner) -> None:
        """The batch is over, for whatever reason: put back what was changed for it."""

    def after_train(self, learn: Learner) -> None:
        """The training pass has run to its end."""

    def after_validate(self, learn: Learner) -> None:
        """The validation pass has run to its end."""

    def after_predict(self, learn: Learner) -> None:
        """The prediction has run to its end."""

    def cleanup_pass(self, learn: Learner) -> None:
        """The pass is over, for whatever reason: put back what was changed for it."""

    def after_epoch(self, learn: Learner) -> None:
        """``row`` has been added to ``history``; ``MetricsCallback`` has filled it."""

    def after_fit(self, learn: Learner) -> None:
        """All epochs have run to their ends."""

    def cleanup_fit(self, learn: Learner) -> None:
        """The fit is over, for whatever reason; anything else may be missing.

        Every callback's clean-up is called, even if another one's has failed.
        """

    # The mathematics of a batch. Each gets the verb as it would be without this
    # callback, those of larger order included, and calls it, or does something else.

    def around_forward(self, learn: Learner, forward: Callable[[], Any]) -> Any:
        """Return the prediction: ``forward()``, or something in its place."""
        return forward()

    def around_get_loss(self, learn: Learner, get_loss: Callable[[], Any]) -> Any:
        """Return the loss: ``get_loss()``, or something in its place."""
        return get_loss()

    def around_backward(self, learn: Learner, backward: Callable[[], Any]) -> None:
        """Compute gradients: ``backward()``, or something in its place."""
        backward()

    def around_step(self, learn: Learner, step: Callable[[], Any]) -> Any:
        """Change the weights: ``step()``; return False if they stay as they are."""
        return step()

    def state_dict(self) -> dict[str, Any]:
        """Return what a later process needs to go on, as plain values and tensors."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what ``state_dict`` returned."""

    def __init_subclass__(cls, **kwargs: object) -> None:
        """Check the names and the arguments of the events that a subclass defines."""
        super().__init_subclass__(**kwargs)
        for name, value in vars(cls).items():
            if name in EVENTS:
                _check_handler(cls, name, value, "learn")
            elif name in _AROUND:
                _check_handler(cls, name, value, "learn", _AROUND[name])
            elif callable(value) and not name.startswith("_"):
                _check_name(cls, name)


def checked(cbs: Iterable[Callback]) -> list[Callback]:
    """Return callbacks as a new list, if they are some, and each is there once.

    Raises:
        DTypeError: If ``cbs`` is no collection, or one of them is no callback.
        OptionError: If one of them is there twice.

    Book: ch. 11, "The protocol".
    """
    if isinstance(cbs, Callback) or not isinstance(cbs, Iterable):
        must = "Callbacks must come as a list, or any other collection."
        raise DTypeError(must, describe(cbs), "Put it in a list: cbs=[...].")
    found = list(cbs)
    for i, cb in enumerate(found):
        if not isinstance(cb, Callback):
            _refuse(cb)
        if any(cb is other for other in found[:i]):
            raise OptionError(
                "Each callback must be given once.",
                f"one and the same {type(cb).__name__} twice",
                "Leave it out of this fit's cbs: the Learner has it.",
            )
    return found


def handlers_by_event(cbs: Iterable[Callback]) -> dict[Event, tuple[Handler, ...]]:
    """Return for each event the bound methods of those who override it, in order.

    Args:
        cbs: The callbacks; those of the same ``order`` stay in the order they come in.

    Raises:
        DTypeError: If one of them is no callback.
        OptionError: If one of them is there twice.

    Example:
        >>> class Hello(Callback):
        ...     def before_fit(self, learn): ...
        >>> [event for event, found in handlers_by_event([Hello()]).items() if found]
        ['before_fit']
    """
    ordered = sorted(checked(cbs), key=lambda cb: cb.order)  # keeps the order of ties
    return {
        event: tuple(getattr(cb, event) for cb in ordered if _overrides(cb, event))
        for event in EVENTS
    }


def takes_part_in_lr_find(cb: Callback) -> bool:
    """Return what ``in_lr_find`` says, or else whether it helps to compute a batch."""
    if cb.in_lr_find is not None:
        return cb.in_lr_find
    return any(_overrides(cb, name) for name in (*_COMPUTING, *_AROUND))


def wrapped_verbs(learn: Any, cbs: Iterable[Callback]) -> dict[Verb, Callable[[], Any]]:
    """Return the verbs of a loop, each wrapped in those callbacks that override it.

    Args:
        learn: Whose methods the verbs are.
        cbs: The callbacks; that of the smallest ``order`` is the outermost.
    """
    verbs: dict[Verb, Callable[[], Any]] = {v: getattr(learn, v) for v in VERBS}
    for cb in sorted(cbs, key=lambda cb: cb.order, reverse=True):
        for name, verb in _AROUND.items():
            if _overrides(cb, name):
                verbs[verb] = partial(getattr(cb, name), learn, verbs[verb])
    return verbs


def _overrides(cb: Callback, name: str) -> bool:
    method = getattr(cb, name)
    return getattr(method, "__func__", method) is not getattr(Callback, name)


def _check_name(cls: type, name: str) -> None:
    """Refuse a public method that was probably meant as an event."""
    known = [*EVENTS, *_AROUND]
    misspelled = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
    if misspelled or name.startswith(_EVENT_LIKE):
        must = "A method named like an event must be an event."
        meant = name if misspelled else event_meant(name)
        fix = did_you_mean(meant, known) or f"Events are {', '.join(EVENTS)}."
        raise EventError(must, f"{cls.__name__}.{name}", fix)


def _check_handler(cls: type, name: str, handler: object, *args: str) -> None:
    """Refuse an event that can't be called with the learner as its one argument."""
    got = f"{cls.__name__}.{name}"
    fix = f"def {name}(self, {', '.join(args)}): ..."
    if not callable(handler):
        raise EventError("An event must be a method.", f"{got} = {handler!r}", fix)
    signature = inspect.signature(handler)
    try:
        signature.bind(None, *args)
    except TypeError:
        must = f"{name} must take {' and '.join(args)}, and nothing else."
        raise EventError(must, f"{got}{signature}", fix) from None


def _refuse(cb: object) -> None:
    must = "Every callback must be an instance of Callback."
    if isinstance(cb, type) and issubclass(cb, Callback):
        fix = f"Did you mean {cb.__name__}()?"
        raise DTypeError(must, f"the class {cb.__name__}", fix)
    raise DTypeError(must, describe(cb), "Derive its class from Callback.")
