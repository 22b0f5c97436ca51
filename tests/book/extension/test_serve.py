import socket
import threading
from functools import partial
from http.client import HTTPConnection
from http.server import ThreadingHTTPServer

import pytest
from minifast_book import serve


@pytest.fixture
def ask(tmp_path):
    """Return what asks a server of a small site, built for a folder at its host."""
    (tmp_path / "index.html").write_text("home")
    (tmp_path / "404.html").write_text('<link href="/minifast/_static/a.css"> no page')
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "a.css").write_text("style")
    handler = partial(serve.Site, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def get(path, method="GET"):
            connection = HTTPConnection("127.0.0.1", server.server_port, timeout=20)
            connection.request(method, path)
            answer = connection.getresponse()
            text = answer.read().decode()
            connection.close()
            return answer.status, text

        yield get
        server.shutdown()


def test_pages_are_handed_out(ask):
    assert ask("/") == (200, "home")
    assert ask("/minifast/_static/a.css") == (200, "style")


def test_the_sites_own_page_says_that_there_is_no_such_page(ask):
    status, text = ask("/no/such/page.html")
    assert status == 404
    assert "no page" in text
    assert ask("/nowhere", "HEAD") == (404, "")


def test_a_site_without_such_a_page_is_served_too(ask, tmp_path):
    (tmp_path / "404.html").unlink()
    assert ask("/nowhere")[0] == 404


def test_a_busy_port_is_told_in_one_line(tmp_path, capsys):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert serve.main(tmp_path, port) == 1
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith(f"Port {port} can't be used")
    assert "make serve PORT=8001" in line


def test_a_port_that_cannot_be_is_told_too(tmp_path, capsys):
    assert serve.main(tmp_path, 70_000) == 1
    assert "no such port" in capsys.readouterr().out
