import errno
import hashlib
import io
import os
import sys
from pathlib import Path
from threading import Event

import pytest

from minifast.datasets import download as module
from minifast.datasets.download import download, read_url
from minifast.datasets.registry import RemoteFile
from minifast.errors import DataError

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
    with pytest.raises(DataError, match="cut off after 5,000 of 10,240 bytes"):
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
    with pytest.raises(DataError, match="its sha256 is wrong"):
        get(server)
    assert not part.exists()


def test_other_size_than_expected_fails_before_anything_is_written(serve, get, part):
    server = serve({"set.bin": b"<html>please log in</html>"})
    with pytest.raises(DataError, match="it has 26 bytes instead of 10,240"):
        get(server)
    assert not part.exists()


def test_endless_answer_is_bounded(serve, get, part):
    server = serve({"set.bin": CONTENT * 10}, tells_length=False)
    with pytest.raises(DataError, match="larger than 10,240 bytes"):
        get(server)
    assert not part.exists()


class TestWithoutChecksum:
    FILE = RemoteFile("set.bin")

    def test_whole_file_arrives(self, serve, get):
        assert get(serve({"set.bin": CONTENT}), self.FILE) == CONTENT

    def test_length_of_the_answer_is_held_to(self, serve, get):
        server = serve({"set.bin": CONTENT}, cut_after=[10, 10])
        with pytest.raises(DataError, match="cut off after 20 of 10,240 bytes"):
            get(server, self.FILE)

    def test_size_is_bounded(self, serve, get):
        with pytest.raises(DataError, match="larger than 1,000 bytes"):
            get(serve({"set.bin": CONTENT}), self.FILE, max_bytes=1000)

    def test_old_part_is_not_trusted(self, serve, get, part):
        part.write_bytes(b"something else")
        assert get(serve({"set.bin": CONTENT}), self.FILE) == CONTENT


def test_server_error_is_tried_again(serve, get):
    server = serve({"set.bin": CONTENT}, statuses=[503])
    assert get(server) == CONTENT


def test_server_error_that_stays(serve, get):
    with pytest.raises(DataError, match="HTTP status 503"):
        get(serve({"set.bin": CONTENT}, statuses=[503, 503]))


def test_missing_file_is_not_tried_again(serve, get):
    server = serve({})
    with pytest.raises(DataError, match="HTTP status 404"):
        get(server)
    assert len(server.requests) == 1


def test_nobody_at_the_address(get, closed_port):
    with pytest.raises(DataError, match="Connection refused"):
        get(closed_port + "set.bin")


def test_host_that_takes_the_connection_and_stays_silent(serve, get, impatient):
    with pytest.raises(DataError, match="no answer in time"):
        get(serve({"set.bin": CONTENT}, silent=True))


def test_host_that_does_not_take_the_connection(get, monkeypatch):
    released = Event()

    def hang(*args, **kwargs):
        released.wait()
        raise TimeoutError

    monkeypatch.setattr(module, "CONNECT_S", 0.05)
    monkeypatch.setattr(module.socket, "create_connection", hang)
    with pytest.raises(DataError, match=r"no answer within 0\.05 s"):
        get("http://localhost/set.bin")
    released.set()


def test_host_name_that_is_not_known(get, monkeypatch):
    def fail(*args, **kwargs):
        raise module.socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(module.socket, "create_connection", fail)
    with pytest.raises(DataError, match="host name can't be resolved"):
        get("http://localhost/set.bin")


def test_slow_host(serve, get, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(module, "GRACE_S", 0.0)
    monkeypatch.setattr(module, "MIN_BYTES_PER_S", 10**15)
    with pytest.raises(DataError, match="slower than"):
        get(serve({"set.bin": CONTENT}))


@pytest.mark.parametrize("url", ["http://host:port/x", "ftp://host/x", "http://[x"])
def test_malformed_address(get, url):
    with pytest.raises(DataError, match="not an http address"):
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
    assert not isinstance(caught.value, DataError)
    assert caught.value.errno == errno.ENOSPC


def test_message_has_three_lines(serve, get):
    server = serve({})
    with pytest.raises(DataError) as caught:
        get(server)
    assert str(caught.value) == (
        "A file of a data set must arrive whole and unchanged.\n"
        f"  got: {server.url}set.bin: HTTP status 404\n"
        "  fix: Try again later, or point MINIFAST_MIRROR at a place that has the file."
    )


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
        with pytest.raises(DataError, match="larger than 100 bytes"):
            read_url(server.url + "index.json", 100)

    def test_nobody_at_the_address(self, closed_port):
        with pytest.raises(DataError, match="Connection refused"):
            read_url(closed_port, 100)
