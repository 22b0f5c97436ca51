"""Where progress is shown: on a terminal, in a notebook, in a text file.

Book: ch. 12, "Progress".
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Literal, Protocol

from minifast.callbacks.epoch_table import EpochTable, line
from minifast.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from minifast.learner import Learner

ScreenName = Literal["auto", "terminal", "notebook", "plain"]


class Screen(Protocol):
    """What ``ProgressCallback`` writes to. Book: ch. 12, "Progress"."""

    def begin_pass(self, learn: Learner) -> None:
        """A pass over a loader begins."""

    def batch(self, learn: Learner) -> None:
        """One of its batches is done."""

    def end_pass(self) -> None:
        """The pass is over, or was left."""

    def row(self, row: dict[str, float]) -> None:
        """The figures of an epoch are there."""

    def end(self, note: str) -> None:
        """The fit is over; the note, if any, says why it ended early."""


class Plain:
    """Lines on standard output, one for each epoch. Book: ch. 12, "Progress"."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def begin_pass(self, learn: Learner) -> None:
        """Show nothing: what can't be taken back would be left over."""

    def batch(self, learn: Learner) -> None:
        """Show nothing."""

    def end_pass(self) -> None:
        """Show nothing."""

    def row(self, row: dict[str, float]) -> None:
        """Write the row, after the names of its figures if it is the first."""
        if not self._names:
            self._names = list(row)
            self.write(line(None, self._names))
        self.write(line(row, self._names))

    def end(self, note: str) -> None:
        """Write the note."""
        if note:
            self.write(note)

    def write(self, text: str) -> None:
        """Write a line where standard output goes now."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


class Terminal(Plain):
    """The same, and a bar that leaves nothing behind. Book: ch. 12, "Progress"."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Any = None

    def begin_pass(self, learn: Learner) -> None:
        """Begin a bar."""
        from tqdm import tqdm

        self.end_pass()
        kind = "train" if learn.training else "valid"
        self._bar = tqdm(
            total=learn.n_iter or None,
            desc=f"epoch {learn.epoch} {kind}",
            unit="batch",
            leave=False,
        )

    def batch(self, learn: Learner) -> None:
        """Move the bar; tqdm draws it ten times a second at most."""
        self._bar.update()

    def end_pass(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None


class Notebook:
    """One table in the output of the cell, which grows. Book: ch. 12, "Progress".

    While a pass runs, a note below says how far it is; at the end there is only the
    table, so an executed page has no trace of it.
    """

    def __init__(self) -> None:
        self._table = EpochTable()
        self._display: Any = None
        self._shown_s = time.perf_counter()

    def begin_pass(self, learn: Learner) -> None:
        """Show nothing yet: the pass may be short."""

    def batch(self, learn: Learner) -> None:
        """Say how far the pass is, twice a second at most."""
        if time.perf_counter() - self._shown_s > 0.5:
            kind = "training" if learn.training else "validation"
            of = f" of {learn.n_iter}" if learn.n_iter else ""
            self._show(f"epoch {learn.epoch}: {kind} batch {learn.iter + 1}{of}")

    def end_pass(self) -> None:
        """Show nothing."""

    def row(self, row: dict[str, float]) -> None:
        """Add a row."""
        self._table.rows.append(row)
        self._show("")

    def end(self, note: str) -> None:
        """Leave the table, and the note."""
        if note or self._table.note:
            self._show(note)

    def _show(self, note: str) -> None:
        self._table.note, self._shown_s = note, time.perf_counter()
        if self._display is None:
            display = sys.modules["IPython"].display.display
            self._display = display(self._table, display_id=True)
        else:
            self._display.update(self._table)


def make_screen(name: ScreenName = "auto") -> Screen:
    """Return a screen; with ``"auto"`` the one that suits where this process runs.

    Args:
        name: Which one.

    Raises:
        OptionError: If there is no such screen.

    Book: ch. 12, "Progress".
    """
    screens: dict[str, Callable[[], Screen]] = {
        "terminal": Terminal,
        "notebook": Notebook,
        "plain": Plain,
    }
    if name == "auto":
        on_terminal = sys.stderr.isatty() and sys.stdout.isatty()
        name = "terminal" if on_terminal else "plain"
        name = "notebook" if _in_notebook() else name
    if name not in screens:
        must = f"The screen must be auto or one of: {', '.join(screens)}."
        raise OptionError(must, repr(name), "Leave it out: auto mostly finds it.")
    return screens[name]()


def _in_notebook() -> bool:
    ipython: Any = sys.modules.get("IPython")  # a kernel has imported it
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None
