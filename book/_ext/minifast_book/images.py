"""The images of a built page: which it shows, with what alternative text, how heavy."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Image:
    """An image on a page.

    Attributes:
        src: Its address as the page writes it.
        alt: Its alternative text, empty if there is none.
    """

    src: str
    alt: str

    @property
    def name(self) -> str:
        """File name, or what else can identify it."""
        return "inline data" if self.src.startswith("data:") else Path(self.src).name

    @property
    def described(self) -> bool:
        """Whether the alternative text says anything; Sphinx fills in the file name."""
        return bool(self.alt.strip()) and Path(self.alt).name != self.name


def find_images(page: Path) -> list[Image]:
    """Return the images of a page, without those of the theme."""
    finder = _Finder()
    finder.feed(page.read_text(encoding="utf-8"))
    return [image for image in finder.images if "_static/" not in image.src]


def weigh(page: Path) -> int:
    """Return the size of a page with its images, in bytes."""
    files = {_file(page, image) for image in find_images(page)}
    return sum(file.stat().st_size for file in {page, *files} if file.is_file())


def _file(page: Path, image: Image) -> Path:
    parts = urlsplit(image.src)
    return page if parts.scheme else (page.parent / unquote(parts.path)).resolve()


class _Finder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.images: list[Image] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            values = dict(attrs)
            self.images.append(Image(values.get("src") or "", values.get("alt") or ""))
