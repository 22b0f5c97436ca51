"""Time contenders side by side, and print what came out as a Markdown table.

All contenders of a table run in one process, each once in every round, and the order
moves on by one from round to round: whatever slows the machine down for a while slows
all of them. A figure to quote is a ratio: the median, over the rounds, of a contender's
time divided by the baseline's time in the same round. The first contender is the
baseline.

With as many threads as cores, one other busy process can make a parallel operation ten
times slower, since its threads wait for the one that was put aside. So a turn during
which others took more than a tenth of a core is repeated (on Linux, where that can be
seen), as long as there is patience; the table says how many were not had undisturbed.
Where there is no hope of quiet, ``--cpu-time`` counts only the time that one thread
spends on a processor, to which being put aside adds nothing.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from minifast.book import environment, format_count, format_time, wait_for_gpu

if TYPE_CHECKING:
    from collections.abc import Callable

    Clock = Callable[[], float]

TURN_S = 0.2  # a turn repeats short calls for about this long
CLOCK_TICK_S = 0.01  # in which the system counts the time of processes


@dataclass(frozen=True)
class Contender:
    """What is timed: a call, and how many such calls make one piece of work.

    With ``scale`` above 1 the figure is not a measurement of the whole work: a part was
    timed and multiplied. Its name must say so. Below 1 it is the share of one piece of
    work in a call that does many, such as one batch of an epoch.

    With ``own_clock`` a call returns the seconds that count: those of the batches in a
    fit, say, without what it takes to begin and to end one.
    """

    call: Callable[[], object]
    scale: float = 1.0
    own_clock: bool = False


@dataclass(frozen=True)
class Row:
    """One contender's result: seconds for the work, their quartiles, and the ratio.

    ``added_s`` is the median, over the rounds, of its time less the baseline's.
    """

    name: str
    median_s: float
    low_s: float
    high_s: float
    ratio: float
    added_s: float
    gflops: float | None


def parse_arguments(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--rounds", type=int, default=9, help="rounds to count, at least 3 (default 9)")
    add("--threads", type=int, help="threads that torch may use (default: torch's own)")
    add(
        "--patience",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="how long a table may wait for other processes to be quiet (default 60)",
    )
    add(
        "--cpu-time",
        action="store_true",
        help="count the processor time of one thread, for a machine that others use",
    )
    add("--json", type=Path, metavar="FILE", help="also write the results to a file")
    arguments = parser.parse_args()
    arguments.clock = time.perf_counter
    if arguments.cpu_time:
        if arguments.threads not in (None, 1) or torch.cuda.is_available():
            parser.error("--cpu-time sees one thread, and no GPU")
        arguments.clock, arguments.threads, arguments.patience = time.thread_time, 1, 0
    if arguments.rounds < 3:
        parser.error("--rounds must be at least 3, or there are no quartiles")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    return arguments


def compare(
    title: str,
    contenders: dict[str, Contender],
    arguments: argparse.Namespace,
    flop: float | None = None,
) -> dict:
    """Time all contenders against the first, and print the table.

    ``flop`` is the number of multiplications and additions in one piece of work. If it
    is given, the last column shows how many a second; if not, the time added to the
    baseline's.
    """
    times, disturbed = _interleave(contenders, arguments)
    rows = [_row(name, times, flop) for name in contenders]
    turns = arguments.rounds * len(contenders)
    _print_table(title, rows)
    kind = ", processor time of one thread" if arguments.cpu_time else ""
    print(
        f"\n{arguments.rounds} rounds{kind}; {disturbed} of {turns} turns disturbed.",
        flush=True,
    )
    return {
        "title": title,
        "rounds": arguments.rounds,
        "cpu_time": arguments.cpu_time,
        "disturbed": disturbed / turns,
        "rows": [asdict(row) for row in rows],
    }


def _interleave(
    contenders: dict[str, Contender], arguments: argparse.Namespace
) -> tuple[dict[str, list[float]], int]:
    """Return the times of all contenders, and how many turns others disturbed."""
    clock = arguments.clock
    calls = {name: _calls_per_turn(each, clock) for name, each in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    names, disturbed = list(contenders), 0
    end = time.perf_counter() + arguments.patience
    for number in range(arguments.rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            each = contenders[name]
            seconds, quiet = _turn(each, calls[name], clock)
            while not quiet and time.perf_counter() < end:
                seconds, quiet = _turn(each, calls[name], clock)
            times[name].append(seconds / calls[name] * each.scale)
            disturbed += not quiet
    return times, disturbed


def _turn(contender: Contender, calls: int, clock: Clock) -> tuple[float, bool]:
    """Time a turn; also say whether others left at least nine tenths of a core free."""
    gc.collect()
    before, own = _busy_s(), time.process_time()
    start = time.perf_counter()
    seconds = _seconds(contender, calls, clock)
    taken = time.perf_counter() - start
    others = _busy_s() - before - (time.process_time() - own)
    return seconds, others < 0.1 * taken + CLOCK_TICK_S


def _calls_per_turn(contender: Contender, clock: Clock) -> int:
    _seconds(contender, 1, clock)  # warm-up: caches, lazy initialisation, compilation
    return max(1, int(TURN_S / max(_seconds(contender, 1, clock), 1e-7)))


def _seconds(contender: Contender, calls: int, clock: Clock) -> float:
    call = contender.call
    if contender.own_clock:
        return sum(call() for _ in range(calls))
    wait_for_gpu()
    start = clock()
    for _ in range(calls):
        call()
    wait_for_gpu()
    return clock() - start


def _busy_s() -> float:
    """Seconds that all cores together have worked so far; 0 where that is unknown."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()
    except OSError:
        return 0.0
    user, nice, system, _, _, irq, softirq, steal = map(int, fields[1:9])
    return (user + nice + system + irq + softirq + steal) * CLOCK_TICK_S


def _row(name: str, times: dict[str, list[float]], flop: float | None) -> Row:
    low, median, high = statistics.quantiles(times[name], n=4, method="inclusive")
    baseline = next(iter(times.values()))
    pairs = list(zip(times[name], baseline, strict=True))
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    added = statistics.median(ours - theirs for ours, theirs in pairs)
    gflops = flop / median / 1e9 if flop else None
    return Row(name, median, low, high, ratio, added, gflops)


def _print_table(title: str, rows: list[Row]) -> None:
    last = "added" if rows[0].gflops is None else "GFLOP/s"
    print(f"\n## {title}\n")
    print(f"| | median | quartiles | against {rows[0].name} | {last} |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for row in rows:
        cells = [
            row.name,
            format_time(row.median_s),
            f"{format_time(row.low_s)} to {format_time(row.high_s)}",
            f"{format_count(row.ratio)} x",
            _last(row),
        ]
        print("|", " | ".join(cells), "|")


def _last(row: Row) -> str:
    return format_time(row.added_s) if row.gflops is None else format_count(row.gflops)


def peak_gflops(device: str, dtype: torch.dtype, side: int) -> float:
    """Measure the most that a large product reaches: the best of several turns."""
    a = torch.randn(side, side, device=device).to(dtype)
    product = Contender(lambda: a @ a)
    calls = _calls_per_turn(product, time.perf_counter)
    turns = (_seconds(product, calls, time.perf_counter) for _ in range(7))
    best = min(turns) / calls
    return 2 * side**3 / best / 1e9


def machine() -> dict:
    """Say what the figures were measured on."""
    kept = "MALLOC_TRIM_THRESHOLD_" in os.environ
    return environment() | {"cores": os.cpu_count(), "freed_memory_kept": kept}


def report(file: Path | None, **results: object) -> None:
    """Write the results as JSON, if a file is asked for."""
    if file is not None:
        file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
