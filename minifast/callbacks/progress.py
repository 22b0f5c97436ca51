"""Progress of a fit: bars and tables on a terminal, in a notebook, in a file.

Book: ch. 12, "Progress".
"""

from __future__ import annotations

import csv
import io
import sys
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch

from minifast.book import Table, in_notebook, table
from minifast.errors import UnknownNameError
from minifast.learner import Callback, Order
from minifast.learner.files import replaced

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from minifast.learner import Learner


N_LOSSES = 50  # over how many batches the loss beside the bar is a mean
ScreenName = Literal["auto", "terminal", "notebook", "plain"]


class Screen(Protocol):
    """Protocol of the places that ``ProgressCallback`` writes to."""

    def begin_pass(self, label: str, total: int) -> None:
        """A pass over a loader begins, of so many batches, or 0 if nobody knows."""

    def batch(self, loss: Callable[[], str]) -> None:
        """One of its batches is done.

        Asking for the loss waits for the device, so it is done when there is something
        to be drawn, a few times a second.
        """

    def end_pass(self) -> None:
        """The pass is over, or was left."""

    def row(self, row: dict[str, float]) -> None:
        """The figures of an epoch are there."""

    def end(self, note: str) -> None:
        """The fit is over; the note, if any, says why it ended early."""


class Plain:
    """Lines on standard output, one for each epoch."""

    def __init__(self) -> None:
        self._table: Table | None = None

    def begin_pass(self, label: str, total: int) -> None:
        """Show nothing: what can't be taken back would be left over."""

    def batch(self, loss: Callable[[], str]) -> None:
        """Show nothing."""

    def end_pass(self) -> None:
        """Show nothing."""

    def row(self, row: dict[str, float]) -> None:
        """Write the row, after the names of its figures if it is the first."""
        if self._table is None:
            self._table = epoch_table([row])
            self.write(self._table.line(self._table.header))
        self.write(self._table.line(cells(row, self._table.header)))

    def end(self, note: str) -> None:
        """Write the note."""
        if note:
            self.write(note)

    def write(self, text: str) -> None:
        """Write a line where standard output goes now."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


class Terminal(Plain):
    """Lines on a terminal, and a bar while a pass runs, which leaves nothing behind."""

    def __init__(self) -> None:
        super().__init__()
        self._bar: Any = None

    def begin_pass(self, label: str, total: int) -> None:
        """Begin a bar."""
        from tqdm import tqdm

        self.end_pass()
        self._bar = tqdm(total=total or None, desc=label, unit="batch", leave=False)

    def batch(self, loss: Callable[[], str]) -> None:
        """Move the bar; tqdm draws it ten times a second at most, says whether."""
        if self._bar.update():
            self._bar.set_postfix_str(loss(), refresh=False)  # from the next time on

    def end_pass(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
        self._bar = None


class Notebook:
    """A table in the output of a notebook's cell, which grows by a row an epoch.

    While a pass runs, a note below says how far it is; at the end there is only the
    table, so an executed page has no trace of it.
    """

    def __init__(self) -> None:
        self._rows: list[dict[str, float]] = []
        self._note = ""
        self._display: Any = None
        self._label, self._of, self._n = "", "", 0
        self._shown_s = time.perf_counter()

    def begin_pass(self, label: str, total: int) -> None:
        """Show nothing yet: the pass may be short."""
        self._label, self._of, self._n = label, f" of {total}" if total else "", 0

    def batch(self, loss: Callable[[], str]) -> None:
        """Say how far the pass is, twice a second at most."""
        self._n += 1
        if time.perf_counter() - self._shown_s > 0.5:
            done = f"{self._label}: batch {self._n}{self._of}"
            self._show(", ".join(filter(None, [done, loss()])))

    def end_pass(self) -> None:
        """Show nothing."""

    def row(self, row: dict[str, float]) -> None:
        """Add a row."""
        self._rows.append(row)
        self._show("")

    def end(self, note: str) -> None:
        """Leave the table, and the note."""
        if note or self._note:
            self._show(note)

    def _show(self, note: str) -> None:
        self._note, self._shown_s = note, time.perf_counter()
        shown = epoch_table(self._rows, note)
        if self._display is None:
            display = sys.modules["IPython"].display.display
            self._display = display(shown, display_id=True)
        else:
            self._display.update(shown)


def make_screen(name: ScreenName = "auto") -> Screen:
    """Return a screen; with ``"auto"`` the one that suits where this process runs.

    Args:
        name: Which one.

    Raises:
        UnknownNameError: If there is no such screen.
    """
    screens: dict[str, Callable[[], Screen]] = {
        "terminal": Terminal,
        "notebook": Notebook,
        "plain": Plain,
    }
    if name == "auto":
        on_terminal = sys.stderr.isatty() and sys.stdout.isatty()
        name = "terminal" if on_terminal else "plain"
        name = "notebook" if in_notebook() else name
    if name not in screens:
        fix = "Leave it out: auto mostly finds it."
        raise UnknownNameError.of("screen", name, ["auto", *screens], fix)
    return screens[name]()


class ProgressCallback(Callback):
    """Shows one row for each epoch, and on a terminal a bar while one runs.

    In a notebook the rows are one table, in a text file they are lines. Why a fit ended
    early stands below. Without ``MetricsCallback`` there is little to show. Beside the
    bar stands the mean loss of the last batches; no batch waits for it, but each time
    the bar is drawn does. ``lr_find``, and validation and prediction outside of a fit,
    have a bar too.

    Args:
        screen: Where to: ``"terminal"``, ``"notebook"``, ``"plain"``, or by itself.

    Book: ch. 12, "Progress".
    """

    order = Order.SHOW
    in_lr_find = False

    def __init__(self, screen: ScreenName = "auto") -> None:
        self.screen: ScreenName = screen
        self._screen: Screen | None = None
        self._losses: deque[Tensor] = deque(maxlen=N_LOSSES)

    def before_fit(self, learn: Learner) -> None:
        """Begin."""
        self._screen = make_screen(self.screen)

    def before_train(self, learn: Learner) -> None:
        """Begin a pass, if it is of a fit or has more batches than one."""
        self._losses.clear()
        if learn.n_epochs and self._screen is not None:
            part = "train" if learn.training else "valid"
            self._screen.begin_pass(f"epoch {learn.epoch} {part}", learn.n_iter)
        elif learn.n_iter != 1:
            self._screen = make_screen(self.screen)
            self._screen.begin_pass(learn.stage, learn.n_iter)

    before_validate = before_predict = before_train

    def after_batch(self, learn: Learner) -> None:
        """Keep the loss; nobody has to wait for it yet."""
        self._losses.append(learn.loss.detach())

    def cleanup_batch(self, learn: Learner) -> None:
        """Show that a batch is done."""
        if self._screen is not None:
            self._screen.batch(self._loss)

    def cleanup_pass(self, learn: Learner) -> None:
        """End a pass."""
        if self._screen is not None:
            self._screen.end_pass()
        if not learn.n_epochs:
            self._end("")

    def after_epoch(self, learn: Learner) -> None:
        """Show the figures."""
        if self._screen is not None:
            self._screen.row(dict(learn.row))

    def cleanup_fit(self, learn: Learner) -> None:
        """Say why the fit ended early, if it did."""
        self._end(f"stopped: {learn.stop_reason}" if learn.stop_reason else "")

    def _end(self, note: str) -> None:
        if self._screen is not None:
            self._screen.end(note)
        self._screen = None
        self._losses.clear()

    def _loss(self) -> str:
        """Return the mean of the last losses, and wait for the device to have it."""
        if not self._losses:
            return ""
        mean = torch.stack(list(self._losses)).float().mean().item()
        return f"loss {_figure('loss', mean)}"


def cells(row: Mapping[str, float], names: Sequence[str]) -> list[str]:
    """Return the figures of a row as text, a dash where one is missing.

    Args:
        row: Figures by name.
        names: Which of them, in which order.

    Example:
        >>> cells({"epoch": 3, "loss": 0.25, "time_s": 7.123}, ["epoch", "loss", "x"])
        ['3', '0.2500', '-']
    """
    return [_figure(name, row[name]) if name in row else "-" for name in names]


def epoch_table(rows: Sequence[Mapping[str, float]], note: str = "") -> Table:
    """Return a table of the figures of epochs, with a note below.

    Args:
        rows: Figures by name, one row an epoch; a name may be in some rows only.
        note: What is written below.

    Example:
        >>> epoch_table([{"epoch": 0, "valid_loss": 1.5}], "stopped: enough")
        epoch  valid_loss
        0          1.5000
        stopped: enough
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    texts = [cells(row, names) for row in rows]
    return table(names, texts, min_width=8, note=note)  # as wide as any figure


def _figure(name: str, value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if name.endswith("_s"):
        return f"{value:.1f}"
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.3g}"


class CSVLogger(Callback):
    """Writes ``learn.history`` to a file of comma-separated values after each epoch.

    The file holds all the rows of the Learner, those of earlier fits too, and is
    replaced as a whole: so it is right after a resumed fit as well.

    Args:
        path: The file; its folder is made if need be.

    Book: ch. 12, "Progress".
    """

    order = Order.SHOW

    def __init__(self, path: str | os.PathLike[str] = "history.csv") -> None:
        self.path = Path(path)

    def after_epoch(self, learn: Learner) -> None:
        """Write all rows."""
        names = list(dict.fromkeys(name for row in learn.history for name in row))
        table = io.StringIO()
        writer = csv.DictWriter(table, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(learn.history)
        with replaced(self.path) as file:
            file.write(table.getvalue().encode())
