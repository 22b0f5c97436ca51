"""Execute the cells of a page, and name what ended them: time-out, death or Ctrl-C.

jupyter-cache knows of cells that fail and of those that time out. A kernel that dies
would end the whole build with a traceback that names no page, and on Ctrl-C nbclient
lets the kernel die. Here both get the cell's line, and after a death the other pages
are still built.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn

from jupyter_cache.executors import utils
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat.v4 import new_output

from minifast_book.console import say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from nbformat import NotebookNode

SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}
ENDED = ("CellTimeoutError", "KernelDied")  # names of what no cell raised by itself


class KernelDied(CellExecutionError):
    """The kernel of a page is gone; jupyter-cache treats it as a cell that failed."""


class Executor:
    """Executes one page after the other, in the place of ``nbclient.execute``.

    Attributes:
        page: The source of the page at work.
    """

    def __init__(self) -> None:
        self.page = ""

    def install(self) -> None:
        """Let jupyter-cache execute with this; it has no setting for that."""
        utils.executenb = self

    def __call__(
        self, nb: NotebookNode, cwd: str, timeout: int | None, **options: Any
    ) -> None:
        """Execute the cells in place, until one fails."""
        resources = {"metadata": {"path": cwd}}
        client = _Client(nb, resources=resources, timeout=timeout, **options)
        try:
            client.execute()
        except CellTimeoutError:
            client.blame("CellTimeoutError", f"it ran longer than {timeout} s")
            raise
        except RuntimeError as error:  # nbclient's DeadKernelError, or one at the start
            if client.received:
                self._stop(client)
            client.blame("KernelDied", "killed, out of memory, or it left Python")
            raise KernelDied(str(error), "KernelDied", str(error)) from error
        except asyncio.CancelledError:
            self._stop(client)

    def _stop(self, client: _Client) -> NoReturn:
        what = SIGNALS[client.received]
        say(f"\n{self.page}:{client.line()}: stopped by {what} in this cell")
        raise SystemExit(128 + client.received) from None


class _Client(NotebookClient):
    """Runs the cells of one page, and knows which it is at."""

    def __init__(self, nb: NotebookNode, **options: Any) -> None:
        super().__init__(nb, **options)
        self.index: int | None = None
        self.received: signal.Signals | None = None
        self.on_cell_start = self._begin

    @asynccontextmanager
    async def async_setup_kernel(self, **options: Any) -> AsyncIterator[None]:
        async with super().async_setup_kernel(**options):
            task, loop = asyncio.current_task(), asyncio.get_running_loop()
            for number in SIGNALS:
                with suppress(NotImplementedError, RuntimeError, ValueError):
                    loop.add_signal_handler(number, self._stop, number, task)
            try:
                yield
            except (CellTimeoutError, RuntimeError, asyncio.CancelledError):
                # Asked to leave in the midst of a cell, a kernel writes tracebacks.
                self.shutdown_kernel = "immediate"
                for poll in asyncio.all_tasks() - {task}:
                    poll.cancel()  # else it asks after the kernel when that is gone
                raise

    def blame(self, name: str, reason: str) -> None:
        """Leave the reason in the cell, instead of what its end made it print."""
        if self.index is None:
            return
        cell = self.nb.cells[self.index]
        cell.outputs = [out for out in cell.outputs if out.output_type != "error"]
        text = [f"{name}: {reason}"]
        error = new_output("error", ename=name, evalue=reason, traceback=text)
        cell.outputs.append(error)

    def line(self) -> int:
        """Return the line of the source at which the cell begins."""
        return self.nb.metadata["source_map"][self.index] if self.index else 1

    def _begin(self, cell: NotebookNode, cell_index: int) -> None:
        self.index = cell_index

    def _stop(self, number: signal.Signals, task: asyncio.Task[None]) -> None:
        self.received = number
        task.cancel()
