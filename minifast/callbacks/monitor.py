"""Which epoch was the best, by a figure of their rows.

Book: ch. 12, "Knowing when to stop".
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from minifast.errors import OptionError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Mode = Literal["auto", "min", "max"]
_SMALL_IS_GOOD = ("loss", "error", "perplexity")


def best_row(
    rows: Sequence[Mapping[str, float]],
    monitor: str,
    mode: Mode = "auto",
    min_delta: float = 0.0,
) -> int:
    """Return the number of the best row, the first one of equals; -1 if there is none.

    Args:
        rows: The figures of epochs by name, such as ``learn.history``.
        monitor: The name of the figure to judge by, such as ``"valid_loss"``.
        mode: Whether small or large is good; ``"auto"`` takes small for a name with
            loss, error or perplexity in it, and large for any other.
        min_delta: By how much a row must beat the best so far to take its place.

    Raises:
        UnknownNameError: If the last row has no such figure.
        OptionError: If there is no such mode.

    Example:
        >>> best_row([{"valid_loss": 0.5}, {"valid_loss": 0.3}], "valid_loss")
        1

    Book: ch. 12, "Knowing when to stop".
    """
    if mode not in ("auto", "min", "max"):
        raise OptionError("The mode must be auto, min or max.", repr(mode))
    if rows and monitor not in rows[-1]:
        must = f"The figure to monitor must be one of: {', '.join(rows[-1])}."
        fix = did_you_mean(monitor, rows[-1]) or "Add MetricsCallback to the callbacks."
        raise UnknownNameError(must, repr(monitor), fix)
    if mode == "auto":
        mode = "min" if any(word in monitor for word in _SMALL_IS_GOOD) else "max"
    sign = -1.0 if mode == "min" else 1.0
    best, best_score = -1, -math.inf
    for i, row in enumerate(rows):
        score = sign * row.get(monitor, math.nan)
        if score > best_score + min_delta:  # never true of nan
            best, best_score = i, score
    return best
