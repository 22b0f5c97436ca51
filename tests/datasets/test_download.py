import errno
import gc
import hashlib
import io
import os
import socket
import sys
from pathlib import Path
from threading import Event

import pytest

from minifast.datasets import download as module
from minifast.datasets.download import download, read_url
from minifast.datasets.registry import RemoteFile

CONTENT = bytes(range(256)) * 40
FILE = RemoteFile("set.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def part(tmp_path):
    return tmp_path / "set.bin.part"


@pytest.fixture
def get(part):
    """Return a function that downloads the file from a server into ``part``."""

    def run(server, file=FILE, max_bytes=10**6):
        url = server if isinstance(server, str) else server.url + "set.bin"
        download(url, part, file, max_bytes)
        return part.read_bytes()

    return run


def test_whole_file_arrives(serve, get):
    server = serve({"set.bin": CONTENT})
    assert get(server) == CONTENT
    assert server.requests == [("set.bin", "")]


def test_finished_part_is_not_asked_for_again(serve, get, part):
    server = serve({"set.bin": CONTENT})
    part.write_bytes(CONTENT)
    assert get(server) == CONTENT
    assert server.requests == []


def test_cut_connection_is_gone_on_with(serve, get):
    server = serve({"set.bin": CONTENT}, cut_after=[3000])
    assert get(server) == CONTENT
    assert server.requests == [("set.bin", ""), ("set.bin", "bytes=3000-")]


def test_cut_connection_to_a_server_without_ranges_starts_over(serve, get):
    server = serve({"set.bin": CONTENT}, cut_after=[3000], knows_ranges=False)
    assert get(server) == CONTENT
    assert len(server.requests) == 2


def test_cut_twice_fails_and_keeps_the_part_for_next_time(serve, get, part):
    server = serve({"set.bin": CONTENT}, cut_after=[3000, 2000])
    with pytest.raises(ConnectionError, match="cut off after 5,000 of 10,240 bytes"):
        get(server)
    assert part.read_bytes() == CONTENT[:5000]
    assert get(server) == CONTENT
    assert server.requests[-1] == ("set.bin", "bytes=5000-")


def test_part_of_another_content_is_thrown_away(serve, get, part):
    part.write_bytes(b"something else")
    assert get(serve({"set.bin": CONTENT})) == CONTENT


def test_part_that_is_too_long_is_thrown_away(serve, get, part):
    part.write_bytes(CONTENT + b"more")
    server = serve({"set.bin": CONTENT})
    assert get(server) == CONTENT
    assert server.requests[-1] == ("set.bin", "")


def test_server_that_sends_another_range(serve, get, part):
    part.write_bytes(CONTENT[:100])
    server = serve({"set.bin": CONTENT}, wrong_range=True)
    assert get(server) == CONTENT
    assert server.requests == [("set.bin", "bytes=100-"), ("set.bin", "")]


def test_wrong_checksum_fails_and_leaves_nothing(serve, get, part):
    server = serve({"set.bin": CONTENT[::-1]})
    with pytest.raises(ValueError, match="its sha256 is wrong"):
        get(server)
    assert not part.read_bytes()


def test_other_size_than_expected_fails(serve, get, part):
    server = serve({"set.bin": b"<html>please log in</html>"})
    with pytest.raises(ValueError, match="it has 26 bytes instead of 10,240"):
        get(server)
    assert not part.read_bytes()


def test_endless_answer_is_bounded(serve, get, part):
    server = serve({"set.bin": CONTENT * 10}, tells_length=False)
    with pytest.raises(ValueError, match="larger than 10,240 bytes"):
        get(server)
    assert not part.read_bytes()


class TestWithoutChecksum:
    FILE = RemoteFile("set.bin")

    def test_whole_file_arrives(self, serve, get):
        assert get(serve({"set.bin": CONTENT}), self.FILE) == CONTENT

    def test_length_of_the_answer_is_held_to(self, serve, get):
        server = serve({"set.bin": CONTENT}, cut_after=[10, 10])
        with pytest.raises(ConnectionError, match="cut off after 20 of 10,240 bytes"):
            get(server, self.FILE)

    def test_size_is_bounded(self, serve, get):
        with pytest.raises(ValueError, match="larger than 1,000 bytes"):
            get(serve({"set.bin": CONTENT}), self.FILE, max_bytes=1000)

    def test_old_part_is_not_trusted(self, serve, get, part):
        part.write_bytes(b"something else")
        assert get(serve({"set.bin": CONTENT}), self.FILE) == CONTENT


def test_server_error_is_tried_again(serve, get):
    server = serve({"set.bin": CONTENT}, statuses=[503])
    assert get(server) == CONTENT


def test_server_error_that_stays(serve, get):
    with pytest.raises(ConnectionError, match="HTTP status 503"):
        get(serve({"set.bin": CONTENT}, statuses=[503, 503]))


def test_missing_file_is_not_tried_again(serve, get):
    server = serve({})
    with pytest.raises(ValueError, match="HTTP status 404"):
        get(server)
    assert len(server.requests) == 1


def test_nobody_at_the_address(get, closed_port):
    with pytest.raises(ConnectionError, match="Connection refused"):
        get(closed_port + "set.bin")


def test_host_that_takes_the_connection_and_stays_silent(serve, get, impatient):
    with pytest.raises(ConnectionError, match="timed out"):
        get(serve({"set.bin": CONTENT}, silent=True))


def test_host_that_does_not_take_the_connection(get, monkeypatch):
    released = Event()

    def hang(*args, **kwargs):
        released.wait()
        raise TimeoutError

    monkeypatch.setattr(module, "CONNECT_S", 0.05)
    monkeypatch.setattr(socket, "create_connection", hang)
    with pytest.raises(ValueError, match=r"no answer within 0\.05 s"):
        get("http://localhost/set.bin")
    released.set()


def test_host_name_that_is_not_known(get, monkeypatch):
    def fail(*args, **kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", fail)
    with pytest.raises(ConnectionError, match="Name or service not known"):
        get("http://localhost/set.bin")


@pytest.mark.parametrize(
    "drops",
    [
        [b"HTTP/1.1 200 OK\r\nX: ", b"a"],
        [b"HTTP/1.1 100 Continue\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"a"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 10240\r\n\r\n", b"a"],
    ],
    ids=["header", "continue", "size of a chunk", "content"],
)
def test_host_that_sends_drop_by_drop_for_ever(get, drip, drops, monkeypatch):
    monkeypatch.setattr(module, "CONNECT_S", 0.3)
    monkeypatch.setattr(module, "GRACE_S", 0.2)
    with pytest.raises(ConnectionError, match="slower than 10,000 bytes a second"):
        get(drip(drops))


def test_nobody_waits_for_what_follows_the_content(get, drip, monkeypatch):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2800\r\n"
    assert get(drip([head + CONTENT + b"\r\n0\r\n", b"X: a\r\n"])) == CONTENT


@pytest.mark.parametrize("place", ["ftp://127.0.0.1:1/x", "file:///etc/passwd"])
def test_redirection_away_from_http(get, drip, place):
    head = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises((ValueError, ConnectionError)):
        get(drip([head.encode(), b""]))


# urllib leaves a response open whose Location it can't parse.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("place", ["http://[bad/x", "/\x7f"])
def test_redirection_to_nowhere(get, drip, place):
    head = f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises((ValueError, ConnectionError)):
        get(drip([head.encode(), b""]))
    gc.collect()


@pytest.mark.parametrize("url", ["ftp://host/x", "file:///etc/passwd", "/srv/data"])
def test_what_is_no_address(get, url):
    with pytest.raises(ValueError, match="not an http address"):
        get(url)


@pytest.mark.parametrize("url", ["http://host:port/x", "http://[x", "http:///x"])
def test_malformed_address(get, url):
    with pytest.raises((ValueError, ConnectionError)):
        get(url)


def test_proxy_is_asked_instead_of_the_host(serve, get, monkeypatch):
    proxy = serve({"http://far.example/set.bin": CONTENT})
    monkeypatch.setenv("http_proxy", proxy.url)
    assert get("http://far.example/set.bin") == CONTENT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_full_disk_is_no_fault_of_the_server(serve, get, part):
    part.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        get(serve({"set.bin": CONTENT}))
    assert caught.value.errno == errno.ENOSPC


class TestProgress:
    def test_log_and_page_stay_clean(self, serve, get, capfd):
        get(serve({"set.bin": CONTENT}))
        assert capfd.readouterr() == ("", "")

    def test_terminal_gets_a_bar(self, serve, get, monkeypatch):
        class Terminal(io.StringIO):
            def isatty(self):
                return True

        monkeypatch.setattr(sys, "stderr", Terminal())
        get(serve({"set.bin": CONTENT}))
        shown = sys.stderr.getvalue()
        assert "set.bin" in shown
        assert "100%" in shown


class TestReadUrl:
    def test_content(self, serve):
        assert read_url(serve({"index.json": b"{}"}).url + "index.json", 100) == b"{}"

    def test_is_bounded(self, serve):
        server = serve({"index.json": os.urandom(200)})
        with pytest.raises(ValueError, match="larger than 100 bytes"):
            read_url(server.url + "index.json", 100)

    def test_nobody_at_the_address(self, closed_port):
        with pytest.raises(ConnectionError, match="Connection refused"):
            read_url(closed_port, 100)
