"""Show how a fit goes.

Book: ch. 12, "Progress".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minifast.callback import Callback
from minifast.callbacks.screens import Screen, ScreenName, make_screen

if TYPE_CHECKING:
    from minifast.learner import Learner


class ProgressCallback(Callback):
    """Shows one row for each epoch, and on a terminal a bar while one runs.

    In a notebook the rows are one table, in a text file they are lines. Why a fit ended
    early stands below. Without ``MetricsCallback`` there is little to show.

    Args:
        screen: Where to: ``"terminal"``, ``"notebook"``, ``"plain"``, or by itself.

    Book: ch. 12, "Progress".
    """

    order = 60  # after the figures have been computed
    rehearses = False

    def __init__(self, screen: ScreenName = "auto") -> None:
        self.screen: ScreenName = screen
        self._screen: Screen | None = None

    def before_fit(self, learn: Learner) -> None:
        """Begin; validation and prediction show nothing."""
        self._screen = make_screen(self.screen) if learn.n_epochs else None

    def before_train(self, learn: Learner) -> None:
        """Begin a pass."""
        if self._screen is not None:
            self._screen.begin_pass(learn)

    before_validate = before_train

    def after_batch(self, learn: Learner) -> None:
        """Show that a batch is done."""
        if self._screen is not None:
            self._screen.batch(learn)

    def after_train(self, learn: Learner) -> None:
        """End a pass."""
        if self._screen is not None:
            self._screen.end_pass()

    after_validate = after_train

    def after_epoch(self, learn: Learner) -> None:
        """Show the figures."""
        if self._screen is not None:
            self._screen.end_pass()  # it may have been left early
            self._screen.row(dict(learn.row))

    def cleanup_fit(self, learn: Learner) -> None:
        """Say why the fit ended early, if it did."""
        if self._screen is not None:
            self._screen.end_pass()
            self._screen.end(f"stopped: {learn.stop_reason}" * bool(learn.stop_reason))
        self._screen = None
