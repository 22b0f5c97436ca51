"""The site under test: where it is, which pages it has, and a server for it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[2]
SITE = Path(os.environ.get("MINIFAST_SITE", ROOT / "_build" / "html"))
REPORT = ROOT / "_build" / "site-report"


class Missing(Exception):
    """Something that the site tests need and that is not part of the repository."""


def pages_below(entry: dict) -> Iterator[str]:
    """Yield the pages of a part of the table of contents, in reading order."""
    yield from (entry[key] for key in ("root", "file") if key in entry)
    for key in ("parts", "chapters", "sections"):
        for part in entry.get(key, ()):
            yield from pages_below(part)


def source(page: str) -> str:
    return (ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")


CONTENTS = tuple(
    pages_below(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))
)
EXECUTED = tuple(page for page in CONTENTS if "\nkernelspec:" in source(page))
SERVICES = ("search", "genindex")  # pages that Sphinx adds, and readers use


def require_site() -> Path:
    if not (SITE / f"{CONTENTS[0]}.html").exists():
        raise Missing(f"There is no built book in {SITE}; make one with: make book")
    return SITE


@cache
def parsed(file: Path) -> BeautifulSoup:
    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


def parsed_page(page: str) -> BeautifulSoup:
    return parsed(require_site() / f"{page}.html")


@cache
def public_path() -> str:
    """The path below which the site is published, such as ``/minifast/``."""
    link = parsed_page(CONTENTS[0]).select_one('link[rel="canonical"]')
    if link is None:  # no repository is known, so neither is where the site will be
        return "/"
    return urlsplit(link["href"]).path.rpartition("/")[0] + "/"


class AsOnPages(SimpleHTTPRequestHandler):
    """Answers as GitHub Pages would: below a path, and with the site's own 404 page."""

    def do_GET(self):
        if self.path.startswith(public_path()):
            self.path = "/" + self.path.removeprefix(public_path())
            super().do_GET()
        else:  # a link that only works at the root of a host
            self.send_error(404)

    def send_error(self, code, message=None, explain=None):
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write((SITE / "404.html").read_bytes())

    def log_message(self, *args):
        """Say nothing; what fails, the browser notes."""


@contextmanager
def serving() -> Iterator[str]:
    """Serve the site on a free port of this machine."""
    handler = partial(AsOnPages, directory=require_site())
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{public_path()}"
        server.shutdown()
