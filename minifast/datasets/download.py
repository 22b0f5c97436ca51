"""Bring one file over HTTP, whole and checked, on a bad connection too.

A download grows in a ``.part`` file. If the connection breaks, the next attempt asks
only for the rest; a server that can't do that starts over. Nothing waits for long on a
host that does not answer: chapters must also build without a network.
"""

from __future__ import annotations

import http.client
import socket
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tqdm import tqdm

from minifast import __version__
from minifast.datasets.checksum import sha256_of
from minifast.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from minifast.datasets.registry import RemoteFile

ATTEMPTS = 2
CONNECT_S = 3.0
SILENCE_S = 15.0
GRACE_S = 60.0
MIN_BYTES_PER_S = 10_000
CHUNK_BYTES = 2**18


class _BrokenError(Exception):
    """An attempt failed in a way that the next one may cure.

    Args:
        reason: What went wrong, in a few words.
        restart: True if the bytes that are there already are of no use.
    """

    def __init__(self, reason: str, restart: bool = False) -> None:
        super().__init__(reason)
        self.restart = restart


def download(url: str, part: Path, file: RemoteFile, max_bytes: int) -> None:
    """Bring the file at ``url`` into ``part``, going on with what is there already.

    Args:
        url: An http or https address.
        part: Where the bytes go. It is kept when the connection fails, for the next
            call to go on with, and removed when its content is wrong.
        file: Gives the size and the checksum that the content must have.
        max_bytes: Upper bound on the size where ``file`` does not give one.

    Raises:
        DataError: If the file can't be had, or is not what it should be.
    """
    if not file.sha256:
        # Without a checksum nothing shows whether old and new bytes belong together.
        part.unlink(missing_ok=True)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _attempt(url, part, file, max_bytes)
        except _BrokenError as error:
            if error.restart:
                part.unlink(missing_ok=True)
            if attempt == ATTEMPTS:
                raise _failure(url, str(error)) from error
        else:
            return


def _attempt(url: str, part: Path, file: RemoteFile, max_bytes: int) -> None:
    if not part.exists() or part.stat().st_size != file.bytes:
        _transfer(url, part, file.bytes, file.bytes or max_bytes)
    if file.sha256 and sha256_of(part) != file.sha256:
        raise _BrokenError("its sha256 is wrong", restart=True)


def read_url(url: str, max_bytes: int) -> bytes:
    """Return the content of a small file.

    Raises:
        DataError: If it can't be had or is larger than ``max_bytes``.
    """
    try:
        with _open(url, offset=0) as response:
            content = b"".join(_chunks(response, max_bytes))
    except _BrokenError as error:
        raise _failure(url, str(error)) from error
    if len(content) > max_bytes:
        raise _failure(url, f"it is larger than {max_bytes:,} bytes")
    return content


def _failure(url: str, reason: str) -> DataError:
    return DataError(
        "A file of a data set must arrive whole and unchanged.",
        f"{url}: {reason}",
        "Try again later, or point MINIFAST_MIRROR at a place that has the file.",
    )


def _transfer(url: str, part: Path, size: int | None, max_bytes: int) -> None:
    """Append to ``part`` what is missing of the file, or write it anew."""
    have = part.stat().st_size if part.exists() else 0
    with _open(url, have) as response:
        have = _offset(response, have)
        total = size if response.length is None else have + response.length
        if size not in (None, total):
            raise _failure(url, f"it has {total:,} bytes instead of {size:,}")
        name = urlsplit(url).path.rpartition("/")[2]
        with (
            part.open("ab" if have else "wb") as out,
            # disable=None: a bar on a terminal, silence in a log and on a page.
            tqdm(desc=name, initial=have, total=total, unit="B", disable=None) as bar,
        ):
            for chunk in _chunks(response, max_bytes - have):
                out.write(chunk)
                have += len(chunk)
                bar.update(len(chunk))
    if have > max_bytes:
        part.unlink()
        raise _failure(url, f"it is larger than {max_bytes:,} bytes")
    if total is not None and have < total:
        raise _BrokenError(f"cut off after {have:,} of {total:,} bytes")


def _offset(response: http.client.HTTPResponse, asked: int) -> int:
    """Return the position in the file at which the response begins."""
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return 0
    if response.headers.get("Content-Range", "").startswith(f"bytes {asked}-"):
        return asked
    raise _BrokenError("it sent another range than asked for", restart=True)


@contextmanager
def _open(url: str, offset: int) -> Iterator[http.client.HTTPResponse]:
    """Open the address from ``offset`` on; what may pass is a _BrokenError."""
    headers = {"User-Agent": f"minifast/{__version__}"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    _await_answer(url)
    try:
        request = urllib.request.Request(url, headers=headers)
        response = urllib.request.urlopen(request, timeout=SILENCE_S)
    except urllib.error.HTTPError as error:
        error.close()
        reason = f"HTTP status {error.code}"
        no_such_range = error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        if no_such_range or error.code >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _BrokenError(reason, restart=no_such_range) from error
        raise _failure(url, reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(_reason(error)) from error
    with response:
        yield response


def _await_answer(url: str) -> None:
    """Wait CONNECT_S at most, in all, for the host to take a connection.

    urlopen's own time-out counts for each of a host's addresses, and not for the
    look-up of its name, so behind a firewall it can wait minutes.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError) as error:
        raise _failure(url, "it is not an http address") from error
    host = parts.hostname or ""
    proxies = urllib.request.getproxies()
    if parts.scheme in proxies and not urllib.request.proxy_bypass(host):
        return
    outcome: list[Exception | None] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=CONNECT_S).close()
        except (OSError, UnicodeError) as error:
            outcome.append(error)
        else:
            outcome.append(None)

    probe = Thread(target=connect, daemon=True)
    probe.start()
    probe.join(CONNECT_S)
    if not outcome:
        # TCP has knocked several times by now, so another attempt would not help.
        raise _failure(url, f"no answer within {CONNECT_S:g} s")
    if outcome[0] is not None:
        raise _BrokenError(_reason(outcome[0])) from outcome[0]


def _chunks(response: http.client.HTTPResponse, max_bytes: int) -> Iterator[bytes]:
    """Yield the content until its end, or until more than ``max_bytes`` came."""
    start_s, received = time.monotonic(), 0
    while received <= max_bytes:
        try:
            # read1 hands over what has come; read would wait for the whole chunk, and
            # so for ever on a host that sends drop by drop.
            chunk = response.read1(CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenError(_reason(error)) from error
        if not chunk:
            return
        received += len(chunk)
        yield chunk
        passed_s = time.monotonic() - start_s
        if passed_s > GRACE_S and received < MIN_BYTES_PER_S * passed_s:
            raise _BrokenError(f"slower than {MIN_BYTES_PER_S:,} bytes a second")


def _reason(error: Exception) -> str:
    """Say what went wrong with a connection, in a few words."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, socket.gaierror):
        return "its host name can't be resolved"
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
