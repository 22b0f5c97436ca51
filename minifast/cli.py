"""The ``minifast`` command: look after data sets, and find out what is wrong.

Everything heavy is imported where it is used, so that ``minifast --help`` is instant.

Book: ch. 00, "The data".
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from contextlib import redirect_stdout
from io import TextIOWrapper
from typing import TYPE_CHECKING

from minifast import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from minifast.datasets.cache import Entry

OK, FAILED, INTERRUPTED = 0, 1, 130
MIN_FREE_GB = 1.0

EXAMPLES = """\
examples:
  minifast data list                  what there is, and what is in the cache
  minifast data fetch mnist imdb      get two sets; --all gets every one
  minifast data verify                check every byte of what is cached
  cd "$(minifast data path mnist)"    go to a set's folder
  minifast doctor                     check this machine, the cache and the mirrors

environment:
  MINIFAST_DATA    auto (default): real data, or else its stand-in; real; standin
  MINIFAST_CACHE   where data is kept (default: the system's, ~/.cache/minifast)
  MINIFAST_MIRROR  folders or http addresses to take data from, separated by |
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What follows ``minifast`` on the command line.

    Returns:
        0 if all went well, 1 if it did not, 130 after Ctrl-C. For a command line that
        makes no sense, argparse exits with 2.
    """
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a mirror's note may be in any script
            stream.reconfigure(errors="backslashreplace")
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, such as head, has gone; nothing may be written on leaving either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        from minifast.errors import MinifastError

        if not isinstance(error, MinifastError):
            raise
        print(error, file=sys.stderr)
        return FAILED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="minifast",
        description="Deep learning from the foundations: data sets and self-checks.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    data = _add(commands, "data", "List, fetch, verify and locate data sets.")
    actions = data.add_subparsers(metavar="ACTION", required=True)
    about = "Show the data sets, and what of them is in the cache."
    _add(actions, "list", about).set_defaults(run=_list)

    fetching = _add(actions, "fetch", "Get data sets into the cache.")
    wanted = fetching.add_mutually_exclusive_group(required=True)
    about = "a data set to get"
    wanted.add_argument("names", nargs="*", metavar="NAME", default=[], help=about)
    wanted.add_argument("--all", action="store_true", help="get every data set")
    fetching.set_defaults(run=_fetch)

    about = "Check every byte of cached data sets; the next fetch replaces bad ones."
    verifying = _add(actions, "verify", about)
    about = "a data set to check (default: all that are cached)"
    verifying.add_argument("names", nargs="*", metavar="NAME", help=about)
    verifying.set_defaults(run=_verify)

    about = "Print the folder of a data set, getting it first if need be."
    locating = _add(actions, "path", about)
    locating.add_argument("name", metavar="NAME", help="a data set")
    locating.set_defaults(run=_path)

    about = "Check this machine, the cache and the mirrors."
    _add(commands, "doctor", about).set_defaults(run=_doctor)
    return parser


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, about: str
) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=about, description=about)


def _list(options: argparse.Namespace) -> int:
    from minifast.book import table
    from minifast.datasets import DATASETS

    header, rows = ["NAME", "WHAT", "SIZE", "LICENCE", "CACHED"], []
    for dataset in DATASETS.values():
        cached = _cached_state(dataset.name)
        size = f"{dataset.download_mb} MB"
        rows.append((dataset.name, dataset.title, size, dataset.licence, cached))
    print(table(header, rows, n_left=len(header)))
    return OK


def _cached_state(name: str) -> str:
    """Say what the cache holds of a set, such as ``real, stand-in``."""
    from minifast.datasets.fetching import cached_entries

    return ", ".join(map(_entry_state, cached_entries(name))) or "-"


def _entry_state(entry: Entry) -> str:
    kind = "real" if entry.real else "stand-in"
    return kind if entry.read() else f"{kind} (damaged)"


def _fetch(options: argparse.Namespace) -> int:
    from minifast.datasets import DATASETS, fetch, find_dataset
    from minifast.errors import DataError

    names = list(DATASETS) if options.all else options.names
    for name in names:
        find_dataset(name)  # a misspelt name is told before anything is downloaded
    code = OK
    for name in names:
        try:
            data = fetch(name)
        except DataError as error:
            print(error, file=sys.stderr)
            code = FAILED
        else:
            print(f"{data.provenance()}\n  {data.path}")
    return code


def _verify(options: argparse.Namespace) -> int:
    from minifast.datasets import DATASETS, verify
    from minifast.datasets.fetching import cached_entries

    names = options.names or [name for name in DATASETS if cached_entries(name)]
    if not names:
        print("Nothing is cached yet.")
    bad_names = []
    for name in names:
        damage = verify(name)
        for line in damage:
            print(line)
        if damage:
            bad_names.append(name)
        else:
            print(f"{name}: every byte is as it should be")
    if bad_names:
        print(f"To replace them: minifast data fetch {' '.join(bad_names)}")
    return FAILED if bad_names else OK


def _path(options: argparse.Namespace) -> int:
    from minifast.datasets import fetch

    with redirect_stdout(sys.stderr):
        data = fetch(options.name)
    print(data.path)
    return OK


def _doctor(options: argparse.Namespace) -> int:
    from minifast.book import environment
    from minifast.foundations import find_compiler

    compiler = find_compiler() or "no C compiler; chapter 1 goes without its rung in C"
    _print_section("machine", [*environment().items(), ("compiler", compiler)])
    problems: list[str] = []
    _print_section("data", _data_facts(problems))
    if problems:
        print("To fix:")
        for problem in problems:
            print(f"  - {problem}")
        return FAILED
    print("Nothing to fix.")
    return OK


def _print_section(title: str, facts: Iterable[tuple[str, str]]) -> None:
    from minifast.book import table

    rows = [(f"  {name}", value) for name, value in facts]
    print(table([title, ""], rows, n_left=2), end="\n\n")


def _data_facts(problems: list[str]) -> list[tuple[str, str]]:
    """Return the facts about the data, and add what is wrong to ``problems``."""
    from minifast.datasets import DATASETS, cache_folder, data_mode, mirrors
    from minifast.errors import OptionError

    try:
        mode: str = data_mode()
    except OptionError as error:
        mode = error.got
        problems.append(f"{error.must} {error.fix}")
    facts = [("mode", mode), ("cache", _check_cache(cache_folder(), problems))]
    facts += [("mirror", _check_mirror(mirror, problems)) for mirror in mirrors()]
    for name in DATASETS:
        state = _cached_state(name)
        facts.append((name, state if state != "-" else "not cached"))
        if "damaged" in state:
            problems.append(f"{name} is damaged: minifast data fetch {name}")
    return facts


def _check_cache(folder: Path, problems: list[str]) -> str:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        problems.append(f"{folder} can't be written to: set MINIFAST_CACHE")
    free_gb = shutil.disk_usage(there).free / 1e9
    if free_gb < MIN_FREE_GB:
        problems.append(f"{folder} has little room: free some, or set MINIFAST_CACHE")
    return f"{folder}, {free_gb:.1f} GB free"


def _check_mirror(mirror: str, problems: list[str]) -> str:
    from minifast.datasets.faults import printable
    from minifast.datasets.mirror import read_mirror
    from minifast.errors import DataError

    try:
        offered = read_mirror(mirror)
    except DataError as error:
        problems.append(f"{error.got}: correct MINIFAST_MIRROR or the mirror")
        return f"{mirror}: can't be used"
    return f"{mirror}: {printable(', '.join(offered)) or 'holds nothing'}"
