"""Tiny mirrors, misbehaving servers and hostile archives, all on this machine."""

import hashlib
import io
import json
import socket
import sys
import tarfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import ModuleType
from urllib.request import install_opener

import pytest

from minifast.datasets import download
from minifast.datasets.registry import DATASETS

# Small enough to make in every test, in the layout of the real set.
TINY_TEXTS = {
    "train.txt": b" = Robins = \n a robin is a bird \n" * 40,
    "valid.txt": b" = Wrens = \n a wren is small \n",
    "test.txt": b" = Owls = \n an owl is awake \n",
}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Talk to the loopback servers directly, whatever proxy the machine uses."""
    for scheme in ("http", "https", "all", "no"):
        for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            monkeypatch.delenv(name, raising=False)
    install_opener(None)
    yield
    install_opener(None)


@pytest.fixture
def tiny_texts():
    """The files of a tiny wikitext-2."""
    return TINY_TEXTS


@pytest.fixture
def pack():
    """Return a function that makes a .tar.gz archive of paths and their contents."""

    def make(files, root="some-root"):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for path, content in files.items():
                member = tarfile.TarInfo(f"{root}/{path}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        return packed.getvalue()

    return make


@pytest.fixture
def make_mirror(tmp_path):
    """Return a function that writes a mirror folder with one data set in it."""

    def make(name, files, folder="mirror", **changes):
        root = tmp_path / folder
        root.mkdir()
        entries = []
        for path, content in files.items():
            (root / path).write_bytes(content)
            sha256 = hashlib.sha256(content).hexdigest()
            size = len(content)
            entries.append({"path": path, "bytes": size, "sha256": sha256})
        entry = {"files": entries, "exact_original": False, "note": "tiny"} | changes
        index = {"version": 1, "datasets": {name: entry}}
        (root / "index.json").write_text(json.dumps(index))
        return root

    return make


@pytest.fixture
def tiny_mirror(make_mirror, pack):
    """A mirror that holds a tiny wikitext-2 as an archive."""
    return make_mirror("wikitext-2", {"wikitext-2.tar.gz": pack(TINY_TEXTS)})


@pytest.fixture
def fake_standin(monkeypatch):
    """A stand-in generator that takes no time; it counts its calls."""
    standin = ModuleType("minifast.datasets.standin")
    standin.VERSION = "test"
    standin.calls = []

    def generate(name, root):
        standin.calls.append(name)
        for path, content in TINY_TEXTS.items():
            (root / path).write_bytes(content.upper())
        return "capital letters"

    standin.generate = generate
    monkeypatch.setitem(sys.modules, standin.__name__, standin)
    return standin


@dataclass
class Server:
    """A loopback web server over a dict of paths, which can misbehave on request."""

    files: dict[str, bytes]
    knows_ranges: bool = True
    cut_after: list[int] = field(default_factory=list)  # bytes, one a response
    statuses: list[int] = field(default_factory=list)  # sent before any good answer
    silent: bool = False
    tells_length: bool = True
    wrong_range: bool = False
    requests: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def answer(self, handler):
        path, wanted = handler.path.lstrip("/"), handler.headers.get("Range", "")
        self.requests.append((path, wanted))
        if self.silent:
            handler.rfile.read(1)  # until the client gives up
            return
        if self.statuses or path not in self.files:
            handler.send_error(self.statuses.pop(0) if self.statuses else 404)
            return
        self.send(handler, self.files[path], wanted)

    def send(self, handler, content, wanted):
        start = 0
        if wanted and self.knows_ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                handler.send_error(416)
                return
            handler.send_response(206)
            said = 0 if self.wrong_range else start
            span = f"bytes {said}-{len(content) - 1}/{len(content)}"
            handler.send_header("Content-Range", span)
        else:
            handler.send_response(200)
        body = content[start:]
        if self.tells_length:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: self.cut_after.pop(0)] if self.cut_after else body)


@pytest.fixture
def serve():
    """Return a function that starts a Server and gives it an address."""
    running = []

    def start(files, **behaviour):
        server = Server(files, **behaviour)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *args):
                """Say nothing."""

        httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        running.append((httpd, thread))
        server.url = f"http://127.0.0.1:{httpd.server_port}/"
        return server

    yield start
    for httpd, thread in running:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


@pytest.fixture
def drip():
    """Return a function that starts a server: the last of its pieces never ends."""
    listening, over = [], Event()

    def start(pieces):
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)
        Thread(target=accept, args=(server, pieces), daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/set.bin"

    def accept(server, pieces):
        with suppress(OSError):
            while True:
                client, _ = server.accept()
                Thread(target=answer, args=(client, pieces), daemon=True).start()

    def answer(client, pieces):
        with client, suppress(OSError):
            client.recv(4096)
            for piece in pieces:
                client.sendall(piece)
            while pieces[-1] and not over.wait(0.01):
                client.sendall(pieces[-1])

    yield start
    over.set()
    for server in listening:
        server.close()


@pytest.fixture
def closed_port():
    """An address on this machine at which nobody answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


@pytest.fixture
def no_origins(monkeypatch, closed_port):
    """Make every origin unreachable, as on a machine without a network."""
    for name, dataset in DATASETS.items():
        monkeypatch.setitem(DATASETS, name, replace(dataset, origins=(closed_port,)))


@pytest.fixture
def impatient(monkeypatch):
    """Let downloads give up on a silent host at once."""
    monkeypatch.setattr(download, "SILENCE_S", 0.2)
    monkeypatch.setattr(download, "CONNECT_S", 0.5)


@pytest.fixture
def left_in(own_cache):
    """Return a function that lists all files in the cache but the locks."""

    def find():
        files = (path.relative_to(own_cache) for path in own_cache.rglob("*"))
        return sorted(
            path.as_posix()
            for path in files
            if path.parts[0] != "locks" and not (own_cache / path).is_dir()
        )

    return find
