"""The images of a built page, and what it weighs with all that it brings along."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from minifast_book.links import loads
from minifast_book.markup import elements, target

SIZE = re.compile(r"(?<![\w-])(width|height)\s*:")


@dataclass(frozen=True)
class Image:
    """An image on a page.

    Attributes:
        src: Its address as the page writes it.
        alt: Its alternative text, empty if there is none.
        sized: Whether the page says its width and its height, so that the text does
            not jump when the image arrives.
    """

    src: str
    alt: str
    sized: bool = False

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
    found = [each.attrs for each in elements(page) if each.tag == "img"]
    images = [
        Image(attrs.get("src", ""), attrs.get("alt", ""), _is_sized(attrs))
        for attrs in found
    ]
    return [image for image in images if "_static/" not in image.src]


def weigh(page: Path) -> int:
    """Return the size of a page with its images, other media and downloads, in bytes.

    What a page only links to counts if it is no page: a reader may well load it too.
    """
    own = [each for each in elements(page) if each.own or each.tag == "img"]
    linked = [each.attrs["href"] for each in own if each.attrs.get("href")]
    brought = [address for each in own for address in loads(each)]
    files = {target(page, address) for address in [*linked, *brought]}
    media = {
        file for file in files - {None} if file.is_file() and file.suffix != ".html"
    }
    media = {file for file in media if "_static" not in file.parts}
    return sum(file.stat().st_size for file in {page.resolve(), *media})


def _is_sized(attrs: dict[str, str]) -> bool:
    named = {name for name in ("width", "height") if attrs.get(name)}
    return len(named | set(SIZE.findall(attrs.get("style", "")))) == 2
