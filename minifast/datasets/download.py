"""Download of one file over HTTP, whole and checked, on a bad connection too.

A download grows in a ``.part`` file. If the connection breaks, the next attempt asks
only for the rest; a server that can't do that starts over. Nothing waits for long on a
host that does not answer: chapters must also build without a network.

The standard library does the talking, and not ``pooch`` or the ``requests`` below it:
those begin each broken download anew, take an answer without an end, and wait for ever
on a host that sends its header drop by drop.
"""

from __future__ import annotations

import http.client
import io
import time
import urllib.request
from contextlib import suppress
from functools import partial
from socket import SHUT_RDWR
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.error import HTTPError
from urllib.parse import urlsplit

from tqdm import tqdm

from minifast import __version__
from minifast.datasets.checksum import sha256_of
from minifast.datasets.faults import DISK_FULL, describe_fault

if TYPE_CHECKING:
    from pathlib import Path
    from socket import socket

    from minifast.datasets.registry import RemoteFile

CONNECT_S = 4.0
SILENCE_S = 15.0
GRACE_S = 20.0
MIN_BYTES_PER_S = 10_000
CHUNK_BYTES = 2**18


def download(url: str, part: Path, file: RemoteFile, max_bytes: int) -> None:
    """Bring the file at ``url`` into ``part``, going on with what is there already.

    Args:
        url: An http or https address.
        part: Where the bytes go. They are kept when the connection fails, for the next
            call to go on with, and removed when they are wrong.
        file: Gives the size and the checksum that the content must have.
        max_bytes: Upper bound on the size, whatever ``file`` says.

    Raises:
        ValueError: If the file is not there, or not what it should be.
        ConnectionError: If it did not arrive whole.
    """
    # Without a checksum nothing shows whether old and new bytes belong together.
    with part.open("ab" if file.sha256 else "wb") as out:
        for last in (False, True):
            resumed = out.tell()
            try:
                if out.tell() != file.bytes:
                    _receive(url, out, file.bytes, max_bytes)
                out.flush()
                if file.sha256 in ("", sha256_of(part)):
                    return
                raise ValueError("its sha256 is wrong")
            except ValueError:
                out.seek(0)
                out.truncate()
                if last or not resumed:
                    raise
            except ConnectionError:
                if last:
                    raise


def read_url(url: str, max_bytes: int) -> bytes:
    """Return the content of a small file.

    Raises:
        ValueError: If it is not there, or larger than ``max_bytes``.
        ConnectionError: If it did not arrive whole.
    """
    content = io.BytesIO()
    _receive(url, content, None, max_bytes)
    return content.getvalue()


def _receive(url: str, out: BinaryIO, size: int | None, max_bytes: int) -> None:
    """Append to ``out`` what it lacks of a file, or write it anew.

    Another thread does it, so that this one can stop waiting: time-outs of sockets
    count for each look-up, address and byte, and a host that sends drop by drop, before
    the content or after it too, could hold its reader for ever.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError("it is not an http address")
    sockets: list[socket] = []
    faults: list[Exception] = []

    def talk() -> None:
        try:
            _talk(url, out, size, max_bytes, sockets)
        except Exception as error:
            faults.append(error)

    thread = Thread(target=talk, daemon=True)
    start_s = time.monotonic()
    thread.start()
    thread.join(CONNECT_S)
    try:
        if thread.is_alive() and not sockets:
            raise ValueError(f"no answer within {CONNECT_S:g} s")
        while thread.is_alive():
            waited_s = time.monotonic() - start_s - GRACE_S
            if out.tell() < MIN_BYTES_PER_S * waited_s:
                raise ConnectionError(f"slower than {MIN_BYTES_PER_S:,} bytes a second")
            thread.join(0.1)
    finally:
        for each in sockets:
            with suppress(OSError):
                each.shutdown(SHUT_RDWR)
        thread.join(0.1)
    if faults:
        raise _translated(faults[0]) from faults[0]


def _talk(
    url: str, out: BinaryIO, size: int | None, max_bytes: int, sockets: list[socket]
) -> None:
    have = out.tell()
    headers = {"User-Agent": f"minifast/{__version__}", "Range": f"bytes={have}-"}
    if not have:
        del headers["Range"]
    opener = urllib.request.build_opener(_Handler(sockets))
    request = urllib.request.Request(url, headers=headers)
    with opener.open(request, timeout=SILENCE_S) as response:
        if response.status == http.HTTPStatus.PARTIAL_CONTENT:
            sent = response.headers.get("Content-Range", "")
            if not sent.startswith(f"bytes {have}-"):
                raise ValueError("it sent another range than asked for")
        elif have:
            out.seek(0)
            out.truncate()
        total = size if response.length is None else out.tell() + response.length
        if size not in (None, total):
            raise ValueError(f"it has {total:,} bytes instead of {size:,}")
        limit, name = (
            min(size or max_bytes, max_bytes),
            urlsplit(url).path.split("/")[-1],
        )
        # disable=None: a bar on a terminal, silence in a log and on a page.
        with tqdm(
            desc=name, initial=out.tell(), total=total, unit="B", disable=None
        ) as bar:
            while out.tell() != size and (chunk := response.read1(CHUNK_BYTES)):
                bar.update(out.write(chunk))
                if out.tell() > limit:
                    raise ValueError(f"it is larger than {limit:,} bytes")
        if total is not None and out.tell() < total:
            raise ConnectionError(f"cut off after {out.tell():,} of {total:,} bytes")


def _translated(error: Exception) -> Exception:
    """Return a ConnectionError for what another attempt may cure."""
    if isinstance(error, HTTPError):
        error.close()
        kind = ConnectionError if error.code >= 500 else ValueError
        return kind(f"HTTP status {error.code}")
    final = isinstance(error, ValueError) or getattr(error, "errno", 0) in DISK_FULL
    return error if final else ConnectionError(describe_fault(error))


class _Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Notes the sockets of the connections that it makes, to the host or to a proxy."""

    def __init__(self, sockets: list[socket]) -> None:
        super().__init__()
        self.sockets = sockets

    def do_open(self, http_class: Any, req: Any, **options: Any) -> Any:
        return super().do_open(partial(self._make, http_class), req, **options)

    def _make(self, http_class: Any, host: str, **options: Any) -> Any:
        connection = http_class(host, **options)
        connect = connection.connect

        def connect_and_note() -> None:
            connect()
            self.sockets.append(connection.sock)

        connection.connect = connect_and_note
        return connection
