"""The event protocol: what a training loop announces, and who may listen.

A callback is an object with a method for each event that it cares about. Every method
gets the ``Learner``, reads its state, and may change it. Rules that all of them keep:

* ``before_x`` may be followed by anything; ``after_x`` comes only if x ran to its end.
  ``cleanup_fit`` always comes, once, also after an error or Ctrl-C.
* What a handler returns is ignored. To leave a step, a batch, a pass or the fit, it
  raises the signal of that name.
* What a callback changes for the length of a fit (a learning rate, a hook, a precision)
  it puts back in ``cleanup_fit``.

Book: ch. 11, "The protocol".
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from minifast.errors import (
    DTypeError,
    OptionError,
    UnknownNameError,
    describe,
    did_you_mean,
)

if TYPE_CHECKING:
    from minifast.learner import Learner

Handler = Callable[[Any], None]  # called with the Learner

Event = Literal[
    "before_fit",
    "before_epoch",
    "before_train",
    "before_validate",
    "before_batch",
    "after_pred",
    "after_loss",
    "after_backward",
    "after_step",
    "after_batch",
    "after_train",
    "after_validate",
    "after_epoch",
    "after_fit",
    "cleanup_fit",
]
EVENTS: tuple[Event, ...] = get_args(Event)

# Public methods with these beginnings are meant as events, ours or another library's.
_EVENT_LIKE = ("before_", "after_", "cleanup_", "begin_", "on_")


class EventError(UnknownNameError, TypeError):
    """A callback's method is named like an event but is none, or takes no learner."""


class Cancel(Exception):
    """Base of the signals by which a callback leaves a part of the loop.

    Args:
        reason: Why, for the reader; what ``CancelFit`` says is kept in
            ``learn.stop_reason``.
    """

    raised_in: ClassVar[str]


class CancelStep(Cancel):
    """Skip the optimizer's step and zeroing of gradients; go on to ``after_batch``."""

    raised_in = "after_backward or after_step"


class CancelBatch(Cancel):
    """Leave this batch now, without its ``after_batch``; go on with the next one."""

    raised_in = "an event of a batch, from before_batch to after_batch"


class CancelEpoch(Cancel):
    """Leave this pass over a loader now, without its ``after_train`` or ``_validate``.

    Leaving the training pass early still validates and still ends the epoch.

    Book: ch. 11, "The protocol".
    """

    raised_in = "an event between before_train and after_train, or of a validation"


class CancelFit(Cancel):
    """Leave the fit now, without its ``after_fit``; ``cleanup_fit`` still comes.

    Book: ch. 11, "The protocol".
    """

    raised_in = "any event but cleanup_fit"


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

    order: int = 0
    rehearses: ClassVar[bool] = True
    """Whether to take part in a rehearsal such as ``lr_find``, whose steps are undone.

    False for those that keep a record, stop early or set the learning rate themselves.
    """

    def before_fit(self, learn: Learner) -> None:
        """All is set up, nothing has run; ``epoch`` may be set to begin later than 0.

        Comes before ``validate`` and ``get_preds`` too, with ``n_epochs`` 0.
        """

    def before_epoch(self, learn: Learner) -> None:
        """``epoch`` counts from 0; ``row`` is new, for the figures of this epoch."""

    def before_train(self, learn: Learner) -> None:
        """``dl``, ``n_iter``, ``training`` are set; the model is in training mode."""

    def before_validate(self, learn: Learner) -> None:
        """As before training, but in evaluation mode and without gradients."""

    def before_batch(self, learn: Learner) -> None:
        """``iter`` and ``batch`` are set; the batch may be replaced."""

    def after_pred(self, learn: Learner) -> None:
        """``pred`` is what the model gave, in the precision of ``autocast``."""

    def after_loss(self, learn: Learner) -> None:
        """``loss`` is a scalar, before any scaling for low precision."""

    def after_backward(self, learn: Learner) -> None:
        """In training only: gradients are there, multiplied by the scaler's scale."""

    def after_step(self, learn: Learner) -> None:
        """In training only: weights are new, gradients gone, ``step_count`` is up."""

    def after_batch(self, learn: Learner) -> None:
        """All of the above is there still: where to measure and count."""

    def after_train(self, learn: Learner) -> None:
        """The training pass has run to its end."""

    def after_validate(self, learn: Learner) -> None:
        """The validation pass has run to its end."""

    def after_epoch(self, learn: Learner) -> None:
        """``row`` has been added to ``history``; ``MetricsCallback`` has filled it."""

    def after_fit(self, learn: Learner) -> None:
        """All epochs have run to their ends."""

    def cleanup_fit(self, learn: Learner) -> None:
        """The fit is over, for whatever reason; anything else may be missing.

        Every callback's clean-up is called, even if another one's has failed.
        """

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
                _check_handler(cls, name, value)
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


def _overrides(cb: Callback, event: Event) -> bool:
    handler = getattr(cb, event)
    return getattr(handler, "__func__", handler) is not getattr(Callback, event)


def _check_name(cls: type, name: str) -> None:
    """Refuse a public method that was probably meant as an event."""
    misspelled = difflib.get_close_matches(name, EVENTS, n=1, cutoff=0.85)
    if misspelled or name.startswith(_EVENT_LIKE):
        must = "A method named like an event must be an event."
        fix = did_you_mean(name, EVENTS) or f"Events are {', '.join(EVENTS)}."
        raise EventError(must, f"{cls.__name__}.{name}", fix)


def _check_handler(cls: type, name: str, handler: object) -> None:
    """Refuse an event that can't be called with the learner as its one argument."""
    got = f"{cls.__name__}.{name}"
    fix = f"def {name}(self, learn) -> None: ..."
    if not callable(handler):
        raise EventError("An event must be a method.", f"{got} = {handler!r}", fix)
    signature = inspect.signature(handler)
    try:
        signature.bind(None, None)
    except TypeError:
        must = "An event must take the learner and nothing else."
        raise EventError(must, f"{got}{signature}", fix) from None


def _refuse(cb: object) -> None:
    must = "Every callback must be an instance of Callback."
    if isinstance(cb, type) and issubclass(cb, Callback):
        fix = f"Did you mean {cb.__name__}()?"
        raise DTypeError(must, f"the class {cb.__name__}", fix)
    raise DTypeError(must, describe(cb), "Derive its class from Callback.")
