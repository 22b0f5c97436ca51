"""Keep the figures of each epoch in a file.

Book: ch. 12, "Progress".
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

from minifast.callback import Callback

if TYPE_CHECKING:
    import os

    from minifast.learner import Learner


class CSVLogger(Callback):
    """Writes ``learn.history`` to a file of comma-separated values after each epoch.

    The file holds all the rows of the Learner, those of earlier fits too, and is
    replaced as a whole: so it is right after a resumed fit as well.

    Args:
        path: The file; its folder is made if need be.

    Book: ch. 12, "Progress".
    """

    order = 60  # after the figures have been computed
    rehearses = False

    def __init__(self, path: str | os.PathLike[str] = "history.csv") -> None:
        self.path = Path(path)

    def after_epoch(self, learn: Learner) -> None:
        """Write all rows."""
        names = list(dict.fromkeys(name for row in learn.history for name in row))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(learn.history)
