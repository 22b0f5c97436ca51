"""Faults of a source, each in one printable line; apart, as all readers need them.

Whatever a mirror, an origin or a damaged file does wrong, it is to be passed over and
named. So the errors that may come are not listed one by one: everything is caught.
"""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import URLError

from minifast.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_LENGTH = 200
DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


@contextmanager
def blame(source: str) -> Iterator[None]:
    """Turn whatever goes wrong inside into a DataError that names the source.

    Only a full disk stays as it is: no other source would help against that.

    Raises:
        DataError: If anything goes wrong.
    """
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            raise
        raise DataError(
            "A source of data must give what it promises, and no more.",
            f"{printable(source)}: {describe_fault(error)}",
            "Correct it or MINIFAST_MIRROR; minifast doctor checks mirrors.",
        ) from error


def describe_fault(error: BaseException) -> str:
    """Say in a few words what went wrong, whatever the error.

    Example:
        >>> describe_fault(ValueError("it is cut off"))
        'it is cut off'
        >>> describe_fault(KeyError("files"))
        "KeyError: 'files'"
        >>> describe_fault(FileNotFoundError(2, "No such file or directory", "x"))
        'No such file or directory'
    """
    if isinstance(error, URLError) and isinstance(error.reason, OSError):
        error = error.reason
    if isinstance(error, OSError) and error.strerror:
        return printable(error.strerror)
    if type(error) in (ValueError, ConnectionError):  # ours
        return printable(error)
    return printable(f"{type(error).__name__}: {error}")


def printable(text: object) -> str:
    r"""Return one line that a terminal shows as it is, and not a long one.

    Example:
        >>> printable("two\nlines and an \x1b]0;escape")
        'two lines and an ?]0;escape'
    """
    line = " ".join(str(text)[: 2 * LINE_LENGTH].split())
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= LINE_LENGTH else f"{line[: LINE_LENGTH - 3]}..."
