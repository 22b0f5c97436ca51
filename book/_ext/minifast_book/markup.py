"""The elements of a built page: their attributes, and whether they are the page's own.

A page's own elements stand in its article, what surrounds that is the theme's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Element:
    """One element of a page.

    Attributes:
        tag: Its name, in small letters.
        attrs: Its attributes.
        own: Whether it stands in the page's article.
        text: What stands in it, of scripts and styles alone.
    """

    tag: str
    attrs: dict[str, str] = field(default_factory=dict)
    own: bool = False
    text: str = ""


def elements(page: Path) -> list[Element]:
    """Return the elements of a page, in order."""
    return _parse(page, page.stat().st_mtime_ns)


def target(page: Path, address: str) -> Path | None:
    """Return the file of this site that an address names; None if it is elsewhere."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return None
    if not parts.path:
        return page
    file = (page.parent / unquote(parts.path)).resolve()
    return file / "index.html" if file.is_dir() else file


@lru_cache(maxsize=256)
def _parse(page: Path, changed: int) -> list[Element]:
    parser = _Parser()
    parser.feed(page.read_text(encoding="utf-8"))
    parser.close()
    return parser.found


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Element] = []
        self.articles = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.articles += tag == "article"
        values = {name: value or "" for name, value in attrs}
        self.found.append(Element(tag, values, own=self.articles > 0))

    def handle_endtag(self, tag: str) -> None:
        self.articles -= tag == "article"

    def handle_data(self, data: str) -> None:
        if self.cdata_elem and self.found:
            self.found[-1].text += data
