"""Timing of function calls, and text for durations and counts.

Book: ch. 00, "How a number gets onto a page".
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from minifast.book.machine import wait_for_gpu
from minifast.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_UNITS = [(3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs")]
_LEAST = 1e-9, "ns"


@dataclass(frozen=True, repr=False)
class Timing:
    """How long one call takes: the median over several rounds, and the quartiles.

    Attributes:
        median_s: Median time of one call, in seconds.
        low_s: Lower quartile, in seconds.
        high_s: Upper quartile, in seconds.
        rounds: How many rounds were timed.
        calls: How many calls each round made.
    """

    median_s: float
    low_s: float
    high_s: float
    rounds: int
    calls: int

    def __repr__(self) -> str:
        """Write the median, and the quartiles in parentheses."""
        low, high = format_time(self.low_s), format_time(self.high_s)
        return f"{format_time(self.median_s)} ({low} to {high})"


def measure(
    function: Callable[[], object], *, seconds: float = 0.5, rounds: int = 7
) -> Timing:
    """Time a call: warm up once, then take the median over several rounds.

    Short functions are called many times in a round, so that a round is long compared
    with the clock's resolution. A GPU works behind Python's back; the clock is read
    only when it has finished.

    Args:
        function: What to time; called without arguments.
        seconds: About how long to spend in all.
        rounds: How many rounds; at least 3 are timed even if that takes longer.

    Raises:
        OptionError: If ``rounds`` is below 3.

    Book: ch. 00, "How a number gets onto a page".

    Example:
        >>> timing = measure(lambda: sum(range(1000)), seconds=0.01)
        >>> timing.low_s <= timing.median_s <= timing.high_s
        True
    """
    return measure_each({"": function}, seconds=seconds, rounds=rounds)[""]


def measure_each(
    functions: Mapping[str, Callable[[], object]],
    *,
    seconds: float = 0.5,
    rounds: int = 7,
) -> dict[str, Timing]:
    """Time several calls in turn, so that a busy moment of the machine hits them all.

    Args:
        functions: What to time, by name; each is called without arguments.
        seconds: About how long to spend on each.
        rounds: How many rounds; at least 3 are timed even if that takes longer.

    Raises:
        OptionError: If ``rounds`` is below 3.

    Book: ch. 00, "How a number gets onto a page".

    Example:
        >>> work = {"short": lambda: sum(range(10)), "long": lambda: sum(range(10_000))}
        >>> times = measure_each(work, seconds=0.01)
        >>> times["short"].median_s < times["long"].median_s
        True
    """
    if rounds < 3:
        raise OptionError("A spread needs at least 3 rounds.", f"rounds={rounds}")
    calls: dict[str, int] = {}
    for name, function in functions.items():
        _time_calls(function, 1)  # warm-up: caches, lazy initialization, compilation
        once_s = max(_time_calls(function, 1), 1e-9)
        calls[name] = max(1, int(seconds / rounds / once_s))
        if once_s * rounds > seconds:  # slow: fewer rounds for all
            rounds = max(3, min(rounds, int(seconds / once_s)))
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            times[name].append(_time_calls(function, calls[name]) / calls[name])
    return {name: _timing(found, calls[name]) for name, found in times.items()}


def _timing(times: list[float], calls: int) -> Timing:
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return Timing(median, low, high, len(times), calls)


def _time_calls(function: Callable[[], object], calls: int) -> float:
    wait_for_gpu()
    start = time.perf_counter()
    for _ in range(calls):
        function()
    wait_for_gpu()
    return time.perf_counter() - start


def format_time(seconds: float) -> str:
    """Write a duration with three significant digits and the unit that suits it.

    Example:
        >>> format_time(0.001234), format_time(0), format_time(75), format_time(2700)
        ('1.23 ms', '0 s', '75 s', '45 min')
    """
    if seconds == 0:
        return "0 s"
    # Minutes and hours only from two on: 75 s reads better than 1.25 min.
    floor = {"h": 2.0, "min": 2.0}
    fits = [(f, u) for f, u in _UNITS if abs(seconds) >= f * floor.get(u, 0.9995)]
    factor, unit = fits[0] if fits else _LEAST
    return f"{format_count(seconds / factor)} {unit}"


def format_count(value: float) -> str:
    """Write a count or a ratio with three significant digits: 41234.5 -> 41,200.

    Example:
        >>> format_count(41234.5), format_count(2.0), format_count(0.0123)
        ('41,200', '2', '0.0123')
        >>> format_count(float("nan")), format_count(float("-inf"))
        ('nan', '-inf')
    """
    if not math.isfinite(value):
        return str(float(value))
    rounded = float(f"{value:.3g}")
    exponent = int(f"{rounded:e}".split("e")[1])
    text = f"{rounded:,.{max(0, 2 - exponent)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
